/**
 * What happened before the copy's mark, so that a client of a gateway that was restarted resumes as if nothing
 * had been.
 *
 * It is read in parts, the last one first: a store's revisions may belong to a busier resource, so a count of them
 * says nothing of how far back is far enough. Each part reaches further than all before it, until the ring is nearly
 * full, the store remembers no more, or the time is over that a watch waits for.
 *
 *   oldest resumable        50,000          10,000   mark
 *          └──────── third ─────┴─── second ───┴─ first ─┘
 */
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import type { ResourceClient } from "../registry/registry.ts";
import type { CachedObject } from "./cached-object.ts";
import { type FeedEvent, type FeedEventMaker, keyOf } from "./feed-event.ts";
import { assertNext, StoreLied } from "./guard.ts";
import { Ring, type RingLimits } from "./ring.ts";

/** Where a list was. */
export interface Mark {
  readonly revision: bigint;
  readonly epoch: string;
}

/** What it is read with. */
export interface HistoryOptions {
  readonly definition: ResourceDefinition;
  readonly client: ResourceClient;
  readonly make: FeedEventMaker;
  /** Of what is read. */
  readonly limits: RingLimits;
  /** Now, by the feed's clock: everything that is read was told before. */
  readonly at: number;
  /** Of the store's head, and of the first part. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The gateway asks for itself. */
export const nobody = { requestId: "", user: undefined, userAgent: "", clientVersion: "" };

/** Revisions before the mark of the first part: minutes of a busy resource, and soon read. */
const firstSpan = 10_000n;
/** How many times as far back a part may reach as all before it. */
const maxGrowth = 4;
/** From here on a part would be too small to be worth a call. */
const nearlyFull = 0.75;
/** No part is begun or waited for after this: watches wait for twice as long. */
const enoughMs = 5_000;

/**
 * Reads it: every event from the ring's floor up to the mark, none where the store can't tell.
 * @throws StoreLied for what can't be true, and what calling the store throws before there is any of it.
 */
export async function readHistory(mark: Mark, options: HistoryOptions): Promise<Ring<FeedEvent>> {
  const { client, timeoutMs, limits, at } = options;
  const { resume, previousObject, hookConvert } = options.definition.capabilities;
  const enough = AbortSignal.timeout(enoughMs);
  let history = new Ring<FeedEvent>(mark.revision, at, limits);
  if (!resume || !previousObject || hookConvert) return history;
  const { lastChange } = await client.currentRevision({ ...nobody, timeoutMs, signal: options.signal });
  // A quiet resource has no event to wait for.
  const last = lastChange !== undefined && lastChange < mark.revision ? lastChange : mark.revision;
  let oldest = 1n;
  while (history.floor > oldest && !enough.aborted) {
    const span = spanBefore(history, mark, limits);
    const after = history.floor - span > oldest ? history.floor - span : oldest;
    if (after === history.floor) break;
    const isFirst = history.floor === mark.revision;
    const late = isFirst ? AbortSignal.timeout(timeoutMs) : enough;
    const part = { after, upTo: history.floor, last, epoch: mark.epoch };
    const read = await readPart(part, { ...options, signal: AbortSignal.any([options.signal, late]) }).catch(
      (error: unknown) => {
        // What has been read is whole up to the mark.
        if (isFirst || options.signal.aborted || error instanceof StoreLied) throw error;
        return undefined;
      },
    );
    if (read === undefined || read.oldest >= history.floor) break;
    if (read.events === undefined) {
      if (read.oldest <= after) break;
    } else {
      history = joined(read.events, history, limits);
      // What the ring has dropped would be a gap behind anything earlier.
      if (history.floor > after) break;
    }
    if (read.oldest > oldest) oldest = read.oldest;
  }
  return history;
}

/** Gives how many revisions the next part reaches back; 0: the ring has no room for one. */
function spanBefore(history: Ring<FeedEvent>, mark: Mark, limits: RingLimits): bigint {
  const known = mark.revision - history.floor;
  if (known === 0n) return firstSpan;
  if (history.size === 0) return known * BigInt(maxGrowth);
  const fullness = Math.max(history.size / limits.maxEvents, history.bytes / limits.maxBytes);
  if (fullness > nearlyFull) return 0n;
  // Further back it was about as busy.
  const growth = Math.min(maxGrowth, 1 / fullness - 1);
  return (known * BigInt(Math.ceil(growth * 100))) / 100n;
}

function joined(earlier: Ring<FeedEvent>, later: Ring<FeedEvent>, limits: RingLimits): Ring<FeedEvent> {
  const ring = new Ring<FeedEvent>(earlier.floor, later.floorAt, limits);
  for (const part of [earlier, later]) for (const event of part.after(part.floor) ?? []) ring.push(event);
  return ring;
}

/** Every event after a revision, up to another. */
interface Part {
  readonly after: bigint;
  readonly upTo: bigint;
  /** The last change of all, or where there is none to wait for: above `upTo` or not. */
  readonly last: bigint;
  readonly epoch: string;
}

/** What a store tells of a part. `events` undefined: it is gone. */
interface ReadPart {
  /** The oldest revision after which it knows all; 0: unsaid. */
  readonly oldest: bigint;
  readonly events: Ring<FeedEvent> | undefined;
}

async function readPart(
  { after, upTo, last, epoch }: Part,
  { client, make, limits, at, signal }: HistoryOptions,
): Promise<ReadPart> {
  const events = new Ring<FeedEvent>(after, at, limits);
  if (last <= after) return { oldest: 0n, events };
  /** What objects are after those of the events that are kept, in their order. */
  const states = new Map<string, CachedObject>();
  let oldest = 0n;
  let reached = after;
  for await (const frame of client.watch({ after, epoch, previous: true, caller: undefined, signal })) {
    if (frame.frame === "expired") return { oldest: frame.oldestResumable, events: undefined };
    if (frame.frame === "started") oldest = frame.oldestResumable;
    if (frame.frame === "progress") reached = frame.revision;
    if (frame.frame !== "events") continue;
    for (const change of frame.events) {
      assertNext(change, reached);
      reached = change.object.revision;
      if (reached > upTo) return { oldest, events };
      const { previous } = change;
      const key = keyOf(change.object);
      const before = states.get(key) ?? (previous && make.object(previous));
      const put = change.type === "put" ? make.object(change.object) : undefined;
      states.delete(key);
      if (put !== undefined) states.set(key, put);
      events.push(make.event(change, before, put, at));
      for (const [first, { stored }] of states) {
        if (stored.revision > events.floor) break;
        states.delete(first);
      }
    }
    if (reached >= last) return { oldest, events };
  }
  throw new Error(`the history after revision ${after} broke off at ${reached}`);
}
