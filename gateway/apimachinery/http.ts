/**
 * An HTTP request and its answer as plain values, so that no room but listen knows a server.
 *
 * A request's body is not read until somebody asks: authorization comes first. An answer is either
 * whole (bytes, or a list of kept buffers that is written as it lies) or a stream that is handed a
 * sink. Absent on purpose: trailers, and a body that is streamed in.
 */
import type { PeerCertificate } from "./user.ts";

/** One request as it came off the socket. */
export interface HttpRequest {
  /** Upper case, as sent. */
  readonly method: string;
  /** Path and query as sent, undecoded, for messages: `/apis/a/v1/b?watch=1`. */
  readonly uri: string;
  /** The path as sent, still percent-encoded, without the query. */
  readonly path: string;
  /** The raw query, without `?`. */
  readonly query: string;
  readonly httpVersion: "1.1" | "2.0";
  /** First value of a header, by its lower-case name. */
  header(name: string): string | undefined;
  /** All values of a header, in order, by its lower-case name. */
  headers(name: string): readonly string[];
  /** Every header as sent: lower-case name and value, in order. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[];
  readonly remoteAddress: string;
  /** The client's certificate chain, leaf first; undefined if it gave none. Not yet verified. */
  peerCertificate(): PeerCertificate | undefined;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /**
   * Reads the whole body; a second call gives the same bytes.
   * @throws StatusError RequestEntityTooLarge over the listener's limit, BadRequest if it is cut short.
   */
  body(): Promise<Buffer>;
}

/** Takes the bytes of a stream, in order. Writing after `closed` is a no-op. */
export interface ByteSink {
  /** Hands bytes to the socket. False: more is queued than the socket took; wait for `onDrain`. */
  write(bytes: Uint8Array): boolean;
  /** Bytes handed over that the socket has not taken. */
  readonly queuedBytes: number;
  readonly closed: boolean;
  onDrain(callback: () => void): void;
  /** Called once, when the client goes away, the stream ends or the server drains. */
  onClose(callback: () => void): void;
  /** Ends the stream cleanly. */
  end(): void;
  /** Cuts the connection (HTTP/1.1) or resets the stream (HTTP/2). */
  abort(): void;
}

export type HttpHeaders = Record<string, string | readonly string[]>;

/** A body that is written over time. `start` is called after the head was sent. */
export interface StreamBody {
  start(sink: ByteSink): void;
}

/** One answer. Header names in any case; Content-Length is set by listen for whole bodies. */
export interface HttpAnswer {
  status: number;
  headers: HttpHeaders;
  /** Whole bytes, buffers that are written one after the other, or a stream. */
  body: Uint8Array | readonly Uint8Array[] | StreamBody;
  /** True for a watch and its like: no timeout applies, and a drain ends it. */
  longRunning?: boolean;
}

/** Tells a stream from whole bytes. */
export function isStreamBody(body: HttpAnswer["body"]): body is StreamBody {
  return "start" in body && typeof body.start === "function";
}

/** Gives the same request with other headers: lower-case names and values, in order. */
export function withRawHeaders(request: HttpRequest, rawHeaders: HttpRequest["rawHeaders"]): HttpRequest {
  const { method, uri, path, query, httpVersion, remoteAddress } = request;
  return {
    ...{ method, uri, path, query, httpVersion, remoteAddress },
    header: (name) => rawHeaders.find(([key]) => key === name)?.[1],
    headers: (name) => rawHeaders.filter(([key]) => key === name).map(([, value]) => value),
    rawHeaders,
    peerCertificate: () => request.peerCertificate(),
    // Made when somebody asks: most requests don't.
    get signal() {
      return request.signal;
    },
    body: () => request.body(),
  };
}
