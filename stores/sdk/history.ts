/**
 * The order of a store's changes: revisions minted one after the other, a ring of the recent events,
 * and the watches that follow it.
 *
 * Lives in memory, so a process begins with an epoch of its own, above every revision that an
 * earlier one can have shown. A change is published in one step: nobody sees its revision before it,
 * or without it.
 */
import { randomUUID } from "node:crypto";
import { expired } from "./errors.ts";
import type { ResourceId, StoredObject, StoreEvent, WatchCall, WatchFrame } from "./store.ts";
import { pacedProgress, waitFor } from "./watching.ts";

/** Events that are kept for watches to resume from, and for reads of earlier states. */
export const historyEvents = 10_000;

/** A change that is to be published; its object has no revision yet. */
export interface Change {
  readonly type: "put" | "delete";
  /** For a delete the last state. */
  readonly object: Omit<StoredObject, "revision">;
  /** Undefined for a creation. */
  readonly previous: StoredObject | undefined;
}

/** A store's history. */
export interface History {
  epoch(): string;
  head(): bigint;
  /** The oldest revision after which a watch can begin. */
  oldest(): bigint;
  /** The last revision that changed a resource; the oldest there is, if none did. */
  lastChange(resource: ResourceId): bigint;
  /** Mints the next revision. `apply` makes the change visible to reads, in the same step. */
  publish(resource: ResourceId, change: Change, apply: (stored: StoredObject) => void): StoredObject;
  /** The events of a resource after a revision, oldest first. @throws ConnectError expired. */
  eventsAfter(resource: ResourceId, revision: bigint): readonly StoreEvent[];
  watch(call: WatchCall): AsyncIterable<WatchFrame>;
  /** Begins a new epoch above a revision, if the head is lower. */
  notBelow(revision: bigint): void;
}

interface LogEntry extends StoreEvent {
  readonly resource: string;
}

/** Begins a history. Its first change has `firstRevision` + 1; `kept` events are kept. */
export function createHistory(firstRevision: bigint, kept = historyEvents): History {
  const lastChanges = new Map<string, bigint>();
  const log: LogEntry[] = [];
  const wakers = new Set<() => void>();
  let epoch: string = randomUUID();
  let head = firstRevision;
  let oldest = head;

  function wake(): void {
    for (const waker of [...wakers]) waker();
  }

  function eventsAfter(resource: ResourceId, revision: bigint): readonly StoreEvent[] {
    if (revision < oldest) throw expired(oldest);
    const id = idOf(resource);
    return entriesAfter(log, revision).filter((entry) => entry.resource === id);
  }

  return {
    epoch: () => epoch,
    head: () => head,
    oldest: () => oldest,
    lastChange: (resource) => lastChanges.get(idOf(resource)) ?? oldest,
    publish(resource, { type, object, previous }, apply) {
      head += 1n;
      const stored = { ...object, revision: head };
      apply(stored);
      lastChanges.set(idOf(resource), head);
      log.push({ resource: idOf(resource), type, object: stored, previous });
      if (log.length > kept) oldest = log.shift()?.object.revision ?? oldest;
      wake();
      return stored;
    },
    eventsAfter,
    notBelow(revision) {
      if (revision <= head) return;
      epoch = randomUUID();
      head = oldest = revision;
      log.length = 0;
      wake();
    },
    async *watch(call) {
      let seen = call.after ?? head;
      if (seen >= oldest) yield { frame: "started", revision: seen, oldestResumable: oldest };
      const pace = pacedProgress(seen, call.progressEveryMs);
      while (!call.signal.aborted) {
        if (seen < oldest) {
          const reason = `the history begins at ${oldest}`;
          yield { frame: "expired", oldestResumable: oldest, revision: head, reason };
          return;
        }
        const events = eventsAfter(call.resource, seen).filter(
          ({ object }) => call.namespace === "" || object.namespace === call.namespace,
        );
        seen = head;
        const shown = call.previous ? events : events.map(({ type, object }) => ({ type, object }));
        if (shown.length > 0) yield { frame: "events", events: shown };
        if (events.at(-1)?.object.revision === seen) pace.told(seen);
        else if (pace.isDue(seen)) yield { frame: "progress", revision: seen };
        if (head === seen) await waitFor(wakers, pace.waitMs(seen), call.signal);
      }
    },
  };
}

/** Names a resource among those of a store. */
export const idOf = (resource: Pick<ResourceId, "group" | "plural">): string => `${resource.plural}.${resource.group}`;

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
