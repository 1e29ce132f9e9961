/**
 * The sink of a stream: bytes in, to one client, for as long as it reads.
 *
 * States: open, then closed by its user (`end`, `abort`), by the client, or because the client took
 * nothing for too long. Any write that the socket took counts as reading: a watch that is written to
 * all the time never drains whole.
 *
 * The same bytes go to a thousand watchers: over HTTP/1.1 they are made a chunk once, and each client costs
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
    write(bytes) {
      // A chunk of nothing would be the last one.
      if (isClosed || bytes.length === 0) return true;
      if (socket === undefined ? (reply as ServerResponse).write(bytes, taken) : socket.write(chunkOf(bytes), taken)) {
        return true;
      }
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

/** What was made a chunk. */
const chunks = new TurnMap<Uint8Array, Buffer>();

function chunkOf(bytes: Uint8Array): Buffer {
  const known = chunks.get(bytes);
  if (known !== undefined) return known;
  const chunk = Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, lineEnd]);
  chunks.set(bytes, chunk);
  return chunk;
}

const lineEnd = Buffer.from("\r\n");

/** Gives the connection of a reply whose head is out on it and says that chunks follow. */
function chunkedSocket(reply: RawReply): Socket | undefined {
  return reply instanceof ServerResponse && reply.chunkedEncoding ? (reply.socket ?? undefined) : undefined;
}
