/**
 * Reads a watch for the marks of who wrote: `"@MICROS@`, when the write was sent. Nothing else of an event is looked
 * at, nor how it was framed, so that a thousand watches are read by half a core.
 */
import { headOf, openTls, type Target } from "./wire.ts";

/** A watch that is read. */
export interface WatchReader {
  /** False once the server has ended it. */
  isOpen(): boolean;
  close(): void;
}

/** What begins a mark, and how long one may be. */
const begin = '"@';
const maxMarkBytes = 24;

/** Opens a watch, and resolves once its head is there. `onMark` is told each event's mark. */
export async function connectWatch(
  target: Target,
  path: string,
  onMark: (micros: number) => void,
): Promise<WatchReader> {
  const socket = await openTls(target);
  const answered = Promise.withResolvers<void>();
  const find = markFinder(onMark);
  socket.once("data", (data: Buffer) => {
    const status = data.toString("latin1", 9, 12);
    if (status !== "200") answered.reject(new Error(`a watch was answered with ${data.toString()}`));
    answered.resolve();
    find(data);
    socket.on("data", find);
  });
  socket.on("error", answered.reject);
  // A server that ends the watch ends the connection with it: who goes on would look open.
  socket.write(headOf(target, { method: "GET", path, headers: { Connection: "close" }, body: undefined }));
  await answered.promise;
  return { isOpen: () => socket.readable, close: () => socket.destroy() };
}

/** Finds marks in pieces of a stream. One that is cut is found with the next piece. */
export function markFinder(onMark: (micros: number) => void): (data: Buffer) => void {
  let tail = "";
  return (data) => {
    let at = 0;
    if (tail !== "") {
      // Only as much of the next piece as the cut mark can need.
      data = Buffer.concat([Buffer.from(tail, "latin1"), data]);
      tail = "";
    }
    for (;;) {
      const found = data.indexOf(begin, at, "latin1");
      if (found === -1) break;
      const end = data.indexOf("@", found + begin.length, "latin1");
      if (end === -1) {
        if (data.length - found < maxMarkBytes) tail = data.toString("latin1", found);
        return;
      }
      onMark(Number(data.toString("latin1", found + begin.length, end)));
      at = end + 1;
    }
    if (data.at(-1) === 0x22) tail = '"';
  };
}
