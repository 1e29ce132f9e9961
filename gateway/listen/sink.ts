/**
 * The sink of a stream: bytes in, to one client, for as long as it reads.
 *
 * States: open, then closed by its user (`end`, `abort`), by the client, or because the client took
 * nothing for too long. Any write that the socket took counts as reading: a watch that is written to
 * all the time never drains whole.
 */
import type { ServerResponse } from "node:http";
import type { ByteSink } from "../apimachinery/http.ts";
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
  reply.once("close", () => {
    clearTimeout(stalled);
    close();
  });
  reply.on("drain", () => {
    clearTimeout(stalled);
    stalled = undefined;
    for (const drainer of drainers.splice(0)) drainer();
  });

  function watchStall(): void {
    stalled ??= setTimeout(cut, stalledMs);
    stalled.unref();
  }

  return {
    write(bytes) {
      if (isClosed) return true;
      if ((reply as ServerResponse).write(bytes, taken)) return true;
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
      if (reply.writableNeedDrain) drainers.push(callback);
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
