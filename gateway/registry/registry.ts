/**
 * Our table of resource → store: what each store serves, and the clients to call it.
 *
 * Each store is asked for its description until it answers, and then followed: by its stream of
 * descriptions, or by polling where it has none. A new digest changes the table without a restart. A
 * store that goes away keeps its resources in the table: discovery never depends on it, only its own
 * verbs answer 503. Two stores that claim one resource: the first keeps it, the second is refused
 * with the reason, and has it once the first lets go.
 */
import { equals } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import {
  CatalogService,
  type DescribeResponse,
  type Resource,
  ResourceSchema,
} from "../../gen/annex/store/v1/catalog_pb.js";
import { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import type { ResourceDefinition, ResourceTable } from "../apimachinery/resource.ts";
import { serviceUnavailable } from "../apimachinery/status.ts";
import { type Breaker, createBreaker } from "./breaker.ts";
import { contextOpener } from "./context.ts";
import { convertingClient } from "./converting-client.ts";
import { DefinitionFault, definitionFrom } from "./definition.ts";
import type { HostTickets } from "./host-tickets.ts";
import { keepDescriptionsIn } from "./kept-descriptions.ts";
import { type ObserveCall, observedTransport } from "./observed-transport.ts";
import { createResourceClient } from "./resource-client.ts";
import { createResourceTable } from "./resource-table.ts";
import type { ResourceClient } from "./store-call.ts";
import { createStoreConnection, type StoreAddress, type StoreConnection } from "./transport.ts";

export {
  type HostAuthorize,
  type HostQuestion,
  type HostRecord,
  type KeepRecord,
  type ListeningHost,
  type RecordedEvent,
  serveHost,
} from "./host-service.ts";
export { type CallObject, createHostTickets, type HostTickets } from "./host-tickets.ts";
export type { ObserveCall, StoreCallOutcome } from "./observed-transport.ts";
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
  /** Sessions with it that are open. */
  readonly sessions: number;
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
  /** Resolves when each store of the first list has said what it serves, or left the list. */
  readonly described: Promise<void>;
  /** Gives the name of the store that serves a resource; `""` if none does now. */
  storeOf(definition: ResourceDefinition): string;
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
  /** See ResourceTable. */
  readonly versionOrder?: ResourceTable["versionOrder"] | undefined;
  /** Where the last description of each store is kept. Default: nowhere. */
  readonly descriptionFolder?: string | undefined;
  /** By which stores call back. Default: they can't. */
  readonly tickets?: HostTickets;
  /** Is told of each call to a store. */
  readonly observe?: ObserveCall;
  /** Default: connections over the network. A test gives its own. */
  readonly connect?: (store: StoreConfig) => StoreConnection;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Back-off while a store does not answer. */
const minBackoffMs = 50;
const maxBackoffMs = 2_000;
/** The poll of a store that doesn't tell by itself: a new kind is to be seen in seconds, and Status is cheap. */
const pollMs = 2_000;
const callTimeoutMs = 30_000;

interface Refusal {
  readonly group: string;
  readonly plural: string;
  readonly reason: string;
}

interface StoreEntry {
  readonly config: StoreConfig;
  readonly connection: StoreConnection;
  readonly catalog: Client<typeof CatalogService>;
  /** What stands between the verbs and the connection. */
  readonly breaker: Breaker;
  readonly stop: AbortController;
  state: StoreReport["state"];
  message: string;
  definitions: readonly ResourceDefinition[];
  refused: readonly Refusal[];
  /** What was taken last; undefined: nothing yet. */
  description: DescribeResponse | undefined;
  /** Settled once something was taken, or nothing more will be. */
  readonly described: PromiseWithResolvers<void>;
  /** Whether something is refused because another store has it. */
  isWaiting: boolean;
}

/** Creates the registry and begins to ask its stores. */
export function createRegistry(options: RegistryOptions): Registry {
  const { log } = options;
  const connect = options.connect ?? createStoreConnection;
  const { descriptionFolder } = options;
  const kept = descriptionFolder === undefined ? undefined : keepDescriptionsIn(descriptionFolder, log);
  const entries = new Map<string, StoreEntry>();
  const clients = new WeakMap<ResourceDefinition, ResourceClient>();
  /** What each definition was read from. */
  const sources = new WeakMap<ResourceDefinition, Resource>();
  const listeners = new Set<(table: ResourceTable) => void>();
  let table = createResourceTable(0, []);

  let taking = Promise.resolve();

  configure(options.stores);
  const described = Promise.all([...entries.values()].map((entry) => entry.described.promise)).then(() => {});

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
      const opened = connect(config);
      const { observe } = options;
      const transport = observe ? observedTransport(opened.transport, config.name, observe) : opened.transport;
      const connection = { ...opened, transport };
      const catalog = createClient(CatalogService, transport);
      const entry: StoreEntry = {
        config,
        connection,
        catalog,
        breaker: createBreaker({
          transport: connection.transport,
          async probe(timeoutMs) {
            const request = { gateway: gatewayInfo(), ifNotDigest: entry.description?.digest ?? "" };
            await catalog.describe(request, { timeoutMs });
          },
          log: {
            info: (message) => log.info({ store: config.name }, message),
            warn: (message) => log.warn({ store: config.name }, message),
          },
        }),
        stop: new AbortController(),
        state: "connecting",
        message: "",
        definitions: [],
        refused: [],
        description: undefined,
        described: Promise.withResolvers(),
        isWaiting: false,
      };
      entries.set(config.name, entry);
      const last = kept?.read(config.name);
      if (last !== undefined) void inTurn(async () => await judge(entry, last));
      void keepDescribed(entry);
    }
    publish();
    void inTurn(async () => await offerAgain(undefined));
  }

  function leave(entry: StoreEntry): void {
    entry.described.resolve();
    entry.stop.abort();
    entry.breaker.close();
    entry.connection.close();
  }

  async function keepDescribed(entry: StoreEntry): Promise<void> {
    const { signal } = entry.stop;
    let backoffMs = minBackoffMs;
    while (!signal.aborted) {
      try {
        await describe(entry);
        if (entry.state !== "ready")
          log.info({ store: entry.config.name, resources: entry.definitions.length }, "store is ready");
        entry.state = "ready";
        entry.message = "";
        backoffMs = minBackoffMs;
        await follow(entry);
      } catch (error) {
        if (signal.aborted) return;
        if (entry.state === "ready") log.warn({ store: entry.config.name, err: error }, "store is away");
        entry.state = entry.description === undefined ? "connecting" : "away";
        entry.message = (error as Error).message;
        await pause(backoffMs, signal);
        backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
      }
    }
  }

  function gatewayInfo() {
    return { ...options.gateway, minors: [0], notBelow: 0n };
  }

  async function describe(entry: StoreEntry): Promise<void> {
    const request = { gateway: gatewayInfo(), ifNotDigest: entry.description?.digest ?? "" };
    const answer = await entry.catalog.describe(request, { signal: entry.stop.signal, timeoutMs: callTimeoutMs });
    if (answer.notModified) await tell(entry);
    else await take(entry, answer);
  }

  /** Takes each new description until the store goes away. @throws Error when it does. */
  async function follow(entry: StoreEntry): Promise<void> {
    const { catalog, stop } = entry;
    try {
      const stream = catalog.watchDescription({ gateway: gatewayInfo() }, { signal: stop.signal, timeoutMs: 0 });
      for await (const { description } of stream) if (description !== undefined) await take(entry, description);
    } catch (error) {
      if (!isUnimplemented(error)) throw error;
      return await poll(entry);
    }
    throw new Error("the store ended the stream of its descriptions");
  }

  async function poll(entry: StoreEntry): Promise<void> {
    for (;;) {
      await pause(pollMs, entry.stop.signal);
      if (entry.stop.signal.aborted) return;
      if ((await tell(entry)) !== entry.description?.digest) await describe(entry);
    }
  }

  /** Tells the store what is refused. Gives the digest of its description now; undefined: it doesn't say. */
  async function tell(entry: StoreEntry): Promise<string | undefined> {
    const { catalog, description, refused, stop } = entry;
    const applied = { digest: description?.digest ?? "", refused: refused.map((refusal) => ({ ...refusal })) };
    try {
      return (await catalog.status({ applied }, { signal: stop.signal, timeoutMs: callTimeoutMs })).digest;
    } catch (error) {
      if (!isUnimplemented(error)) throw error;
      return undefined;
    }
  }

  async function take(entry: StoreEntry, description: DescribeResponse): Promise<void> {
    if (description.digest === entry.description?.digest) return;
    await inTurn(async () => {
      await judge(entry, description);
      await offerAgain(entry);
    });
    await kept?.write(entry.config.name, description);
    await tell(entry);
  }

  /** One description at a time: two stores must not both find a resource free. */
  async function inTurn(work: () => Promise<void>): Promise<void> {
    const mine = taking.then(work);
    taking = mine.catch(() => {});
    await mine;
  }

  /** Gives what a store let go of to those that wait for it. */
  async function offerAgain(changed: StoreEntry | undefined): Promise<void> {
    for (const entry of [...entries.values()]) {
      if (entry === changed || !entry.isWaiting || entry.description === undefined) continue;
      await judge(entry, entry.description);
      await tell(entry).catch((error: unknown) => {
        log.warn({ store: entry.config.name, err: error }, "the store can't be told what is refused");
      });
    }
  }

  async function judge(entry: StoreEntry, description: DescribeResponse): Promise<void> {
    const { transport } = entry.breaker;
    const store = createClient(StoreService, transport);
    const actions = createClient(ActionService, transport);
    const hooks = createClient(HookService, transport);
    const definitions: ResourceDefinition[] = [];
    const refused: Refusal[] = [];
    let isWaiting = false;
    for (const resource of description.resources) {
      const { group, plural } = resource;
      try {
        // A definition that did not change stays the same value: its watches and caches go on.
        const kept = entry.definitions.find((one) => equals(ResourceSchema, sources.get(one) as Resource, resource));
        if (kept !== undefined) {
          definitions.push(kept);
          continue;
        }
        const definition = await definitionFrom(resource);
        const taken = ownerOf(entry, definition);
        isWaiting ||= taken !== undefined;
        const reason = taken ?? (await options.admit(definition));
        if (reason !== undefined) throw new DefinitionFault(reason);
        sources.set(definition, resource);
        const client = createResourceClient({
          definition,
          storeName: entry.config.name,
          store,
          actions,
          hooks,
          opener: contextOpener(entry.config.name, options.tickets),
          log,
        });
        clients.set(definition, convertingClient(client, definition));
        definitions.push(definition);
      } catch (error) {
        if (!(error instanceof DefinitionFault)) throw error;
        refused.push({ group, plural, reason: error.message });
        const isKnown = entry.refused.some(
          (one) => one.group === group && one.plural === plural && one.reason === error.message,
        );
        if (isKnown) continue;
        log.error(
          { store: entry.config.name, resource: `${plural}.${group}`, reason: error.message },
          "resource is refused",
        );
      }
    }
    if (entry.stop.signal.aborted) return;
    Object.assign(entry, { definitions, refused, description, isWaiting });
    publish();
    entry.described.resolve();
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
      options.versionOrder,
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
        state: entry.breaker.isRefusing() ? "away" : entry.state,
        message: entry.breaker.isRefusing() ? "the store does not answer" : entry.message,
        sessions: entry.connection.sessions?.() ?? 0,
        refused: entry.refused.map(({ group, plural, reason }) => ({ resource: `${plural}.${group}`, reason })),
      })),
    described,
    storeOf: (definition) =>
      [...entries.values()].find((entry) => entry.definitions.includes(definition))?.config.name ?? "",
    configure,
    close() {
      for (const entry of entries.values()) leave(entry);
      entries.clear();
    },
  };
}

function isUnimplemented(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unimplemented;
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
