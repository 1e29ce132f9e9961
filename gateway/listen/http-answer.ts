/**
 * Writes answers: whole ones from kept buffers with back-pressure, streams through a sink.
 *
 * A client that stops reading holds what its socket holds and no more: the next buffer is handed
 * over when the one before was taken, and a client that takes nothing for a minute is cut off.
 */
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { type ByteSink, type HttpAnswer, isStreamBody, type StreamBody } from "../apimachinery/http.ts";
import type { RawReply, RawRequest } from "./http-request.ts";

/** Writes answers and knows which are under way. */
export interface AnswerWriter {
  write(request: RawRequest, reply: RawReply, answer: HttpAnswer): void;
  /** Ends every stream, for a drain. */
  endStreams(): void;
  /** Answers that are being written, streams included. */
  inFlight(): number;
}

/** A client that takes no byte for this long is gone. */
const stalledAfterMs = 60_000;
/** Bytes that are handed to a socket before it must have taken some. */
const maxQueuedBytes = 1024 * 1024;

/** Makes a writer. */
export function createAnswerWriter(options: {
  readonly isDraining: () => boolean;
  readonly log: { error(fields: object, message: string): void };
}): AnswerWriter {
  const streams = new Set<ByteSink>();
  let underWay = 0;

  function write(request: RawRequest, reply: RawReply, answer: HttpAnswer): void {
    if (reply.destroyed) return;
    underWay++;
    reply.once("close", () => {
      underWay--;
    });
    reply.on("error", () => reply.destroy());
    const { body } = answer;
    const isHttp1 = request.httpVersion !== "2.0";
    reply.statusCode = answer.status;
    for (const [name, value] of Object.entries(answer.headers)) reply.setHeader(name, value as string | string[]);
    if (isHttp1 && options.isDraining()) reply.setHeader("Connection", "close");
    if (isStreamBody(body)) {
      writeStream(reply, body);
      return;
    }
    const buffers = body instanceof Uint8Array ? [body] : body;
    if (answer.status !== 204 && answer.status !== 304) {
      reply.setHeader(
        "Content-Length",
        buffers.reduce((sum, buffer) => sum + buffer.length, 0),
      );
    }
    // A body that nobody read would be taken for the next request on this connection.
    if (!request.complete) request.resume();
    if (request.method === "HEAD") {
      reply.end();
      return;
    }
    if (buffers.length === 1) {
      (reply as ServerResponse).end(buffers[0]);
      cutIfStalled(reply);
      return;
    }
    writeBuffers(reply, buffers);
  }

  function writeStream(reply: RawReply, body: StreamBody): void {
    (reply as ServerResponse).flushHeaders();
    const sink = createSink(reply);
    streams.add(sink);
    sink.onClose(() => streams.delete(sink));
    try {
      body.start(sink);
    } catch (error) {
      options.log.error({ err: error }, "a stream failed to start");
      sink.abort();
    }
  }

  return {
    write,
    endStreams() {
      for (const sink of [...streams]) sink.end();
    },
    inFlight: () => underWay,
  };
}

function writeBuffers(reply: RawReply, buffers: readonly Uint8Array[]): void {
  let next = 0;
  let stalled: NodeJS.Timeout | undefined;
  const pump = (): void => {
    clearTimeout(stalled);
    if (reply.destroyed) return;
    if ("cork" in reply) (reply as ServerResponse).cork();
    let queued = 0;
    while (next < buffers.length && queued < maxQueuedBytes) {
      const buffer = buffers[next++] as Uint8Array;
      queued += buffer.length;
      writeTo(reply, buffer);
    }
    if ("uncork" in reply) (reply as ServerResponse).uncork();
    if (next === buffers.length) {
      reply.end();
      cutIfStalled(reply);
      return;
    }
    if (reply.writableNeedDrain) {
      stalled = setTimeout(() => reply.destroy(), stalledAfterMs);
      stalled.unref();
      reply.once("drain", pump);
    } else setImmediate(pump);
  };
  reply.once("close", () => clearTimeout(stalled));
  pump();
}

/** An answer that was handed over whole must be taken some day as well. */
function cutIfStalled(reply: RawReply): void {
  if (reply.writableFinished) return;
  const timer = setTimeout(() => reply.destroy(), stalledAfterMs);
  timer.unref();
  reply.once("close", () => clearTimeout(timer));
}

function writeTo(reply: RawReply, bytes: Uint8Array): boolean {
  return (reply as Http2ServerResponse & ServerResponse).write(bytes);
}

function createSink(reply: RawReply): ByteSink {
  const closers: (() => void)[] = [];
  const drainers: (() => void)[] = [];
  let isClosed = false;
  let stalled: NodeJS.Timeout | undefined;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    clearTimeout(stalled);
    for (const closer of closers) closer();
  };
  reply.once("close", close);
  reply.on("drain", () => {
    clearTimeout(stalled);
    stalled = undefined;
    for (const drainer of drainers.splice(0)) drainer();
  });
  return {
    write(bytes) {
      if (isClosed) return true;
      if (writeTo(reply, bytes)) return true;
      if (stalled === undefined) {
        stalled = setTimeout(() => reply.destroy(), stalledAfterMs);
        stalled.unref();
      }
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
      close();
    },
    abort() {
      reply.destroy();
      close();
    },
  };
}
