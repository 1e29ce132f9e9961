/**
 * The honest stores that the zoo's mutants are made of: memory as it is, with a history short enough
 * to be forgotten, and memory with every capability that a store can declare.
 */
import { Capability } from "../../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../../stores/memory/store.ts";
import {
  alreadyExists,
  type CreateCall,
  conflict,
  type DeleteCall,
  notFound,
  type Store,
  type StoredObject,
  type UpdateCall,
  type Written,
} from "../../../stores/sdk/sdk.ts";
import { contractResources } from "../contract.testing.ts";

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

const extra = [
  Capability.DRY_RUN,
  Capability.IDEMPOTENT_WRITES,
  Capability.UNCONDITIONAL_UPDATE,
  Capability.INITIAL_STATE,
];

/** Memory that can also try a write, take one twice, write without a precondition, and watch from nothing. */
export function capableStore(): WholeStore {
  const resumeWindow = { minRevisions: BigInt(keptEvents), minAgeMs: 0n };
  const store = createMemoryStore(
    contractResources([...memoryCapabilities, ...extra], { resumeWindow }),
    1_000n,
    keptEvents,
  ) as WholeStore;
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
