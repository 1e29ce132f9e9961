/**
 * Our table of resource → store: what each store serves, and the clients to call it.
 *
 * Each store is asked for its description until it answers, and then followed (endpoints.ts): a new one
 * changes the table without a restart. A store that goes away keeps its resources in the table: discovery
 * never depends on it, only its own verbs answer 503. Of two stores that claim one resource the first of the
 * configuration has it, whichever was heard first, so that every worker and replica decides alike; the other is
 * refused with the reason, and has it while the first doesn't claim it.
 */
import { equals } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import {
  type DescribeResponse,
  type Resource,
  ResourceSchema,
  RevisionScope,
} from "../../gen/annex/store/v1/catalog_pb.js";
import { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import type { ResourceDefinition, ResourceTable } from "../apimachinery/resource.ts";
import { serviceUnavailable } from "../apimachinery/status.ts";
import { contextOpener } from "./context.ts";
import { convertingClient } from "./converting-client.ts";
import { DefinitionFault, definitionFrom } from "./definition.ts";
import type { Refusal } from "./endpoint.ts";
import { createEndpoints, type Endpoints } from "./endpoints.ts";
import type { HostTickets } from "./host-tickets.ts";
import { type DescriptionShelf, keepDescriptionsOn } from "./kept-descriptions.ts";
import type { Lookup } from "./lookup.ts";
import type { ObserveCall } from "./observed-transport.ts";
import { createResourceClient } from "./resource-client.ts";
import { createResourceTable } from "./resource-table.ts";
import type { ResourceClient } from "./store-call.ts";
import { createStoreConnection, type StoreAddress, type StoreConnection } from "./transport.ts";

export { uidIn } from "./context.ts";
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
export { type DescriptionShelf, descriptionFolder } from "./kept-descriptions.ts";
export type { ObserveCall, StoreCallOutcome } from "./observed-transport.ts";
export type * from "./store-call.ts";
export { WriteConflict } from "./store-call.ts";
export type { StoreAddress, StoreConnection, StoreTls } from "./transport.ts";

/** One store of the configuration. */
export interface StoreConfig extends Omit<StoreAddress, "address" | "ip"> {
  readonly name: string;
  /** Of its endpoints, which are replicas of each other; a name stands for each of its IP addresses. */
  readonly addresses: readonly string[];
  /** Whether a resource of which it lied is served no longer. */
  readonly quarantine: boolean;
}

/** How a store is, for logs and readiness. */
export interface StoreReport {
  readonly name: string;
  readonly state: "connecting" | "ready" | "away";
  /** Why it is not ready; `""` if it is. */
  readonly message: string;
  /** Sessions with it that are open. */
  readonly sessions: number;
  readonly endpoints: { readonly ready: number; readonly all: number };
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
  /** Gives the name of the store that described a resource. */
  storeOf(definition: ResourceDefinition): string;
  /** Whether a lie of its store puts a resource in quarantine. */
  quarantines(definition: ResourceDefinition): boolean;
  /** Takes a new list of stores: new ones are asked, missing ones leave the table, addresses change in place. */
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
  readonly descriptions?: DescriptionShelf | undefined;
  /** By which stores call back. Default: they can't. */
  readonly tickets?: HostTickets;
  /** Is told of each call to a store. */
  readonly observe?: ObserveCall;
  /** Default: connections over the network. A test gives its own. */
  readonly connect?: (address: StoreAddress) => StoreConnection;
  /** Default: the operating system's. */
  readonly lookup?: Lookup;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

interface StoreEntry {
  config: StoreConfig;
  readonly endpoints: Endpoints;
  /** As the log has it. */
  wasReady: boolean;
  isLeft: boolean;
  /** The highest revision that it has told: one that begins anew must begin above it. */
  shown: bigint;
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
  const kept = options.descriptions && keepDescriptionsOn(options.descriptions, log);
  /** In the order of the configuration. */
  const entries = new Map<string, StoreEntry>();
  const clients = new WeakMap<ResourceDefinition, ResourceClient>();
  /** What each definition was read from. */
  const sources = new WeakMap<ResourceDefinition, Resource>();
  const storeNames = new WeakMap<ResourceDefinition, string>();
  const listeners = new Set<(table: ResourceTable) => void>();
  let table = createResourceTable(0, []);

  let taking = Promise.resolve();

  configure(options.stores);
  const described = Promise.all([...entries.values()].map((entry) => entry.described.promise)).then(() => {});

  function configure(stores: readonly StoreConfig[]): void {
    const wanted = new Map(stores.map((store) => [store.name, store]));
    for (const [name, entry] of entries) {
      const next = wanted.get(name);
      if (next !== undefined && isReachedAlike(next, entry.config)) {
        entry.config = next;
        entry.endpoints.configure(next.addresses);
        continue;
      }
      leave(entry);
      entries.delete(name);
    }
    for (const config of stores) {
      if (entries.has(config.name)) continue;
      const entry = enter(config);
      entries.set(config.name, entry);
      const last = kept?.read(config.name);
      if (last !== undefined) void inTurn(async () => await judge(entry, last));
    }
    for (const { name } of stores) {
      const entry = entries.get(name) as StoreEntry;
      entries.delete(name);
      entries.set(name, entry);
    }
    publish();
    void inTurn(async () => await offerAgain(undefined));
  }

  function enter(config: StoreConfig): StoreEntry {
    const { name, addresses, protocol, tls } = config;
    const entry: StoreEntry = {
      config,
      endpoints: createEndpoints({
        store: name,
        addresses,
        how: { protocol, tls },
        connect,
        gateway: options.gateway,
        observe: options.observe,
        lookup: options.lookup,
        log,
        shown: () => (entry.description?.revisionScope === RevisionScope.STORE ? entry.shown : 0n),
        refused: () => entry.refused,
        onDescription: async (description) => await take(entry, description),
        onChange: () => noteState(entry),
      }),
      wasReady: false,
      isLeft: false,
      shown: 0n,
      definitions: [],
      refused: [],
      description: undefined,
      described: Promise.withResolvers(),
      isWaiting: false,
    };
    return entry;
  }

  function noteState(entry: StoreEntry): void {
    const isReady = entry.endpoints.isReady();
    if (isReady === entry.wasReady || entry.isLeft) return;
    entry.wasReady = isReady;
    const about = { store: entry.config.name };
    if (isReady) log.info({ ...about, resources: entry.definitions.length }, "store is ready");
    else log.warn({ ...about, reason: entry.endpoints.message() }, "store is away");
  }

  function leave(entry: StoreEntry): void {
    entry.isLeft = true;
    entry.described.resolve();
    entry.endpoints.close();
  }

  async function take(entry: StoreEntry, description: DescribeResponse): Promise<void> {
    if (description.digest === entry.description?.digest) return;
    await inTurn(async () => {
      await judge(entry, description);
      await offerAgain(entry);
    });
    await kept?.write(entry.config.name, description);
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
      void entry.endpoints.tell();
    }
  }

  async function judge(entry: StoreEntry, description: DescribeResponse): Promise<void> {
    const { transport } = entry.endpoints;
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
        const taken = ownerOf(entry, resource);
        if (kept !== undefined && taken === undefined) {
          definitions.push(kept);
          continue;
        }
        const definition = await definitionFrom(resource);
        isWaiting ||= taken !== undefined;
        const reason = taken ?? (await options.admit(definition));
        if (reason !== undefined) throw new DefinitionFault(reason);
        sources.set(definition, resource);
        storeNames.set(definition, entry.config.name);
        const client = createResourceClient({
          definition,
          storeName: entry.config.name,
          store,
          actions,
          hooks,
          opener: contextOpener(entry.config.name, options.tickets),
          onRevision(revision) {
            if (revision > entry.shown) entry.shown = revision;
          },
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
    if (entry.isLeft) return;
    Object.assign(entry, { definitions, refused, description, isWaiting });
    takeFromLater(entry);
    publish();
    entry.described.resolve();
  }

  /** Gives why a resource can't be this store's: an earlier one has it. */
  function ownerOf(entry: StoreEntry, wanted: Claim): string | undefined {
    for (const other of entries.values()) {
      if (other === entry) return undefined;
      if (other.definitions.some((definition) => isSameClaim(definition, wanted)))
        return `${wanted.plural}.${wanted.group} is already served by the store "${other.config.name}"`;
    }
    return undefined;
  }

  /** Takes what a store claims from those after it, which were heard earlier; they are judged again. */
  function takeFromLater(entry: StoreEntry): void {
    const all = [...entries.values()];
    for (const later of all.slice(all.indexOf(entry) + 1)) {
      const left = later.definitions.filter((one) => !entry.definitions.some((mine) => isSameClaim(mine, one)));
      if (left.length < later.definitions.length) Object.assign(later, { definitions: left, isWaiting: true });
    }
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
      [...entries.values()].map(({ config, endpoints, description, refused }) => {
        const isReady = endpoints.isReady();
        const { sessions, ready, all } = endpoints.figures();
        return {
          name: config.name,
          state: isReady ? "ready" : description === undefined ? "connecting" : "away",
          message: isReady ? "" : endpoints.message(),
          sessions,
          endpoints: { ready, all },
          refused: refused.map(({ group, plural, reason }) => ({ resource: `${plural}.${group}`, reason })),
        };
      }),
    described,
    storeOf: (definition) => storeNames.get(definition) ?? "",
    quarantines: (definition) => entries.get(storeNames.get(definition) ?? "")?.config.quarantine ?? false,
    configure,
    close() {
      for (const entry of entries.values()) leave(entry);
      entries.clear();
    },
  };
}

/** What two stores can't both serve. */
type Claim = Pick<ResourceDefinition, "group" | "plural">;

const isSameClaim = (one: Claim, other: Claim) => one.group === other.group && one.plural === other.plural;

/** Whether the connections to a store can stay: only its addresses differ, or what is thought of lies. */
function isReachedAlike(one: StoreConfig, other: StoreConfig): boolean {
  const rest = ({ addresses: _, quarantine: __, ...how }: StoreConfig) => JSON.stringify(how);
  return rest(one) === rest(other);
}
