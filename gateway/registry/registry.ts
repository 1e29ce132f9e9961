/**
 * Our table of resource → store: what each store serves, and the clients to call it.
 *
 * Each store is asked for its description until it answers, and then polled: a new digest changes
 * the table without a restart. A store that goes away keeps its resources in the table: discovery
 * never depends on it, only its own verbs answer 503. Two stores that claim one resource: the first
 * keeps it, the second is refused with the reason.
 */
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { CatalogService, type DescribeResponse } from "../../gen/annex/store/v1/catalog_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import type { ResourceDefinition, ResourceTable } from "../apimachinery/resource.ts";
import { serviceUnavailable } from "../apimachinery/status.ts";
import { DefinitionFault, definitionFrom } from "./definition.ts";
import { createResourceClient } from "./resource-client.ts";
import { createResourceTable } from "./resource-table.ts";
import type { ResourceClient } from "./store-call.ts";
import { createStoreConnection, type StoreAddress, type StoreConnection } from "./transport.ts";

export type * from "./store-call.ts";
export { WriteConflict } from "./store-call.ts";
export type { StoreAddress, StoreConnection, StoreTls } from "./transport.ts";

/** One store of the configuration. */
export interface StoreConfig extends StoreAddress {
  readonly name: string;
}

/** How a store is, for logs and readiness. */
export interface StoreReport {
  readonly name: string;
  readonly state: "connecting" | "ready" | "away";
  /** Why it is not ready; `""` if it is. */
  readonly message: string;
  readonly refused: readonly { readonly resource: string; readonly reason: string }[];
}

/** The table and the clients. */
export interface Registry {
  table(): ResourceTable;
  /** Calls back with each new table; gives the function that stops it. */
  onChange(listener: (table: ResourceTable) => void): () => void;
  /** Gives the client of a resource of the present table. @throws StatusError 503 if it is no longer served. */
  client(definition: ResourceDefinition): ResourceClient;
  stores(): readonly StoreReport[];
  /** Takes a new list of stores: new ones are asked, missing ones leave the table. */
  configure(stores: readonly StoreConfig[]): void;
  close(): void;
}

/** What a registry is made with. */
export interface RegistryOptions {
  readonly stores: readonly StoreConfig[];
  /** Name and version that the gateway gives itself. */
  readonly gateway: { readonly name: string; readonly version: string };
  /** Compiles what a definition needs. Gives the reason if it can't be served. */
  readonly admit: (definition: ResourceDefinition) => Promise<string | undefined>;
  readonly log: Log;
  /** Default: connections over the network. A test gives its own. */
  readonly connect?: (store: StoreConfig) => StoreConnection;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Back-off while a store does not answer; the poll of one that does, and of one that is away. */
const minBackoffMs = 50;
const maxBackoffMs = 2_000;
const pollMs = 10_000;
const callTimeoutMs = 30_000;

interface StoreEntry {
  readonly config: StoreConfig;
  readonly connection: StoreConnection;
  readonly stop: AbortController;
  state: StoreReport["state"];
  message: string;
  definitions: readonly ResourceDefinition[];
  refused: readonly { readonly group: string; readonly plural: string; readonly reason: string }[];
  digest: string;
}

/** Creates the registry and begins to ask its stores. */
export function createRegistry(options: RegistryOptions): Registry {
  const { log } = options;
  const connect = options.connect ?? createStoreConnection;
  const entries = new Map<string, StoreEntry>();
  const clients = new WeakMap<ResourceDefinition, ResourceClient>();
  const listeners = new Set<(table: ResourceTable) => void>();
  let table = createResourceTable(0, []);

  configure(options.stores);

  function configure(stores: readonly StoreConfig[]): void {
    const wanted = new Map(stores.map((store) => [store.name, store]));
    for (const [name, entry] of entries) {
      const next = wanted.get(name);
      if (next !== undefined && JSON.stringify(next) === JSON.stringify(entry.config)) continue;
      leave(entry);
      entries.delete(name);
    }
    for (const config of stores) {
      if (entries.has(config.name)) continue;
      const entry: StoreEntry = {
        config,
        connection: connect(config),
        stop: new AbortController(),
        state: "connecting",
        message: "",
        definitions: [],
        refused: [],
        digest: "",
      };
      entries.set(config.name, entry);
      void keepDescribed(entry);
    }
    publish();
  }

  function leave(entry: StoreEntry): void {
    entry.stop.abort();
    entry.connection.close();
  }

  async function keepDescribed(entry: StoreEntry): Promise<void> {
    const catalog = createClient(CatalogService, entry.connection.transport);
    const signal = entry.stop.signal;
    let backoffMs = minBackoffMs;
    while (!signal.aborted) {
      try {
        if (entry.digest === "" || (await statusDigest(catalog, entry)) !== entry.digest)
          await describe(catalog, entry);
        if (entry.state !== "ready")
          log.info({ store: entry.config.name, resources: entry.definitions.length }, "store is ready");
        entry.state = "ready";
        entry.message = "";
        backoffMs = minBackoffMs;
        await pause(pollMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (entry.state === "ready") log.warn({ store: entry.config.name, err: error }, "store is away");
        entry.state = entry.digest === "" ? "connecting" : "away";
        entry.message = (error as Error).message;
        await pause(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      }
    }
  }

  async function statusDigest(catalog: Client<typeof CatalogService>, entry: StoreEntry): Promise<string> {
    const applied = { digest: entry.digest, refused: entry.refused.map((refusal) => ({ ...refusal })) };
    const status = await catalog.status({ applied }, { signal: entry.stop.signal, timeoutMs: callTimeoutMs });
    return status.digest;
  }

  async function describe(catalog: Client<typeof CatalogService>, entry: StoreEntry): Promise<void> {
    const gateway = { ...options.gateway, minors: [0], notBelow: 0n };
    const request = { gateway, ifNotDigest: entry.digest };
    const answer = await catalog.describe(request, { signal: entry.stop.signal, timeoutMs: callTimeoutMs });
    if (answer.notModified) return;
    await take(entry, answer);
    // The next poll tells the store what was refused.
    await statusDigest(catalog, entry).catch((error: unknown) => {
      if (!(error instanceof ConnectError) || error.code !== Code.Unimplemented) throw error;
    });
  }

  async function take(entry: StoreEntry, answer: DescribeResponse): Promise<void> {
    const store = createClient(StoreService, entry.connection.transport);
    const previous = new Map(entry.definitions.map((definition) => [JSON.stringify(plain(definition)), definition]));
    const definitions: ResourceDefinition[] = [];
    const refused: { group: string; plural: string; reason: string }[] = [];
    for (const resource of answer.resources) {
      const { group, plural } = resource;
      try {
        const definition = definitionFrom(resource);
        // A definition that did not change stays the same value: its watches and caches go on.
        const kept = previous.get(JSON.stringify(plain(definition)));
        if (kept !== undefined) {
          definitions.push(kept);
          continue;
        }
        const reason = ownerOf(entry, definition) ?? (await options.admit(definition));
        if (reason !== undefined) throw new DefinitionFault(reason);
        clients.set(definition, createResourceClient({ definition, storeName: entry.config.name, store, log }));
        definitions.push(definition);
      } catch (error) {
        if (!(error instanceof DefinitionFault)) throw error;
        refused.push({ group, plural, reason: error.message });
        log.error(
          { store: entry.config.name, resource: `${plural}.${group}`, reason: error.message },
          "resource is refused",
        );
      }
    }
    entry.definitions = definitions;
    entry.refused = refused;
    entry.digest = answer.digest;
    publish();
  }

  /** Gives why a definition can't be this store's: another one has it. */
  function ownerOf(entry: StoreEntry, wanted: ResourceDefinition): string | undefined {
    for (const other of entries.values()) {
      if (other === entry) continue;
      const isTaken = other.definitions.some(
        (definition) => definition.group === wanted.group && definition.plural === wanted.plural,
      );
      if (isTaken) return `${wanted.plural}.${wanted.group} is already served by the store "${other.config.name}"`;
    }
    return undefined;
  }

  function publish(): void {
    table = createResourceTable(
      table.generation + 1,
      [...entries.values()].flatMap((entry) => entry.definitions),
    );
    for (const listener of [...listeners]) listener(table);
  }

  return {
    table: () => table,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    client(definition) {
      const client = clients.get(definition);
      if (client === undefined) throw serviceUnavailable(`${definition.plural} is not served`, 1);
      return client;
    },
    stores: () =>
      [...entries.values()].map((entry) => ({
        name: entry.config.name,
        state: entry.state,
        message: entry.message,
        refused: entry.refused.map(({ group, plural, reason }) => ({ resource: `${plural}.${group}`, reason })),
      })),
    configure,
    close() {
      for (const entry of entries.values()) leave(entry);
      entries.clear();
    },
  };
}

/** A definition with its bigints as text, to compare. */
function plain(definition: ResourceDefinition): unknown {
  return JSON.parse(JSON.stringify(definition, (_, value) => (typeof value === "bigint" ? `${value}n` : value)));
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
