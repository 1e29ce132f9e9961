/**
 * One request off a server and its answer back onto it, whoever owns that server.
 *
 * The listener of this room hands its requests over; so may a handler in somebody else's server,
 * where the API is mounted under a prefix: that is taken off the path and stays in the text of
 * failures, which name what the client asked for.
 * Source: net/http StripPrefix.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import {
  type HttpAnswer,
  type HttpRequest,
  isSocketBody,
  isStreamBody,
  type SocketBody,
  type WebSocketPeer,
} from "../apimachinery/http.ts";
import { encodeJsonBytes } from "../apimachinery/json.ts";
import { retryAfterHeader, StatusError, statusToJson, tooManyRequests } from "../apimachinery/status.ts";
import { type AnswerTimes, createAnswerWriter, cut } from "./http-answer.ts";
import { createChainReader, isCut, type RawReply, type RawRequest, requestFrom } from "./http-request.ts";
import { acceptWebSocket, offeredProtocols } from "./websocket.ts";

/** What requests are answered with. */
export interface ExchangeOptions {
  /** Answers a request. StatusErrors should have become answers; anything else that is thrown is a bug. */
  readonly handle: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
  /** Largest body in bytes. */
  readonly maxBodyBytes: number;
  readonly times: AnswerTimes;
  readonly log: { error(fields: object, message: string): void };
}

/** How one request came. */
export interface Arrival {
  /** Whether the client waits for `100 Continue`. Default: no. */
  readonly waitsForContinue?: boolean;
  /** What the path begins with and the API doesn't know, `/ext`. Default: nothing. */
  readonly prefix?: string;
  /** The socket, if the client asks for a WebSocket, and what it sent behind its request. Default: it doesn't. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer };
}

/** Takes requests until it is closed. */
export interface Exchange {
  /** Answers; `done` is called once, when the answer is out or cut. Never rejects. */
  take(raw: RawRequest, reply: RawReply, arrival: Arrival, done?: () => void): Promise<void>;
  /** Ends every stream, and begins none: who asks for one is sent to another replica. */
  drain(): void;
  close(): void;
}

/** Makes an exchange. */
export function createExchange({ handle, maxBodyBytes, times, log }: ExchangeOptions): Exchange {
  const writer = createAnswerWriter({ times, log });
  const chainOf = createChainReader();
  const peers = new Set<WebSocketPeer>();
  const together = createGathering();
  let isDraining = false;

  async function answerTo(request: HttpRequest, prefix: string): Promise<HttpAnswer> {
    const inside = withoutPrefix(request, prefix);
    if (inside === undefined) return notFoundAnswer;
    try {
      return await handle(inside);
    } catch (error) {
      if (error instanceof StatusError) return statusAnswer(error);
      log.error({ err: error, method: request.method, uri: request.path }, "a request panicked");
      return panicAnswer;
    }
  }

  function open(raw: RawRequest, reply: RawReply, body: SocketBody, upgrade: Arrival["upgrade"]): void {
    if (upgrade === undefined) throw new Error("a WebSocket for a request that didn't ask for one");
    if (isCut(reply)) return;
    const peer = acceptWebSocket(raw as IncomingMessage, upgrade.socket, upgrade.head, body);
    peers.add(peer);
    peer.signal.addEventListener("abort", () => peers.delete(peer), { once: true });
  }

  return {
    async take(raw, reply, { waitsForContinue = false, prefix = "", upgrade }, done) {
      reply.once("close", () => {
        done?.();
        writer.closed(reply);
      });
      await together();
      try {
        const webSocket = upgrade && offeredProtocols(raw as IncomingMessage);
        const request = requestFrom(raw, reply, { maxBodyBytes, waitsForContinue, chainOf, webSocket });
        let answer = await answerTo(request, prefix);
        if (isDraining && (isStreamBody(answer.body) || isSocketBody(answer.body))) answer = stoppingAnswer;
        if (isSocketBody(answer.body)) open(raw, reply, answer.body, upgrade);
        else writer.write(raw, reply, answer);
      } catch (error) {
        log.error({ err: error, method: raw.method }, "an answer can't be written");
        cut(reply);
      }
    },
    drain() {
      isDraining = true;
      writer.drain();
      for (const peer of peers) peer.close(...goingAway);
    },
    close: () => writer.close(),
  };
}

/**
 * Gives a wait until all that came in this turn of the event loop are there, who then go on together.
 *
 * A busy server finds dozens of requests in a turn. From here on each step is done for all of them before the next,
 * so the code of a step is in the processor's cache for all but the first; one by one, each request would bring its
 * whole way's code there anew, which took as long as to run it.
 */
function createGathering(): () => Promise<void> {
  let gathering: Promise<void> | undefined;
  return () => {
    gathering ??= new Promise((resolve) => {
      setImmediate(() => {
        gathering = undefined;
        resolve();
      });
    });
    return gathering;
  };
}

/** What a server says that stops. */
const goingAway = [1001, "the server is shutting down"] as const;

/** Undefined: it lies outside of what is mounted there. */
function withoutPrefix(request: HttpRequest, prefix: string): HttpRequest | undefined {
  if (prefix === "") return request;
  const { path } = request;
  if (path !== prefix && !path.startsWith(`${prefix}/`)) return undefined;
  // Its getters are lazy: a copy would read them all.
  return Object.create(request, { path: { value: path.slice(prefix.length) || "/", enumerable: true } }) as HttpRequest;
}

function statusAnswer(error: StatusError): HttpAnswer {
  return {
    status: error.status.code,
    headers: { "Content-Type": "application/json", ...retryAfterHeader(error.status) },
    body: encodeJsonBytes(statusToJson(error.status)),
  };
}

function textAnswer(status: number, text: string): HttpAnswer {
  const headers = { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" };
  return { status, headers, body: Buffer.from(text) };
}

const notFoundAnswer = textAnswer(404, "404 page not found\n");
const panicAnswer = textAnswer(500, "This request caused apiserver to panic. Look in the logs for details.\n");
/** A client waits, and asks again over another connection, without listing anew. Source: kube-apiserver's WithRetryAfter. */
const stoppingAnswer = statusAnswer(tooManyRequests("The apiserver is shutting down, please try again later.", 1));
