/**
 * One request off a server and its answer back onto it, whoever owns that server.
 *
 * The listener of this room hands its requests over; so may a handler in somebody else's server,
 * where the API is mounted under a prefix: that is taken off the path and stays in the text of
 * failures, which name what the client asked for.
 * Source: net/http StripPrefix.
 */
import type { HttpAnswer, HttpRequest } from "../apimachinery/http.ts";
import { encodeJsonBytes } from "../apimachinery/json.ts";
import { StatusError, statusToJson } from "../apimachinery/status.ts";
import { type AnswerTimes, createAnswerWriter, cut } from "./http-answer.ts";
import { createChainReader, type RawReply, type RawRequest, requestFrom } from "./http-request.ts";

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
}

/** Takes requests until it is closed. */
export interface Exchange {
  /** Answers; `done` is called once, when the answer is out or cut. Never rejects. */
  take(raw: RawRequest, reply: RawReply, arrival: Arrival, done?: () => void): Promise<void>;
  /** Ends every stream, those that begin later too. */
  drain(): void;
  close(): void;
}

/** Makes an exchange. */
export function createExchange({ handle, maxBodyBytes, times, log }: ExchangeOptions): Exchange {
  const writer = createAnswerWriter({ times, log });
  const chainOf = createChainReader();

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

  return {
    async take(raw, reply, { waitsForContinue = false, prefix = "" }, done) {
      reply.once("close", () => {
        done?.();
        writer.closed(reply);
      });
      try {
        const request = requestFrom(raw, reply, { maxBodyBytes, waitsForContinue, chainOf });
        writer.write(raw, reply, await answerTo(request, prefix));
      } catch (error) {
        log.error({ err: error, method: raw.method }, "an answer can't be written");
        cut(reply);
      }
    },
    drain: () => writer.drain(),
    close: () => writer.close(),
  };
}

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
    headers: { "Content-Type": "application/json" },
    body: encodeJsonBytes(statusToJson(error.status)),
  };
}

function textAnswer(status: number, text: string): HttpAnswer {
  const headers = { "Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff" };
  return { status, headers, body: Buffer.from(text) };
}

const notFoundAnswer = textAnswer(404, "404 page not found\n");
const panicAnswer = textAnswer(500, "This request caused apiserver to panic. Look in the logs for details.\n");
