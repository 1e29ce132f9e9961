/** Dials a store: over gRPC, or the Connect protocol with protobuf or JSON; unix socket or TCP. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

/** How a store is spoken to. gRPC with binary protobuf is what each must speak. */
export type Protocol = "grpc" | "connect" | "connect+json";

/** PEM files of a mutual TLS connection. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** One HTTP/2 connection, opened with its first call. */
export interface Connection {
  readonly transport: Transport;
  close(): void;
}

/** How to dial. */
export interface DialOptions {
  readonly protocol?: Protocol;
  readonly tls?: TlsFiles | undefined;
  readonly interceptors?: readonly Interceptor[];
  /** For each call that says none itself. 0: none. */
  readonly timeoutMs?: number;
}

/** Above what any store declares: a list chunk with an object of the largest size. */
const readMaxBytes = 64 * 1024 * 1024;
/** Megabytes that a session may queue: node's own bound of 10 would end our calls, not the store's. */
const maxSessionMemory = 1_000;

/** Dials `unix:PATH` or `HOST:PORT`. */
export function dial(address: string, options: DialOptions = {}): Connection {
  const { protocol = "grpc", tls, interceptors = [], timeoutMs = 0 } = options;
  const isUnix = address.startsWith("unix:");
  const scheme = tls === undefined ? "http" : "https";
  const baseUrl = isUnix ? `${scheme}://localhost` : `${scheme}://${address}`;
  const nodeOptions = {
    maxSessionMemory,
    ...(isUnix ? { createConnection: () => connect(address.slice("unix:".length)) } : {}),
    ...(tls === undefined
      ? {}
      : { ca: readFileSync(tls.caFile), cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }),
  };
  const sessionManager = new Http2SessionManager(
    baseUrl,
    { idleConnectionTimeoutMs: Number.POSITIVE_INFINITY },
    nodeOptions,
  );
  const common = {
    baseUrl,
    sessionManager,
    acceptCompression: [],
    readMaxBytes,
    interceptors: [...interceptors],
    ...(timeoutMs > 0 ? { defaultTimeoutMs: timeoutMs } : {}),
  };
  const transport =
    protocol === "grpc"
      ? createGrpcTransport({ ...common, useBinaryFormat: true })
      : createConnectTransport({ ...common, httpVersion: "2", useBinaryFormat: protocol === "connect" });
  return { transport, close: () => sessionManager.abort() };
}
