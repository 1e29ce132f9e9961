/**
 * The host cluster's API, as far as a server behind it needs one: reviews, and a few informers.
 *
 * Requests are JSON over HTTP/1.1 on kept connections; every one has a deadline, and how many may
 * wait is bounded. Answers are parsed by JavaScript's own parser: nobody here passes them on, so
 * numbers beyond 2^53 and the order of keys don't matter. Absent on purpose: protobuf, exec plugins,
 * proxies, redirects (a token must go where it was meant to).
 * Source: client-go rest, tools/cache; Kubernetes "API Concepts".
 */
import type { JsonObject } from "../apimachinery/json.ts";
import { createConnection } from "./connection.ts";
import type { KubeEndpoint } from "./endpoint.ts";
import { KubeError, kubeErrorOf } from "./kube-error.ts";
import { linesOf, textOf } from "./reading.ts";

export type { KubeEndpoint, Source } from "./endpoint.ts";
export { type KubeEvent, writeEvent } from "./event.ts";
export { inClusterEndpoint } from "./in-cluster.ts";
export {
  createInformer,
  type Informer,
  type InformerChange,
  type InformerOptions,
  type KubeObject,
} from "./informer.ts";
export { KubeError } from "./kube-error.ts";
export { KubeconfigError, loadKubeconfig } from "./kubeconfig.ts";
export { review } from "./review.ts";

/** One request. */
export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From the API's root, each part escaped: `/apis/authentication.k8s.io/v1/tokenreviews`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: JsonObject;
  /** Default: `application/json`. The answer must be JSON whatever its type is called. */
  readonly accept?: string;
  /** Until the last byte of the answer. Default: `defaultTimeoutMs`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Open from its creation until `close`. */
export interface KubeClient {
  /** Gives the answer's JSON. @throws KubeError if there is no answer, or one that says no. */
  request(request: KubeRequest): Promise<JsonObject>;
  /**
   * Gives the lines of an answer that goes on, as they come, without their ends. Leaving the loop
   * ends the request.
   * @throws KubeError as `request` does, and if the connection breaks.
   */
  lines(request: KubeRequest): AsyncIterable<string>;
  /** Cuts all connections. */
  close(): void;
}

/** As long as a review may take; kube-apiserver answers anything else in time too. */
const defaultTimeoutMs = 10_000;
/** Requests that run or wait: more means that the host doesn't keep up, and none would get its answer in time. */
const maxRequests = 2000;
/** Of one answer, in bytes. Lists come in pages of a few hundred objects; the largest object has 3 MiB. */
const maxAnswerBytes = 64 * 1024 * 1024;
/** Of one event of a watch, in bytes. */
const maxLineBytes = 16 * 1024 * 1024;

/** Makes a client; it connects with its first request. */
export function createKubeClient(endpoint: KubeEndpoint, { userAgent }: { readonly userAgent: string }): KubeClient {
  const connection = createConnection(endpoint, { userAgent });
  const closed = new AbortController();
  let running = 0;

  function signalOf({ signal, timeoutMs = defaultTimeoutMs }: KubeRequest): AbortSignal {
    return AbortSignal.any([
      closed.signal,
      AbortSignal.timeout(Math.ceil(timeoutMs)),
      ...(signal === undefined ? [] : [signal]),
    ]);
  }

  return {
    async request(request) {
      if (running >= maxRequests) throw new KubeError("too many requests to the host cluster are waiting", 0);
      running++;
      const signal = signalOf(request);
      try {
        const response = await connection.send(request, { signal, isStream: false });
        const text = await textOf(response, maxAnswerBytes);
        const code = response.statusCode ?? 0;
        if (code < 200 || code > 299) throw kubeErrorOf(code, response.headers["retry-after"], text);
        return parseAnswer(text);
      } catch (error) {
        throw failureOf(request, signal, error);
      } finally {
        running--;
      }
    },
    async *lines(request) {
      const signal = signalOf(request);
      try {
        const response = await connection.send(request, { signal, isStream: true });
        const code = response.statusCode ?? 0;
        if (code !== 200)
          throw kubeErrorOf(code, response.headers["retry-after"], await textOf(response, maxAnswerBytes));
        yield* linesOf(response, maxLineBytes);
      } catch (error) {
        throw failureOf(request, signal, error);
      }
    },
    close() {
      closed.abort(new KubeError("the client of the host cluster is closed", 0));
      connection.close();
    },
  };
}

/** Whatever broke after the signal broke because of it. */
function failureOf({ method, path }: KubeRequest, signal: AbortSignal, error: unknown): KubeError {
  return KubeError.from(signal.aborted ? signal.reason : error, `${method} ${path}`);
}

function parseAnswer(text: string): JsonObject {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error("the answer is no JSON object");
  return value as JsonObject;
}
