/**
 * What happened before the copy's mark, so that a client of a gateway that was restarted resumes as if nothing
 * had been.
 */
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import type { ResourceClient } from "../registry/registry.ts";
import type { CachedObject } from "./cached-object.ts";
import { type FeedEvent, type FeedEventMaker, keyOf } from "./feed-event.ts";
import { assertNext } from "./guard.ts";

/** Where a list was. */
export interface Mark {
  readonly revision: bigint;
  readonly epoch: string;
}

/** Every event after `floor` up to a mark. */
export interface History {
  readonly floor: bigint;
  readonly events: readonly FeedEvent[];
}

/** What it is read with. */
export interface HistoryOptions {
  readonly definition: ResourceDefinition;
  readonly client: ResourceClient;
  readonly make: FeedEventMaker;
  /** Of each of at most three calls. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The gateway asks for itself. */
export const nobody = { requestId: "", user: undefined, userAgent: "", clientVersion: "" };

/** Revisions before the mark whose events are read at the start: minutes of a busy resource. */
const backfillRevisions = 10_000n;

/**
 * Reads it. Undefined: the store can't tell, and watches begin at the mark.
 * @throws StoreLied for what can't be true, and what calling the store throws.
 */
export async function readHistory(mark: Mark, options: HistoryOptions): Promise<History | undefined> {
  const { client, timeoutMs, signal } = options;
  const { resume, previousObject, hookConvert } = options.definition.capabilities;
  if (!resume || !previousObject || hookConvert || mark.revision <= 1n) return undefined;
  const floor = mark.revision > backfillRevisions ? mark.revision - backfillRevisions : 1n;
  const { lastChange } = await client.currentRevision({ ...nobody, timeoutMs, signal });
  // A quiet resource has no event to wait for.
  const until = lastChange !== undefined && lastChange < mark.revision ? lastChange : mark.revision;
  const history = await historyBetween(floor, until, mark.epoch, options);
  if (!("oldestResumable" in history)) return history;
  const { oldestResumable } = history;
  if (oldestResumable === 0n || oldestResumable >= mark.revision) return undefined;
  const second = await historyBetween(oldestResumable, until, mark.epoch, options);
  return "oldestResumable" in second ? undefined : second;
}

/** Reads the events after `floor` up to and with `until`. */
async function historyBetween(
  floor: bigint,
  until: bigint,
  epoch: string,
  { client, make, timeoutMs, signal }: HistoryOptions,
): Promise<History | { readonly oldestResumable: bigint }> {
  if (until <= floor) return { floor, events: [] };
  const late = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const events: FeedEvent[] = [];
  const last = new Map<string, CachedObject>();
  let reached = floor;
  for await (const frame of client.watch({ after: floor, epoch, previous: true, caller: undefined, signal: late })) {
    if (frame.frame === "expired") return { oldestResumable: frame.oldestResumable };
    if (frame.frame === "progress") reached = frame.revision;
    if (frame.frame !== "events") continue;
    for (const change of frame.events) {
      assertNext(change, reached);
      reached = change.object.revision;
      if (reached > until) break;
      const { previous } = change;
      const key = keyOf(change.object);
      const before = last.get(key) ?? (previous && make.object(previous));
      const put = change.type === "put" ? make.object(change.object) : undefined;
      if (put === undefined) last.delete(key);
      else last.set(key, put);
      events.push(make.event(change, before, put));
    }
    if (reached >= until) break;
  }
  return { floor, events };
}
