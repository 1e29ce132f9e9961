/**
 * The sink of a stream: bytes in, to one client, for as long as it reads.
 *
 * States: open, then closed by its user (`end`, `abort`), by the client, or because the client took
 * nothing for too long. Any write that the socket took counts as reading: a watch that is written to
 * all the time never drains whole.
 *
 * The same frames go to a thousand watchers: they are joined once, over HTTP/1.1 to a chunk, and each client costs
 * one write to its socket. The response would make a chunk's three writes of them each time.
 * Source: RFC 9112 section 7.1.
 */
import { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { ByteSink } from "../apimachinery/http.ts";
import { TurnMap } from "../apimachinery/turn-map.ts";
import type { RawReply } from "./http-request.ts";

/** Makes the sink of a reply whose head is out. */
export function createSink(
  reply: RawReply,
  { stalledMs, cut }: { readonly stalledMs: number; readonly cut: () => void },
): ByteSink {
  const closers: (() => void)[] = [];
  const drainers: (() => void)[] = [];
  let isClosed = false;
  let stalled: NodeJS.Timeout | undefined;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    for (const closer of closers.splice(0)) closer();
  };
  const taken = (): void => {
    stalled?.refresh();
  };
  const socket = chunkedSocket(reply);
  const wire: Writable = socket ?? (reply as ServerResponse);
  const drained = (): void => {
    clearTimeout(stalled);
    stalled = undefined;
    for (const drainer of drainers.splice(0)) drainer();
  };
  reply.once("close", () => {
    clearTimeout(stalled);
    // The connection may go on to its next request.
    wire.off("drain", drained);
    close();
  });
  wire.on("drain", drained);

  function watchStall(): void {
    stalled ??= setTimeout(cut, stalledMs);
    stalled.unref();
  }

  return {
    write(frames) {
      if (isClosed) return true;
      const bytes = socket === undefined ? joinedOnce(joins, frames, joined) : joinedOnce(chunks, frames, chunkOf);
      // A chunk of nothing would be the last one.
      if (bytes.length === 0 || wire.write(bytes, taken)) return true;
      watchStall();
      return false;
    },
    get queuedBytes() {
      return reply.writableLength;
    },
    get closed() {
      return isClosed;
    },
    onDrain(callback) {
      if (wire.writableNeedDrain) drainers.push(callback);
      else setImmediate(callback);
    },
    onClose(callback) {
      if (isClosed) callback();
      else closers.push(callback);
    },
    end() {
      if (isClosed) return;
      reply.end();
      watchStall();
      close();
    },
    abort() {
      cut();
      close();
    },
  };
}

/** What frames were made, by the first of them. */
type Joins = TurnMap<Uint8Array, { readonly frames: readonly Uint8Array[]; readonly bytes: Uint8Array }>;

const joins: Joins = new TurnMap();
const chunks: Joins = new TurnMap();

/** Gives what was made of the same frames in this turn, or makes it. */
function joinedOnce(
  made: Joins,
  frames: readonly Uint8Array[],
  make: (frames: readonly Uint8Array[]) => Uint8Array,
): Uint8Array {
  const [first] = frames;
  if (first === undefined) return nothing;
  const known = made.get(first);
  if (known?.frames.length === frames.length && known.frames.every((frame, index) => frame === frames[index])) {
    return known.bytes;
  }
  const bytes = make(frames);
  made.set(first, { frames, bytes });
  return bytes;
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  return frames.length === 1 ? (frames[0] as Uint8Array) : Buffer.concat(frames);
}

/** Of nothing: nothing. */
function chunkOf(frames: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const frame of frames) length += frame.length;
  return length === 0 ? nothing : Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), ...frames, lineEnd]);
}

const nothing = Buffer.alloc(0);
const lineEnd = Buffer.from("\r\n");

/** Gives the connection of a reply whose head is out on it and says that chunks follow. */
function chunkedSocket(reply: RawReply): Socket | undefined {
  return reply instanceof ServerResponse && reply.chunkedEncoding ? (reply.socket ?? undefined) : undefined;
}
