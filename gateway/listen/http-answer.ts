/**
 * Writes answers: whole ones from kept buffers with back-pressure, streams through a sink.
 *
 * A body up to a limit is handed over at once, a larger one by batches: the next when the one before was
 * taken. So a client that stops reading holds what its socket holds and one of these, and one that takes
 * nothing for a minute is cut off. A client that still sends a body nobody reads gets its answer first;
 * then its connection ends.
 * Source: net/http's server (finishRequest); RFC 9113 section 8.1.
 */
import type { ServerResponse } from "node:http";
import { constants, type Http2ServerResponse } from "node:http2";
import { type HttpAnswer, isSocketBody, isStreamBody, type StreamBody } from "../apimachinery/http.ts";
import { batchesOf } from "./batches.ts";
import { isCut, type RawReply, type RawRequest } from "./http-request.ts";
import { ReplySink } from "./sink.ts";

/** Writes answers and ends streams. */
export interface AnswerWriter {
  write(request: RawRequest, reply: RawReply, answer: HttpAnswer): void;
  /** To be told when a reply is out or cut. */
  closed(reply: RawReply): void;
  /** Ends every stream, the youngest after a moment. The caller begins none after it. */
  drain(): void;
  close(): void;
}

/** Times in ms. */
export interface AnswerTimes {
  /** A client that takes no byte for this long is gone. */
  readonly stalledMs: number;
  /** How long a client that goes on sending may take to notice its answer. */
  readonly lingerMs: number;
}

/** client-go lists everything anew after a watch that showed nothing and ended within its first second. */
const minStreamMs = 1_100;

/** The rest of a body that is read, so that the connection can be kept: as much as Go's server reads. */
const maxDroppedBytes = 256 * 1024;

/**
 * A body up to here is handed over at once: a socket that is idle has room for it, and each write costs some 50 µs
 * besides its bytes. A list of a thousand objects of 1 KB is one. Whoever has not taken it after a minute is cut off,
 * as kube-apiserver cuts any answer off then.
 */
const maxWholeBytes = 1280 * 1024;

/** Makes a writer. */
export function createAnswerWriter(options: {
  readonly times: AnswerTimes;
  readonly log: { error(fields: object, message: string): void };
}): AnswerWriter {
  const { times, log } = options;
  /** Streams whose replies are not out, and when they began. */
  const streams = new Map<RawReply, { readonly sink: ReplySink; readonly since: number }>();
  /** Replies whose last byte was handed over, and when. */
  const ending = new Map<RawReply, number>();
  let isDraining = false;
  const sweep = setInterval(cutStalled, Math.max(1, times.stalledMs / 4));
  sweep.unref();

  function write(request: RawRequest, reply: RawReply, answer: HttpAnswer): void {
    if (isCut(reply)) return;
    reply.on("error", cutThis);
    const { body } = answer;
    if (isSocketBody(body)) throw new TypeError("a WebSocket is no answer to write");
    const isHttp1 = request.httpVersion !== "2.0";
    const head: (string | string[])[] = [];
    for (const name in answer.headers) head.push(name, wireValue(answer.headers[name] as string | readonly string[]));
    if (answer.endsConnection) endSession(reply);
    let endsConnection = isDraining || answer.endsConnection === true;
    if (isStreamBody(body)) {
      if (isHttp1 && endsConnection) head.push("Connection", "close");
      (reply as ServerResponse).writeHead(answer.status, head);
      writeStream(request, reply, body);
      return;
    }
    const buffers = body instanceof Uint8Array ? [body] : body;
    let bytes = 0;
    for (const buffer of buffers) bytes += buffer.length;
    if (answer.status !== 204 && answer.status !== 304) head.push("Content-Length", String(bytes));
    const hasBodyLeft = isReceiving(request);
    // A body that nobody read would be taken for the next request on this connection.
    if (hasBodyLeft) request.resume();
    const isLongBody = hasBodyLeft && !(declaredBytes(request) <= maxDroppedBytes);
    endsConnection ||= isLongBody;
    if (isHttp1 && endsConnection) head.push("Connection", "close");
    (reply as ServerResponse).writeHead(answer.status, head);
    const batches = batchesOf(request.method === "HEAD" ? [] : buffers);
    if (isLongBody) pump(reply, batches, () => endAfterBody(request, reply));
    else if (bytes > maxWholeBytes) pump(reply, batches, () => end(reply));
    else end(reply, batches);
  }

  /** Writes a batch whenever the client took the one before. */
  function pump(reply: RawReply, batches: Iterator<Uint8Array, undefined>, done: () => void): void {
    let stalled: NodeJS.Timeout | undefined;
    const step = (): void => {
      clearTimeout(stalled);
      if (isCut(reply)) return;
      const batch = batches.next().value;
      if (batch === undefined) done();
      else if ((reply as ServerResponse).write(batch)) process.nextTick(step);
      else {
        stalled = setTimeout(() => cut(reply), times.stalledMs);
        reply.once("drain", step);
      }
    };
    reply.once("close", () => clearTimeout(stalled));
    step();
  }

  /** Of what is handed over in one turn Node makes one write, with the head. */
  function end(reply: RawReply, batches: Iterable<Uint8Array> = []): void {
    ending.set(reply, performance.now());
    let last: Uint8Array | undefined;
    for (const batch of batches) {
      if (last !== undefined) (reply as ServerResponse).write(last);
      last = batch;
    }
    (reply as ServerResponse).end(last);
  }

  /** Ends an answer whose client is still sending: a reset now could overtake the answer. */
  function endAfterBody(request: RawRequest, reply: RawReply): void {
    if ("stream" in reply) {
      // HTTP/2 has a word for it: the answer is whole, stop sending.
      reply.once("finish", () => reply.stream?.close(constants.NGHTTP2_NO_ERROR));
      end(reply);
      return;
    }
    reply.flushHeaders();
    let isEnded = false;
    const finish = (): void => {
      if (isEnded) return;
      isEnded = true;
      clearTimeout(late);
      end(reply);
    };
    const late = setTimeout(finish, times.lingerMs);
    request.once("end", finish);
    request.once("close", finish);
    if (request.complete) finish();
  }

  function writeStream(request: RawRequest, reply: RawReply, body: StreamBody): void {
    (reply as ServerResponse).flushHeaders();
    if (isReceiving(request)) request.resume();
    const sink = new ReplySink(reply, cut);
    streams.set(reply, { sink, since: performance.now() });
    try {
      body.start(sink);
    } catch (error) {
      log.error({ err: error }, "a stream failed to start");
      sink.abort();
    }
  }

  function cutStalled(): void {
    const now = performance.now();
    for (const [reply, { sink }] of streams) if (sink.isStalled(times.stalledMs, now)) cut(reply);
    const before = now - times.stalledMs;
    for (const [reply, since] of ending) {
      // In order of their ends.
      if (since > before) return;
      cut(reply);
    }
  }

  return {
    write,
    closed(reply) {
      ending.delete(reply);
      streams.get(reply)?.sink.gone();
      streams.delete(reply);
    },
    drain() {
      isDraining = true;
      const now = performance.now();
      for (const { sink, since } of [...streams.values()]) {
        if (now - since >= minStreamMs) sink.end();
        else setTimeout(() => sink.end(), since + minStreamMs - now).unref();
      }
    },
    close() {
      clearInterval(sweep);
    },
  };
}

/** Ends an answer so that the client knows it isn't whole. */
export function cut(reply: RawReply): void {
  if ("stream" in reply) (reply as Http2ServerResponse).stream?.close(constants.NGHTTP2_INTERNAL_ERROR);
  reply.destroy();
}

function cutThis(this: RawReply): void {
  cut(this);
}

/** Tells if the client has not sent its whole body yet. */
function isReceiving(request: RawRequest): boolean {
  if ("stream" in request) return request.stream !== undefined && !request.stream.endAfterHeaders && !request.complete;
  return !request.complete;
}

/** NaN if the client didn't say. */
function declaredBytes(request: RawRequest): number {
  return Number(request.headers["content-length"] ?? Number.NaN);
}

/**
 * Text as Go puts it on the wire: its UTF-8 bytes, line ends as spaces. Node takes a character for a
 * byte, and throws over what is none.
 */
function wireValue(value: string | readonly string[]): string | string[] {
  return typeof value === "string" ? wireText(value) : value.map(wireText);
}

function wireText(text: string): string {
  if (!/[^\t -~]/.test(text)) return text;
  return Buffer.from(text.replace(/(?!\t)\p{Cc}/gu, " "), "utf8").toString("latin1");
}

/** Ends an HTTP/2 session once this answer is out: its other streams finish, and no new one begins. */
function endSession(reply: RawReply): void {
  const stream = "stream" in reply ? reply.stream : undefined;
  const session = stream?.session;
  stream?.once("close", () => session?.close());
}
