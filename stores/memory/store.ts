/**
 * The contract in its shortest form: maps in memory, one counter, a ring of recent events.
 *
 * Keeps: revisions in one scope; compare-and-swap; watches that resume, and earlier states that can
 * be read, within the ring: an earlier state is the present one with the later events taken back.
 * Keeps nothing across a restart: its epoch is new each time, and so it begins above `notBelow`.
 */
import { randomUUID } from "node:crypto";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import {
  alreadyExists,
  badRequest,
  type Call,
  conflict,
  expired,
  type ListCall,
  type ListPage,
  notFound,
  type ObjectKey,
  type Preconditions,
  pacedProgress,
  type ResourceDescription,
  type ResourceId,
  type Store,
  type StoredObject,
  type StoreEvent,
  type WatchCall,
  type WatchFrame,
  waitFor,
} from "../sdk/sdk.ts";

/** Events that are kept for watches to resume from. */
export const historyEvents = 10_000;
/** What it declares for every resource. */
export const memoryCapabilities: readonly Capability[] = [
  Capability.RESUME,
  Capability.PROGRESS,
  Capability.PREVIOUS_OBJECT,
  Capability.EXACT_READ,
  Capability.SNAPSHOT_LIST,
];
/** Objects of one page, so that a long list holds the event loop for milliseconds at a time. */
const pageItems = 1_000;

interface LogEntry extends StoreEvent {
  readonly resource: string;
}

/** Makes a store that serves the given resources from memory. Its first write has `firstRevision` + 1. */
export function createMemoryStore(resources: readonly ResourceDescription[], firstRevision = 1n): Store {
  const tables = new Map<string, Map<string, StoredObject>>();
  const lastChanges = new Map<string, bigint>();
  const log: LogEntry[] = [];
  const wakers = new Set<() => void>();
  let epoch: string = randomUUID();
  let head = firstRevision;
  let oldest = head;

  function tableOf(resource: ResourceId): Map<string, StoredObject> {
    const table = tables.get(idOf(resource)) ?? new Map<string, StoredObject>();
    tables.set(idOf(resource), table);
    return table;
  }

  function commit(
    resource: ResourceId,
    type: "put" | "delete",
    object: Omit<StoredObject, "revision">,
    previous?: StoredObject,
  ): StoredObject {
    head += 1n;
    const stored = { ...object, revision: head };
    if (type === "put") tableOf(resource).set(keyText(object), stored);
    else tableOf(resource).delete(keyText(object));
    lastChanges.set(idOf(resource), head);
    log.push({ resource: idOf(resource), type, object: stored, previous });
    if (log.length > historyEvents) oldest = log.shift()?.object.revision ?? oldest;
    wake();
    return stored;
  }

  function wake(): void {
    for (const waker of [...wakers]) waker();
  }

  function present(call: Call & { readonly key: ObjectKey }, { revision, uid }: Preconditions): StoredObject {
    const current = tableOf(call.resource).get(keyText(call.key));
    if (current === undefined) throw notFound();
    if (revision !== undefined && revision !== current.revision) throw conflict(current);
    if (uid !== undefined && uid !== current.uid) throw conflict(current);
    return current;
  }

  function stateAt(resource: ResourceId, revision: bigint): Map<string, StoredObject> {
    if (revision < oldest) throw expired(oldest);
    const state = tableOf(resource);
    if (revision >= (lastChanges.get(idOf(resource)) ?? 0n)) return state;
    const earlier = new Map(state);
    for (const { resource: id, object, previous } of entriesAfter(log, revision).toReversed()) {
      if (id !== idOf(resource)) continue;
      if (previous === undefined) earlier.delete(keyText(object));
      else earlier.set(keyText(object), previous);
    }
    return earlier;
  }

  return {
    implementation: "annex-memory",
    version: "1",
    revisionScope: "store",
    resources,
    epoch: () => epoch,
    async get(call) {
      return stateAt(call.resource, call.atRevision ?? head).get(keyText(call.key));
    },
    async list(call: ListCall): Promise<ListPage> {
      const from = parseToken(call.continueToken);
      const revision = from?.revision ?? call.atRevision ?? head;
      if (revision > head) throw badRequest("the continue token is of another store");
      const found = [...stateAt(call.resource, revision).values()]
        .filter((object) => call.namespace === "" || object.namespace === call.namespace)
        .filter((object) => from === undefined || keyText(object) > from.after)
        .sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1));
      const items = found.slice(0, Math.min(call.limit || pageItems, pageItems));
      const last = items.at(-1);
      if (last === undefined || items.length === found.length) return { items, revision };
      const continueToken = Buffer.from(JSON.stringify([String(revision), keyText(last)]));
      return { items, revision, continueToken, remaining: BigInt(found.length - items.length) };
    },
    async create(call) {
      if (tableOf(call.resource).has(keyText(call.key))) throw alreadyExists();
      return commit(call.resource, "put", { ...call.key, uid: call.uid, json: call.json });
    },
    async update(call) {
      const current = present(call, call.preconditions);
      return commit(call.resource, "put", { ...call.key, uid: call.uid, json: call.json }, current);
    },
    async delete(call) {
      const current = present(call, call.preconditions);
      return commit(call.resource, "delete", current, current);
    },
    async currentRevision(call) {
      return { revision: head, lastChange: lastChanges.get(idOf(call.resource)) ?? oldest };
    },
    async notBelow(revision) {
      if (revision <= head) return;
      epoch = randomUUID();
      head = oldest = revision;
      log.length = 0;
      wake();
    },
    async *watch(call: WatchCall): AsyncIterable<WatchFrame> {
      const id = idOf(call.resource);
      let seen = call.after ?? head;
      if (seen >= oldest) yield { frame: "started", revision: seen, oldestResumable: oldest };
      const pace = pacedProgress(seen, call.progressEveryMs);
      while (!call.signal.aborted) {
        if (seen < oldest) {
          const reason = `the history begins at ${oldest}`;
          yield { frame: "expired", oldestResumable: oldest, revision: head, reason };
          return;
        }
        const upTo = head;
        const events = entriesAfter(log, seen).filter(
          (entry) => entry.resource === id && (call.namespace === "" || entry.object.namespace === call.namespace),
        );
        seen = upTo;
        const shown = call.previous ? events : events.map(({ type, object }) => ({ type, object }));
        if (shown.length > 0) yield { frame: "events", events: shown };
        if (events.at(-1)?.object.revision === seen) pace.told(seen);
        else if (pace.isDue(seen)) yield { frame: "progress", revision: seen };
        if (head === seen) await waitFor(wakers, pace.waitMs(seen), call.signal);
      }
    },
  };
}

const idOf = (resource: ResourceId): string => `${resource.plural}.${resource.group}`;
const keyText = (key: ObjectKey): string => `${key.namespace}/${key.name}`;

function parseToken(token: Uint8Array): { readonly revision: bigint; readonly after: string } | undefined {
  if (token.length === 0) return undefined;
  try {
    const [revision, after] = JSON.parse(Buffer.from(token).toString()) as [string, string];
    const number = BigInt(revision);
    if (number >= 1n && typeof after === "string") return { revision: number, after };
  } catch {
    // Not JSON, or no number in it: the same answer as for any other text.
  }
  throw badRequest("the continue token can't be read");
}

function entriesAfter(log: readonly LogEntry[], revision: bigint): readonly LogEntry[] {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log[middle] as LogEntry).object.revision <= revision) low = middle + 1;
    else high = middle;
  }
  return log.slice(low);
}
