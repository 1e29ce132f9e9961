/**
 * Serves a store: one port for gRPC and Connect, health, reflection, and a drain on a signal.
 *
 * The address is the first line of stdout, so that whoever starts the process can read it.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { storeRoutes } from "./routes.ts";
import type { Store } from "./store.ts";

/** Where and how to listen. */
export interface ServeOptions {
  /** `unix:PATH` or `HOST:PORT`; undefined: a fresh unix socket. Port 0 takes a free one. */
  readonly listen?: string | undefined;
  /** Mutual TLS, PEM files; for TCP. Undefined: none. */
  readonly tls?: { readonly caFile: string; readonly certFile: string; readonly keyFile: string } | undefined;
  readonly log: (fields: object, message: string) => void;
}

/** A store that is being served. */
export interface ServedStore {
  /** `unix:PATH` or `HOST:PORT` as it is. */
  readonly address: string;
  /** Lets calls in flight finish, ends watches, closes the store. */
  stop(): Promise<void>;
}

/** How long calls in flight may take once the process is to stop. */
const drainMs = 5_000;
/** Largest request: an object of the largest size and room for its message. */
const readMaxBytes = 16 * 1024 * 1024;

/**
 * Serves a store until it is stopped.
 * @throws Error if the address can't be listened on.
 */
export async function serveStore(store: Store, options: ServeOptions): Promise<ServedStore> {
  const state = { isStopping: false, log: options.log };
  const shutdown = new AbortController();
  const handler = connectNodeAdapter({
    routes: storeRoutes(store, state),
    acceptCompression: [],
    readMaxBytes,
    shutdownSignal: shutdown.signal,
  });
  const server = createHttp2(options, handler);
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
  });
  const place = placeOf(options.listen);
  if (place.path !== undefined) await removeStaleSocket(place.path);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(place.path === undefined ? { host: place.host, port: place.port } : { path: place.path }, resolve);
  });
  const bound = server.address();
  const address =
    typeof bound === "object" && bound !== null ? `${place.host}:${bound.port}` : `unix:${place.path ?? ""}`;
  return {
    address,
    async stop() {
      state.isStopping = true;
      shutdown.abort(new Error("the store stops"));
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          for (const session of sessions) session.destroy();
        }, drainMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        for (const session of sessions) session.close();
      });
      await store.close?.();
      if (place.temporary !== undefined) rmSync(place.temporary, { recursive: true, force: true });
    },
  };
}

/**
 * Serves a store as a process does: prints the address, stops on SIGTERM and SIGINT.
 *
 * @returns the exit code: 0 after a clean stop, 1 if it can't listen.
 */
export async function runStore(store: Store, options: ServeOptions): Promise<number> {
  let served: ServedStore;
  try {
    served = await serveStore(store, options);
  } catch (error) {
    process.stderr.write(`cannot listen on ${options.listen ?? "a fresh socket"}: ${(error as Error).message}\n`);
    await store.close?.();
    return 1;
  }
  process.stdout.write(`${served.address}\n`);
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
  });
  await served.stop();
  return 0;
}

function createHttp2(options: ServeOptions, handler: ReturnType<typeof connectNodeAdapter>): Http2Server {
  if (options.tls === undefined) return createServer(handler);
  const { caFile, certFile, keyFile } = options.tls;
  return createSecureServer(
    {
      ca: readFileSync(caFile),
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
    },
    handler,
  ) as unknown as Http2Server;
}

interface Place {
  readonly path: string | undefined;
  readonly host: string;
  readonly port: number;
  /** A folder that was made for the socket and goes with it. */
  readonly temporary: string | undefined;
}

function placeOf(listen: string | undefined): Place {
  if (listen === undefined) {
    const folder = mkdtempSync(join(tmpdir(), "annex-store-"));
    return { path: join(folder, "store.sock"), host: "", port: 0, temporary: folder };
  }
  if (listen.startsWith("unix:"))
    return { path: listen.slice("unix:".length), host: "", port: 0, temporary: undefined };
  const at = listen.lastIndexOf(":");
  const port = Number(listen.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`"${listen}" is neither unix:PATH nor HOST:PORT`);
  }
  return { path: undefined, host: listen.slice(0, at), port, temporary: undefined };
}

/** A socket file whose process is gone only stands in the way; one that answers is somebody's. */
async function removeStaleSocket(path: string): Promise<void> {
  const isLive = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
  if (isLive) throw new Error("another process listens there");
  rmSync(path, { force: true });
}
