/**
 * Lists at an interval, told as a watch: for a store that has revisions and marks of lists, and no feed.
 *
 * A poll compares the list with what its caller knows. What has a revision above the last mark was
 * written; what is missing was deleted. The contract gives each delete a revision of its own, between the
 * two marks, and a list doesn't tell which: an event of a delete has the lowest one that is free.
 *
 *   last mark 4   known a2 b3 c4          the poll at mark 9   c8 d9
 *   events        DELETE a under 5, DELETE b under 6, PUT c8, PUT d9, progress 9
 *
 * So from the first such delete up to the mark nobody can say what the state at a revision was: who comes
 * from elsewhere with one of these may know of other deletes than are told after it. The frame says so,
 * and whoever begins there lists anew.
 *
 * A gap is left between two gateways, as neither knows when the other polled. If a second one lists at 5, where
 * b alone is gone, it tells DELETE b under 5, and leaves nothing open there. Who is cut off from the first after
 * DELETE a, which is 5 there, and goes on at the second, never hears of b: only a list ends that.
 * Source: the contract's rules 2 to 4 (proto/annex/store/v1/store.proto).
 */
import { type ListPage, type StoredObject, type StoreEvent, uidIn, type WatchFrame } from "../registry/registry.ts";
import { keyOf } from "./feed-event.ts";
import { assertMark, assertProgress, StoreLied } from "./guard.ts";

/** What is told, as of its last frame. */
export interface Known {
  readonly revision: bigint;
  /** Gives what is known of a key, `namespace/name`. */
  get(key: string): StoredObject | undefined;
  values(): Iterable<StoredObject>;
}

/** What polls are made with. */
export interface PolledWatchOptions {
  /** One page of the whole list. */
  readonly list: (continueToken: Uint8Array) => Promise<ListPage>;
  /** What the caller knows; read anew for each poll. */
  readonly known: () => Known;
  /** Waits until the next poll is due. */
  readonly untilDue: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Gives the frames of a watch. Throws what a list throws; StoreLied for one that can't be true. */
export async function* polledWatch({ list, known, untilDue, signal }: PolledWatchOptions): AsyncIterable<WatchFrame> {
  let epoch: string | undefined;
  while (!signal.aborted) {
    const before = known();
    const poll = await pollOnce(list, before);
    if (poll.epoch !== epoch) {
      epoch = poll.epoch;
      yield { frame: "started", revision: before.revision, epoch, oldestResumable: before.revision };
    }
    assertProgress(poll.mark, before.revision);
    const { events, blurred } = eventsOf(poll, before);
    if (events.length > 0) yield { frame: "events", events, ...(blurred === undefined ? {} : { blurred }) };
    yield { frame: "progress", revision: poll.mark };
    await untilDue();
  }
}

/** What a list has shown. */
interface Poll {
  readonly epoch: string;
  /** Everything up to it is in the list. */
  readonly mark: bigint;
  /** Of the last page: greater if the store doesn't keep the state of the first. */
  readonly lastMark: bigint;
  readonly keys: ReadonlySet<string>;
  /** What was written since the last mark. */
  readonly changed: readonly StoredObject[];
}

async function pollOnce(list: PolledWatchOptions["list"], before: Known): Promise<Poll> {
  const keys = new Set<string>();
  const changed: StoredObject[] = [];
  let continueToken: Uint8Array = new Uint8Array();
  let first: ListPage | undefined;
  let page: ListPage;
  do {
    page = await list(continueToken);
    assertMark(page, first?.revision);
    first ??= page;
    for (const item of page.items) {
      const key = keyOf(item);
      keys.add(key);
      // What a later page has of after the first belongs to the next poll.
      if (item.revision > first.revision) continue;
      if (item.revision > before.revision || before.get(key)?.revision !== item.revision) changed.push(item);
    }
    continueToken = page.continueToken;
  } while (continueToken.length > 0);
  return { epoch: first.epoch, mark: first.revision, lastMark: page.revision, keys, changed };
}

/** A delete that is yet to get its revision. */
interface Removal {
  readonly object: StoredObject;
  /** The highest that it can have. */
  readonly until: bigint;
}

/** Gives the events of a poll in order, and the revisions, both included, whose state nobody can tell. */
function eventsOf(poll: Poll, before: Known) {
  const taken = new Set(poll.changed.map(({ revision }) => revision));
  const events: StoreEvent[] = poll.changed.map((object) => ({ type: "put", object }));
  let revision = before.revision;
  let firstDelete: bigint | undefined;
  for (const { object, until } of removalsOf(poll, before)) {
    do revision++;
    while (taken.has(revision));
    if (revision > until) {
      // It may have been removed between two pages: the next poll has room for it.
      if (until === poll.mark && poll.lastMark > poll.mark) break;
      const { namespace, name } = object;
      throw new StoreLied(`"${namespace}/${name}" was removed after ${before.revision} without a revision of its own`);
    }
    firstDelete ??= revision;
    events.push({ type: "delete", object: { ...object, revision } });
  }
  events.sort((a, b) => (a.object.revision < b.object.revision ? -1 : 1));
  const blurred = firstDelete === undefined ? undefined : { from: firstDelete, to: poll.lastMark - 1n };
  return { events, blurred };
}

/** Gives what was removed, and made anew under its name, the most urgent first. */
function removalsOf(poll: Poll, before: Known): Removal[] {
  const removals: Removal[] = [];
  for (const next of poll.changed) {
    const object = before.get(keyOf(next));
    if (object !== undefined && uidIn(object.json) !== uidIn(next.json))
      removals.push({ object, until: next.revision - 1n });
  }
  removals.sort((a, b) => (a.until < b.until ? -1 : 1));
  for (const object of before.values()) if (!poll.keys.has(keyOf(object))) removals.push({ object, until: poll.mark });
  return removals;
}

/** Says when a poll is due: at its interval, or at once when somebody waits for what it will show. */
export interface Pulse {
  /** Makes a poll due. */
  wake(): void;
  /** Waits until one is due. */
  next(ms: number, signal: AbortSignal): Promise<void>;
}

/** Makes a pulse. Who wakes it while nobody waits makes the next wait end at once. */
export function createPulse(): Pulse {
  let isDue = false;
  let ring = (): void => {};
  return {
    wake() {
      isDue = true;
      ring();
    },
    async next(ms, signal) {
      if (!isDue && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          ring = () => {
            clearTimeout(timer);
            resolve();
          };
          signal.addEventListener("abort", ring, { once: true });
        });
        signal.removeEventListener("abort", ring);
        ring = () => {};
      }
      isDue = false;
    },
  };
}
