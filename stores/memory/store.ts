/**
 * The contract in its shortest form: maps in memory, one counter, a ring of recent events.
 *
 * Keeps: revisions in one scope; compare-and-swap; watches that resume within the ring. Keeps
 * nothing across a restart: its epoch is new each time, and its counter starts above `notBelow`.
 */
import { randomUUID } from "node:crypto";
import {
  alreadyExists,
  type Call,
  type CreateCall,
  conflict,
  type DeleteCall,
  type GetCall,
  type ListCall,
  type ListPage,
  notFound,
  type ObjectKey,
  type Preconditions,
  type ResourceDescription,
  type ResourceId,
  type Store,
  type StoredObject,
  type StoreEvent,
  type UpdateCall,
  type WatchCall,
  type WatchFrame,
} from "../sdk/sdk.ts";

/** Events that are kept for watches to resume from. */
export const historyEvents = 10_000;
/** Progress is told at least this often when the gateway does not say how often. */
const defaultProgressMs = 1_000;

interface LogEntry extends StoreEvent {
  readonly resource: string;
}

/** Makes a store that serves the given resources from memory. */
export function createMemoryStore(resources: readonly ResourceDescription[], firstRevision = 1n): Store {
  const epoch = randomUUID();
  const objects = new Map<string, Map<string, StoredObject>>();
  const log: LogEntry[] = [];
  const wakers = new Set<() => void>();
  let head = firstRevision;
  let oldestResumable = head;

  const tableOf = (resource: ResourceId): Map<string, StoredObject> => {
    const id = idOf(resource);
    let table = objects.get(id);
    if (table === undefined) {
      table = new Map();
      objects.set(id, table);
    }
    return table;
  };

  function commit(
    resource: ResourceId,
    type: "put" | "delete",
    object: Omit<StoredObject, "revision">,
    previous?: StoredObject,
  ): StoredObject {
    head += 1n;
    const stored = { ...object, revision: head };
    const table = tableOf(resource);
    if (type === "put") table.set(keyText(object), stored);
    else table.delete(keyText(object));
    log.push({ resource: idOf(resource), type, object: stored, previous });
    if (log.length > historyEvents) oldestResumable = log.shift()?.object.revision ?? oldestResumable;
    for (const wake of [...wakers]) wake();
    return stored;
  }

  function present(call: Call & { key: ObjectKey }, preconditions: Preconditions): StoredObject {
    const current = tableOf(call.resource).get(keyText(call.key));
    if (current === undefined) throw notFound();
    const { revision, uid } = preconditions;
    if (revision !== undefined && revision !== current.revision) throw conflict(current);
    if (uid !== undefined && uid !== current.uid) throw conflict(current);
    return current;
  }

  return {
    implementation: "annex-memory",
    version: "1",
    revisionScope: "store",
    resources,
    epoch: () => epoch,
    async get(call: GetCall) {
      return tableOf(call.resource).get(keyText(call.key));
    },
    async list(call: ListCall): Promise<ListPage> {
      const items = [...tableOf(call.resource).values()]
        .filter((object) => call.namespace === "" || object.namespace === call.namespace)
        .sort((a, b) => (keyText(a) < keyText(b) ? -1 : 1));
      return { items, revision: head };
    },
    async create(call: CreateCall) {
      if (tableOf(call.resource).has(keyText(call.key))) throw alreadyExists();
      return commit(call.resource, "put", { ...call.key, uid: call.uid, json: call.json });
    },
    async update(call: UpdateCall) {
      const current = present(call, call.preconditions);
      return commit(call.resource, "put", { ...call.key, uid: call.uid, json: call.json }, current);
    },
    async delete(call: DeleteCall) {
      const current = present(call, call.preconditions);
      return commit(call.resource, "delete", current, current);
    },
    async currentRevision() {
      return { revision: head };
    },
    async *watch(call: WatchCall): AsyncIterable<WatchFrame> {
      const id = idOf(call.resource);
      let seen = call.after ?? head;
      if (seen < oldestResumable) {
        yield { frame: "expired", oldestResumable, revision: head, reason: `history begins at ${oldestResumable}` };
        return;
      }
      yield { frame: "started", revision: seen, oldestResumable };
      while (!call.signal.aborted) {
        if (seen < oldestResumable) {
          yield { frame: "expired", oldestResumable, revision: head, reason: "the watch fell behind" };
          return;
        }
        const upTo = head;
        const events = entriesAfter(log, seen).filter(
          (entry) => entry.resource === id && (call.namespace === "" || entry.object.namespace === call.namespace),
        );
        if (events.length > 0) {
          yield {
            frame: "events",
            events: call.previous ? events : events.map(({ type, object }) => ({ type, object })),
          };
        }
        if (upTo > seen) yield { frame: "progress", revision: upTo };
        seen = upTo;
        if (head === seen) await woken(wakers, call.progressEveryMs || defaultProgressMs, call.signal);
      }
    },
  };
}

const idOf = (resource: ResourceId): string => `${resource.plural}.${resource.group}`;
const keyText = (key: ObjectKey): string => `${key.namespace}/${key.name}`;

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

/** Waits for the next commit, for the time that progress is due, or for the end of the call. */
async function woken(wakers: Set<() => void>, ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      wakers.delete(done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    wakers.add(done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
