/**
 * A store served in this process: the fast form of a certification. gRPC calls go through memory, what
 * is about the wire itself through a real socket.
 */
import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectRouter, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createListener } from "../../stores/sdk/listener.ts";
import { storeRoutes } from "../../stores/sdk/routes.ts";
import type { Store } from "../../stores/sdk/sdk.ts";
import type { Connection, DialOptions } from "./connection.ts";

/** One endpoint of a store: what it serves, and what stands between that and the wire. */
export interface Served {
  readonly store: Store;
  readonly interceptors?: readonly Interceptor[];
}

/** One endpoint of whatever speaks the contract: what is registered, until it is to stop. */
export interface ServedRoutes {
  routes(stopping: AbortSignal): (router: ConnectRouter) => void;
  readonly interceptors?: readonly Interceptor[];
}

/** Endpoints that are being served. */
export interface InProcess {
  readonly addresses: readonly string[];
  /** Calls through memory; undefined for another protocol than gRPC. */
  connect(address: string, options: DialOptions): Connection | undefined;
  stop(): Promise<void>;
}

const maxMessageBytes = 16 * 1024 * 1024;

/** Serves endpoints of stores, each on a socket of its own; stop() closes the stores. */
export async function serveInProcess(endpoints: readonly Served[]): Promise<InProcess> {
  const served = await serveRoutes(
    endpoints.map(({ store, interceptors = [] }) => ({
      routes: (stopping) => storeRoutes(store, { stopping, log: () => {} }),
      interceptors,
    })),
  );
  return {
    ...served,
    async stop() {
      await served.stop();
      for (const store of new Set(endpoints.map((endpoint) => endpoint.store))) await store.close?.();
    },
  };
}

/** Serves what speaks the contract, each endpoint on a socket of its own. */
export async function serveRoutes(endpoints: readonly ServedRoutes[]): Promise<InProcess> {
  const folder = mkdtempSync(join(tmpdir(), "annex-certify-"));
  const stopping = new AbortController();
  const listeners = endpoints.map(({ routes, interceptors = [] }) =>
    createListener(
      connectNodeAdapter({
        routes: routes(stopping.signal),
        acceptCompression: [],
        readMaxBytes: maxMessageBytes,
        interceptors: [...interceptors],
      }),
      undefined,
    ),
  );
  const addresses = await Promise.all(
    listeners.map(async ({ server }, index) => {
      const path = join(folder, `${index}.sock`);
      await listen(server, path);
      return `unix:${path}`;
    }),
  );
  return {
    addresses,
    connect(address, { protocol = "grpc", interceptors = [], timeoutMs = 0 }) {
      const endpoint = endpoints[addresses.indexOf(address)];
      if (protocol !== "grpc" || endpoint === undefined) return undefined;
      const transport = createRouterTransport(endpoint.routes(stopping.signal), {
        router: { interceptors: [...(endpoint.interceptors ?? [])] },
        transport: {
          interceptors: [...interceptors, afterATurn],
          ...(timeoutMs > 0 ? { defaultTimeoutMs: timeoutMs } : {}),
        },
      });
      return { transport, close: () => {} };
    },
    async stop() {
      stopping.abort();
      await Promise.all(listeners.map((listener) => listener.drain(0)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A call takes a turn of the event loop, as over a socket: or nobody's timer would ever come. */
const afterATurn: Interceptor = (next) => async (req) => {
  await new Promise<void>((resolve) => setImmediate(resolve));
  return await next(req);
};

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, resolve);
  });
}
