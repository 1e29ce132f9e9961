/**
 * The honest stores that the zoo's mutants are made of: memory as it is, with a history short enough
 * to be forgotten, memory with every capability that a store can declare, and memory with actions,
 * streams and hooks.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { Capability, Scope, SubresourceKind, Verb } from "../../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../../stores/memory/store.ts";
import {
  alreadyExists,
  type Call,
  type CreateCall,
  conflict,
  type DeleteCall,
  notFound,
  type Store,
  type StoredObject,
  type UpdateCall,
  type Written,
} from "../../../stores/sdk/sdk.ts";
import { allVerbs, contractResources, resource } from "../contract.testing.ts";

/** A store with every function that the contract's verbs need. */
export type WholeStore = Store &
  Required<Pick<Store, "get" | "list" | "watch" | "create" | "update" | "delete" | "currentRevision" | "notBelow">>;

/** Events that are kept: few, so that every run forgets some. */
export const keptEvents = 300;

/** Memory. */
export function honestStore(lacks: readonly Capability[] = []): WholeStore {
  const capabilities = memoryCapabilities.filter((capability) => !lacks.includes(capability));
  const resumeWindow = { minRevisions: BigInt(keptEvents), minAgeMs: 0n };
  return createMemoryStore(contractResources(capabilities, { resumeWindow }), 1_000n, keptEvents) as WholeStore;
}

/** Memory without a feed, of whose lists a gateway makes a watch. */
export function polledStore(): Omit<WholeStore, "watch"> {
  const polled = { verbs: allVerbs.filter((verb) => verb !== Verb.WATCH), polledWatchIntervalMs: 1_000 };
  const { watch: _, ...rest } = createMemoryStore(contractResources([], polled), 1_000n, keptEvents) as WholeStore;
  return rest;
}

const extra = [
  Capability.DRY_RUN,
  Capability.IDEMPOTENT_WRITES,
  Capability.UNCONDITIONAL_UPDATE,
  Capability.INITIAL_STATE,
];

/** Memory that can also try a write, take one twice, write without a precondition, and watch from nothing. */
export function capableStore(
  resources = contractResources([...memoryCapabilities, ...extra], {
    resumeWindow: { minRevisions: BigInt(keptEvents), minAgeMs: 0n },
  }),
): WholeStore {
  const store = createMemoryStore(resources, 1_000n, keptEvents) as WholeStore;
  const answers = new Map<string, Promise<Written | StoredObject>>();

  /** The answer to a request that was answered before, or that of now. */
  function once<T extends Written | StoredObject>(requestId: string, write: () => Promise<T>): Promise<T> {
    if (requestId === "") return write();
    const known = answers.get(requestId) as Promise<T> | undefined;
    const answer = known ?? write();
    answers.set(requestId, answer);
    return answer;
  }

  async function present(call: UpdateCall | DeleteCall): Promise<StoredObject> {
    const found = await store.get({ ...call, atRevision: undefined });
    if (found === undefined) throw notFound();
    const { revision, uid } = call.preconditions;
    if (revision !== undefined && revision !== found.revision) throw conflict(found);
    if (uid !== undefined && uid !== found.uid) throw conflict(found);
    return found;
  }

  return {
    ...store,
    async create(call: CreateCall) {
      if (!call.dryRun) return await once(call.requestId, () => store.create(call));
      if ((await store.get({ ...call, atRevision: undefined })) !== undefined) throw alreadyExists();
      return { revision: (await store.currentRevision(call)).revision };
    },
    async update(call) {
      if (!call.dryRun) return await once(call.requestId, () => store.update(call));
      return { revision: (await present(call)).revision };
    },
    async delete(call) {
      if (!call.dryRun) return await once(call.requestId, () => store.delete(call));
      return await present(call);
    },
  };
}

const hooks = [Capability.HOOK_MUTATE, Capability.HOOK_VALIDATE, Capability.HOOK_CONVERT, Capability.HOOK_TABULATE];

/** An active store's functions beside those of one that keeps objects. */
export type ActiveStore = WholeStore &
  Required<Pick<Store, "invoke" | "stream" | "mutate" | "validate" | "convert" | "tabulate">>;

/**
 * Memory with a kind in two versions that has all four hooks, a subresource that is called, one that
 * streams its input back, and with an imperative kind.
 */
export function activeStore(): ActiveStore {
  const { group } = resource;
  const schemaJson = Buffer.from('{"type":"object","x-kubernetes-preserve-unknown-fields":true}');
  const columns = [{ name: "Payload", type: "string", jsonPath: ".metadata.uid" }];
  const version = { served: true, schemaJson };
  const things = {
    ...{ group, plural: "things", kind: "Thing", scope: Scope.NAMESPACED, storageVersion: "v1", verbs: allVerbs },
    versions: [
      { ...version, name: "v1", columns },
      { ...version, name: "v2" },
    ],
    capabilities: [...memoryCapabilities, Capability.DRY_RUN, ...hooks],
    subresources: [
      { name: "poke", kind: SubresourceKind.UNARY, httpMethods: ["POST", "GET"] },
      { name: "echo", kind: SubresourceKind.STREAM, httpMethods: ["GET"] },
    ],
  };
  const tickets = {
    ...{ group, plural: "tickets", kind: "Ticket", scope: Scope.NAMESPACED, storageVersion: "v1" },
    ...{ versions: [{ ...version, name: "v1" }], verbs: [Verb.CREATE], capabilities: [] },
  };
  const { get, list, watch, create, update, delete: remove, ...rest } = capableStore([things, tickets]);
  /** Keeps no ticket. */
  const kept =
    <C extends Call, T>(handle: (call: C) => T) =>
    (call: C): T => {
      if (call.resource.plural === "tickets") throw new ConnectError("a ticket is not kept", Code.Unimplemented);
      return handle(call);
    };
  return {
    ...rest,
    get: kept(get),
    list: kept(list),
    watch: kept(watch),
    create: kept(create),
    update: kept(update),
    delete: kept(remove),
    async invoke({ key, subresource, httpMethod, body }) {
      if (subresource === "") return { body };
      return { body: Buffer.from(JSON.stringify({ poked: key.name, by: httpMethod })) };
    },
    async stream({ input }) {
      async function* echo() {
        for await (const one of input) {
          if ("data" in one) yield { channel: 1, data: one.data };
          if ("end" in one) return 0;
        }
        return 0;
      }
      return { output: echo() };
    },
    async mutate({ json }) {
      const object = JSON.parse(Buffer.from(json).toString());
      return { json: Buffer.from(JSON.stringify({ ...object, touched: true })) };
    },
    async validate({ json }) {
      const isRefused = Buffer.from(json).includes("forbidden");
      return isRefused ? { causes: [{ reason: "FieldValueInvalid", message: "forbidden", field: "spec" }] } : {};
    },
    async convert({ group: to, targetVersion, objects }) {
      return objects.map((json) => {
        const object = JSON.parse(Buffer.from(json).toString());
        return Buffer.from(JSON.stringify({ ...object, apiVersion: `${to}/${targetVersion}` }));
      });
    },
    async tabulate({ objects }) {
      return objects.map(({ name }) => [`cell of ${name}`]);
    },
  };
}
