/**
 * Connect transports to a store: over a unix socket or TCP, gRPC or Connect, mutual TLS for TCP.
 *
 * An HTTP/2 connection is opened when needed and reopened after it broke. Unary calls go by session
 * where the store offers one, which is a twentieth of the work; a session has a connection of its own,
 * so that no list that is read slowly holds it up.
 * Compression is off on both sides: it doubles what a call costs, and the other end is near.
 */
import { readFileSync } from "node:fs";
import type { ClientSessionOptions, Http2Session, SecureClientSessionOptions } from "node:http2";
import { connect, isIP, type LookupFunction } from "node:net";
import type { Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { plainStreams } from "./plain-stream.ts";
import { sessionStreams } from "./session-stream.ts";
import { createSessionTransport } from "./session-transport.ts";

/** Where a store listens, and how it is spoken to. */
export interface StoreAddress {
  /** `unix:/path/of/socket` or `host:port`. */
  readonly address: string;
  /** The IP address that is dialled for the host. Undefined: Node looks it up. */
  readonly ip?: string | undefined;
  readonly protocol: "grpc" | "connect";
  /** Undefined: no TLS, which is for unix sockets and loopback. */
  readonly tls: StoreTls | undefined;
}

/** Files of a mutual TLS connection, PEM. */
export interface StoreTls {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The name that the store's certificate must carry; `""`: the address's host. */
  readonly serverName: string;
}

/** A way to call a store, until it is closed. */
export interface StoreConnection {
  readonly transport: Transport;
  /** How many sessions are open. Default: none. */
  sessions?(): number;
  /** Ends the calls that are under way, and the connection. */
  close(): void;
}

/** What a transport needs of a session manager. */
type SharedConnection = Pick<Http2SessionManager, "authority" | "request" | "notifyResponseByteRead">;

/** A message may hold an object of the largest size and a list chunk: the bound against a broken store. */
const readMaxBytes = 64 * 1024 * 1024;
/** A connection that answers no ping for this long is taken for dead. */
const pingIntervalMs = 15_000;
const pingTimeoutMs = 5_000;

/**
 * Makes a connection, which opens with the first call.
 * @throws Error naming the file, if a TLS file can't be read.
 */
export function createStoreConnection(store: StoreAddress): StoreConnection {
  // An idle connection is pinged before it is used again, and never closed: its timers would outlive `abort`.
  const pings = { pingIntervalMs, pingTimeoutMs, idleConnectionTimeoutMs: Number.POSITIVE_INFINITY };
  const [plainManager, sessionManager] = [1, 2].map(
    () => new Http2SessionManager(baseUrl(store), pings, nodeOptions(store)),
  ) as [Http2SessionManager, Http2SessionManager];
  const plainConnection = withHeardErrors(plainManager);
  const options = {
    baseUrl: baseUrl(store),
    sessionManager: plainConnection,
    useBinaryFormat: true,
    acceptCompression: [],
    readMaxBytes,
  };
  const plain =
    store.protocol === "grpc" ? createGrpcTransport(options) : createConnectTransport({ ...options, httpVersion: "2" });
  const transport = createSessionTransport({
    plain,
    open: sessionStreams(withHeardErrors(sessionManager), readMaxBytes),
    stream: plainStreams(plainConnection, readMaxBytes),
    maxMessageBytes: readMaxBytes,
  });
  return {
    transport,
    sessions: () => transport.sessions(),
    close() {
      transport.close();
      plainManager.abort();
      sessionManager.abort();
    },
  };
}

/**
 * The manager stops listening to a connection that it has given up, and may still destroy it with the
 * error of a late ping: nobody would hear that, and an error that nobody hears ends the process.
 */
function withHeardErrors(manager: Http2SessionManager): SharedConnection {
  const heard = new WeakSet<Http2Session>();
  return {
    authority: manager.authority,
    notifyResponseByteRead: (stream) => manager.notifyResponseByteRead(stream),
    async request(...asked) {
      const stream = await manager.request(...asked);
      const { session } = stream;
      if (session !== undefined && !heard.has(session)) {
        heard.add(session);
        session.on("error", () => {});
      }
      return stream;
    },
  };
}

function baseUrl(store: StoreAddress): string {
  const scheme = store.tls === undefined ? "http" : "https";
  return store.address.startsWith("unix:") ? `${scheme}://localhost` : `${scheme}://${store.address}`;
}

function nodeOptions(store: StoreAddress): ClientSessionOptions | SecureClientSessionOptions {
  if (store.address.startsWith("unix:")) {
    const path = store.address.slice("unix:".length);
    return { createConnection: () => connect(path) };
  }
  const { ip } = store;
  // The name stays what it is for TLS and for the request's authority.
  const dialled = ip === undefined ? {} : { lookup: fixedLookup(ip) };
  if (store.tls === undefined) return dialled;
  const { caFile, certFile, keyFile, serverName } = store.tls;
  return {
    ...dialled,
    ca: readFileSync(caFile),
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    minVersion: "TLSv1.2",
    ...(serverName === "" ? {} : { servername: serverName }),
  };
}

function fixedLookup(address: string): LookupFunction {
  const family = isIP(address);
  return (_host, { all }, callback) => {
    if (all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}
