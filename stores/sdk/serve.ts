/**
 * Serves a store: one port for gRPC and Connect, health, reflection, and a drain on a signal.
 *
 * The address is the first line of stdout, so that whoever starts the process can read it.
 */
import { rmSync } from "node:fs";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { formatAddress, freshSocket, type Place, parseAddress, removeStaleSocket } from "./address.ts";
import { maxMessageBytes } from "./catalog-routes.ts";
import { type ListenOptions, listenUsage, parseListenOptions } from "./command-line.ts";
import { logLine } from "./define.ts";
import { createListener, type TlsFiles } from "./listener.ts";
import { streamHandler } from "./plain-stream.ts";
import { storeServices } from "./routes.ts";
import { sessionHandler } from "./session-stream.ts";
import type { Store } from "./store.ts";

/** Where and how to listen. */
export interface ServeOptions {
  /** `unix:PATH` or `HOST:PORT`; undefined: a fresh unix socket. Port 0 takes a free one. */
  readonly listen?: string | undefined;
  /** Mutual TLS; for TCP. Undefined: none. */
  readonly tls?: TlsFiles | undefined;
  /** After which a session is replaced by another. Default: five minutes. */
  readonly sessionMaxAgeMs?: number | undefined;
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

/**
 * Serves a store until it is stopped.
 * @throws Error if the address can't be listened on.
 */
export async function serveStore(store: Store, options: ServeOptions): Promise<ServedStore> {
  const stopping = new AbortController();
  const state = { stopping: stopping.signal, log: options.log };
  const { routes, sessions, streams } = storeServices(store, state, options.sessionMaxAgeMs);
  const handler = connectNodeAdapter({ routes, acceptCompression: [], readMaxBytes: maxMessageBytes });
  const listener = createListener(sessionHandler(sessions, streamHandler(streams, handler)), options.tls);
  const place = options.listen === undefined ? freshSocket() : parseAddress(options.listen);
  if ("path" in place) await removeStaleSocket(place.path);
  await listenAt(listener.server, place);
  listener.server.on("error", (error) => options.log({ err: error.message }, "the listener failed"));
  const bound = listener.server.address();
  return {
    address: formatAddress(place, typeof bound === "object" && bound !== null ? bound.port : 0),
    async stop() {
      stopping.abort();
      await listener.drain(drainMs);
      await store.close?.();
      if ("path" in place && place.temporary !== undefined) rmSync(place.temporary, { recursive: true, force: true });
    },
  };
}

async function listenAt(server: ReturnType<typeof createListener>["server"], place: Place): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen("path" in place ? { path: place.path } : { host: place.host, port: place.port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/**
 * Serves a store as a process does: prints the address, stops on SIGTERM and SIGINT.
 *
 * @param options default: what the command line says, and a log of JSON lines on stderr.
 * @returns the exit code: 0 after a clean stop, 1 if it can't listen, or if the store failed, 2 if the
 *   command line is off.
 */
export async function runStore(store: Store, options?: ServeOptions): Promise<number> {
  if (options !== undefined) return await run(store, options);
  let listen: ListenOptions;
  try {
    listen = parseListenOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\nOptions:\n${listenUsage}`);
    await store.close?.();
    return 2;
  }
  return await run(store, { ...listen, log: logLine });
}

async function run(store: Store, options: ServeOptions): Promise<number> {
  // Before the address is out: whoever reads it may stop us at once.
  const signalled = new Promise<undefined>((resolve) => {
    process.once("SIGTERM", () => resolve(undefined));
    process.once("SIGINT", () => resolve(undefined));
  });
  let served: ServedStore;
  try {
    served = await serveStore(store, options);
  } catch (error) {
    process.stderr.write(`cannot listen on ${options.listen ?? "a fresh socket"}: ${(error as Error).message}\n`);
    await store.close?.();
    return 1;
  }
  process.stdout.write(`${served.address}\n`);
  const failure = await (store.failed === undefined ? signalled : Promise.race([signalled, store.failed]));
  if (failure !== undefined) process.stderr.write(`the store can't go on: ${failure.message}\n`);
  await served.stop();
  return failure === undefined ? 0 : 1;
}
