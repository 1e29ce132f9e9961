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
  /** That the client asks for a WebSocket, with the subprotocols it offers, best first. Default: it doesn't. */
  readonly webSocket?: readonly string[] | undefined;
  /**
   * Reads the whole body; a second call gives the same bytes.
   * @throws StatusError RequestEntityTooLarge over the listener's limit, BadRequest if it is cut short.
   */
  body(): Promise<Buffer>;
}

/** Takes the bytes of a stream, in order. Writing after `closed` is a no-op. */
export interface ByteSink {
  /** Hands frames to the socket, in order. False: more is queued than the socket took; wait for `onDrain`. */
  write(frames: readonly Uint8Array[]): boolean;
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

/** Headers by name; several values are headers of their own. */
export type HttpHeaders = Record<string, string | readonly string[]>;

/** A body that is written over time. `start` is called after the head was sent. */
export interface StreamBody {
  start(sink: ByteSink): void;
}

/** One message of a WebSocket. */
export interface SocketMessage {
  readonly data: Uint8Array;
  readonly isText: boolean;
}

/** An open WebSocket. */
export interface WebSocketPeer {
  /** Aborted when the connection is gone, however it ended. */
  readonly signal: AbortSignal;
  /**
   * Gives the client's messages, once. Ends when the client closes or goes away. Nothing more is read
   * while the next one isn't asked for.
   */
  messages(): AsyncIterable<SocketMessage>;
  /** Sends a message; settles when the client has taken enough for the next. A no-op once it is closed. */
  send(data: Uint8Array, isText?: boolean): Promise<void>;
  /** Closes with a code of RFC 6455, section 7.4; the first one counts. */
  close(code: number, reason: string): void;
}

/** A body that is a WebSocket. Only for requests that ask for one; status and headers are not sent. */
export interface SocketBody {
  /** One of those that the client offers; `""`: none. */
  readonly protocol: string;
  open(socket: WebSocketPeer): void;
}

/** One answer. Header names in any case; Content-Length is set by listen for whole bodies. */
export interface HttpAnswer {
  status: number;
  headers: HttpHeaders;
  /** Whole bytes, buffers that are written one after the other, a stream, or a WebSocket. */
  body: Uint8Array | readonly Uint8Array[] | StreamBody | SocketBody;
  /** True for a watch and its like: no timeout applies, and a drain ends it. */
  longRunning?: boolean;
  /** True: nothing more is taken on this connection. HTTP/1.1 says so, an HTTP/2 session ends with its streams. */
  endsConnection?: boolean;
}

/** Tells a stream from whole bytes. */
export function isStreamBody(body: HttpAnswer["body"]): body is StreamBody {
  return "start" in body && typeof body.start === "function";
}

/** Gives the same request with other headers: lower-case names and values, in order. */
export function withRawHeaders(
  request: HttpRequest,
  rawHeaders: HttpRequest["rawHeaders"],
  webSocket: HttpRequest["webSocket"] = request.webSocket,
): HttpRequest {
  const { method, uri, path, query, httpVersion, remoteAddress } = request;
  const changed = {
    ...{ method, uri, path, query, httpVersion, remoteAddress, webSocket },
    header: (name: string) => rawHeaders.find(([key]) => key === name)?.[1],
    headers: (name: string) => rawHeaders.filter(([key]) => key === name).map(([, value]) => value),
    rawHeaders,
    peerCertificate: () => request.peerCertificate(),
    body: () => request.body(),
  };
  return withSignalOf(changed, request);
}

/** What has a signal, perhaps one that is made when somebody asks. */
export interface HasSignal {
  readonly signal: AbortSignal;
}

/**
 * Gives the object the signal of another, which isn't asked for it before somebody asks, or copies the object:
 * most requests need none.
 *
 * One getter serves all. With a getter of its own an object has a shape of its own, and what that costs is more
 * than a signal: it becomes a dictionary, and what it held is kept until the whole heap is collected.
 */
export function withSignalOf<T extends object>(object: T, owner: HasSignal): T & HasSignal {
  return Object.defineProperty(Object.assign(object, { [signalOwner]: owner }), "signal", signalProperty) as never;
}

const signalOwner = Symbol("signal");

const signalProperty: PropertyDescriptor & ThisType<{ readonly [signalOwner]: HasSignal }> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[signalOwner].signal;
  },
};

/** Tells a WebSocket from the other bodies. */
export function isSocketBody(body: HttpAnswer["body"]): body is SocketBody {
  return "open" in body && typeof body.open === "function";
}
