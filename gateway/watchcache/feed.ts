/**
 * One resource's change feed: the copy of its objects, the ring of its events, its subscribers.
 *
 * States: `filling` (list, then watch after the list's mark), `following` (frames arrive),
 * `broken` (the store is away: subscribers stay, the feed resumes where it was), `over limit` (nothing is kept; it is
 * filled anew after a pause), `quarantined` (the store lied and lies are final: 503), `closed`. Lost history, a new epoch
 * and a store that lies end all subscribers with 410; passing the limit and closing end them without an error.
 */
import { pause } from "../apimachinery/pause.ts";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import {
  expired,
  internalError,
  StatusError,
  serviceUnavailable,
  tooLargeResourceVersion,
  tooManyRequests,
} from "../apimachinery/status.ts";
import type {
  CallContext,
  ListPage,
  ReadAt,
  ResourceClient,
  StoredObject,
  StoreEvent,
  WatchFrame,
} from "../registry/registry.ts";
import type { CachedObject, Presenter } from "./cached-object.ts";
import { type FeedEvent, feedEventMaker, keyOf } from "./feed-event.ts";
import { assertEpochStart, assertMark, assertNext, assertProgress, lossOf, StoreLied, untrue } from "./guard.ts";
import { type Mark, nobody, readHistory } from "./history.ts";
import { compareKeys } from "./key-order.ts";
import { type KeyRange, KeyTree } from "./key-tree.ts";
import { CopyTooLarge, type Holding } from "./memory.ts";
import { createPulse, polledWatch } from "./polled-watch.ts";
import { Ring } from "./ring.ts";
import { type State, States, stateAfter } from "./states.ts";

/** Who is told of changes. Called in one turn of the event loop, never re-entered. */
export interface Subscriber {
  events(events: readonly FeedEvent[]): void;
  /** Everything up to this revision has been delivered. */
  progress(revision: bigint): void;
  /** Nothing more will come: a status says why, undefined that the resource went away. */
  end(status: StatusError | undefined): void;
}

/** What a watch shows before anything changes. */
export interface Initial {
  /** Whose state the objects are. */
  readonly revision: bigint;
  /** In the order of their keys; more of them than were asked for, maybe. */
  readonly objects: Iterator<CachedObject>;
  /** Gives those that follow; undefined: there are no more. Left out: these were all. */
  readonly more?: () => Promise<Iterator<CachedObject> | undefined>;
}

/** What a watch is served from. */
export interface WatchSource {
  /**
   * Resolves when it can be used. @throws StatusError 429 if the store is away, or filling a copy takes too long;
   *   what else it was told.
   */
  ready(signal: AbortSignal): Promise<void>;
  /** The revision up to which it is complete. */
  readonly revision: bigint;
  /** Waits until it has reached a revision. @throws StatusError 504 after three seconds. */
  reach(revision: bigint): Promise<void>;
  /** Gives the objects of now, in a range of keys of the copy, or a namespace (`""`: all). */
  initial(range: KeyRange, namespace: string): Initial | Promise<Initial>;
  /**
   * Delivers what came after `after`, at once from the ring and then as it comes.
   * @throws StatusError 410 if history before it is gone.
   */
  subscribe(after: bigint, subscriber: Subscriber): () => void;
}

/** One resource's feed. */
export interface Feed extends WatchSource {
  /** Waits the same way, but not longer than told. @returns whether it was reached. */
  reachWithin(revision: bigint, timeoutMs: number): boolean | Promise<boolean>;
  /** What is kept now, and in which state. */
  figures(): FeedFigures;
  /** Whether the store is being followed: false while it is away, and before the copy is filled. */
  readonly isFollowing: boolean;
  /** Whether its copy passed a limit: the store must be asked for all. */
  readonly isOverLimit: boolean;
  /** The copy as of `revision`; undefined until it is filled. */
  state(): State | undefined;
  /** The copy as it was at a revision, not above `revision`; undefined if that is no longer known. */
  stateAt(revision: bigint): State | undefined;
  close(): void;
}

/** Why a feed keeps nothing any more. */
type GivenUp = "over_limit" | "quarantined";

/** How a feed is, in the words of the file's header. */
export interface FeedFigures {
  readonly state: "filling" | "following" | "broken" | GivenUp;
  readonly objects: number;
  /** Of the objects, as they lie in the store. */
  readonly bytes: number;
  readonly historyEvents: number;
  readonly historyBytes: number;
  /** Seconds, at least, back to where a watch can resume. */
  readonly historySeconds: number;
}

/** Is told what happens to a feed. */
export interface ObserveFeed {
  /** The copy was filled with so many objects. */
  filled(objects: number): void;
  /** The store told so many changes. */
  received(events: number): void;
  /** The store told what can't be true. */
  lied(): void;
}

/** A feed for one watch, of a resource whose reads depend on who asks. */
export interface OwnFeed {
  /** As whom the store is asked. */
  readonly caller: CallContext;
  /** The revision that the copy begins at; undefined: now. */
  readonly startAt: bigint | undefined;
  readonly onClose: () => void;
}

interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface FeedOptions {
  readonly definition: ResourceDefinition;
  readonly client: ResourceClient;
  readonly presenter: Presenter;
  /** Undefined: the gateway's own feed, for everybody. */
  readonly own?: OwnFeed;
  readonly holding: Holding;
  /** First pause, in ms, before a copy that was too large is filled again; each is twice as long as the one before. Default: a minute. */
  readonly refillMs?: number;
  readonly observe?: ObserveFeed | undefined;
  /** Asked when the store lied: whether nothing is believed from it any more. Default: it is read anew. */
  readonly isLieFinal?: () => boolean;
  /** Gives ms of a clock that only goes forward. Default: this process' own. */
  readonly now?: () => number;
  readonly log: Log;
}

/** Events of one resource's history: kube-apiserver's largest. */
const maxEvents = 102_400;
/** Nothing but fewer objects helps, which takes its time. */
const tooLargeRetrySeconds = 30;
/** Pauses before a copy that was too large is filled again: each try reads up to the limit, so they grow from a minute to an hour. */
const minRefillMs = 60_000;
const maxRefillMs = 3_600_000;
/** A store that began anew is told what was shown when it is next asked for its description: longer than that takes. */
const epochPatienceMs = 4_000;
/** A store that lies goes on lying until somebody mends it. */
const unbelievableRetrySeconds = 5;
/** How long a watch waits for the copy before it is told to come back: kube-apiserver answers 429 as well. */
const fillTimeoutMs = 10_000;
/** How long a read waits for a revision that isn't there yet, as kube-apiserver. */
const reachTimeoutMs = 3_000;
/** Back-off between two attempts at a store that is away. */
const minBackoffMs = 50;
const maxBackoffMs = 2_000;
/** Items of one page while filling: enough to amortise the call, small enough for one message. */
const fillPage = 500;
/** A page, or the history before it, that takes longer has failed. */
const fillCallMs = 30_000;
/** See polled-watch.ts. */
interface Blur {
  readonly from: bigint;
  readonly to: bigint;
}

interface Waiter {
  readonly revision: bigint;
  readonly resolve: () => void;
}

/** Creates a feed and starts to fill it. */
export function createFeed(options: FeedOptions): Feed {
  const { definition, client, presenter, own, observe, log, holding } = options;
  const { isLieFinal = () => false, now = () => performance.now() } = options;
  const make = feedEventMaker(presenter);
  const ringLimits = { maxEvents, maxBytes: holding.limits.maxHistoryBytes };
  const about = { resource: definition.plural, group: definition.group };
  const stop = new AbortController();
  const subscribers = new Set<Subscriber>();
  const states = new States();
  const waiters = new Set<Waiter>();
  const readyWaiters = new Set<(error: StatusError | undefined) => void>();
  let ring = emptyHistory(0n);
  let objects = KeyTree.empty<CachedObject>();
  let revision = 0n;
  let epoch = "";
  let copyBytes = 0;
  let filled = false;
  let isFollowing = false;
  let givenUp: GivenUp | undefined;
  let lowEpochSince: number | undefined;
  /** Revisions at which nobody can tell the state, both included; of a polled watch. */
  let blurs: Blur[] = [];
  const pulse = createPulse();

  void run();

  async function run(): Promise<void> {
    let backoffMs = minBackoffMs;
    /** It lied, and has told nothing since that can be believed. */
    let isDoubted = false;
    let { refillMs = minRefillMs } = options;
    while (!stop.signal.aborted) {
      try {
        if (!filled) await fill();
        await follow(({ frame }) => {
          // One that lies whenever a watch begins would be read whole over and over.
          if (isDoubted && frame === "started") return;
          isDoubted = false;
          backoffMs = minBackoffMs;
        });
        isFollowing = false;
      } catch (error) {
        // Once: what is away stays so for many attempts.
        const isNews = backoffMs === minBackoffMs;
        const wasFilled = filled;
        isFollowing = false;
        if (stop.signal.aborted) return;
        if (error instanceof CopyTooLarge) {
          noteTooLarge(error);
          // Who watches goes on at the store, as after any end.
          giveUp("over_limit", own === undefined ? undefined : refusal("over_limit"));
          if (own !== undefined) return;
          await pause(refillMs, stop.signal);
          refillMs = Math.min(refillMs * 2, maxRefillMs);
          continue;
        }
        if (error instanceof StoreLied && isLieFinal()) {
          noteLie(error, "the resource is quarantined");
          return giveUp("quarantined", untrue());
        }
        isDoubted ||= error instanceof StoreLied;
        const loss = lossOf(error, (lie) => noteLie(lie, "its copy is filled again"));
        if (loss !== undefined) lose(loss);
        else if (isNews)
          log.warn({ ...about, error: (error as Error).message }, "the feed from the store broke; it will be resumed");
        // Where its watch began is gone: it has nobody else to fill itself again for.
        if (loss !== undefined && own !== undefined) return settleReady(loss);
        if (error instanceof StoreLied && !wasFilled) settleReady(unbelievable());
        if (loss === undefined && !filled) settleReady(notFilled(error));
      }
      await pause(backoffMs, stop.signal);
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
    }
  }

  /** Once, however often it is tried again. */
  function noteTooLarge({ message }: CopyTooLarge): void {
    if (givenUp === "over_limit") return;
    log.error({ ...about, limit: message }, "the copy is given up for its size; reads and watches go to the store");
  }

  function noteLie({ message }: StoreLied, next: string): void {
    observe?.lied();
    log.error({ ...about, error: message }, `the store told what can't be true; ${next}`);
  }

  /** What watches are told that wait for a copy which can't be filled with anything true: no reason to wait on. */
  function unbelievable(): StatusError {
    const what = `the store of ${definition.plural} tells of its revisions what can't be true`;
    return serviceUnavailable(what, unbelievableRetrySeconds);
  }

  async function fill(): Promise<void> {
    const found = new Map<string, CachedObject>();
    const read: ReadAt = own?.startAt === undefined ? { at: "latest" } : { at: "exact", revision: own.startAt };
    let continueToken: Uint8Array = new Uint8Array();
    let mark: Mark | undefined;
    let bytes = 0;
    do {
      const page = await listPage(read, continueToken);
      // Pages of a store without snapshots may be newer than the first mark; following from the
      // first mark repairs them.
      assertMark(page, mark?.revision);
      mark ??= { revision: page.revision, epoch: page.epoch };
      for (const item of page.items) {
        found.set(keyOf(item), make.object(item));
        bytes += item.json.length;
      }
      holding.assertFits(bytes, 0);
      continueToken = page.continueToken;
    } while (continueToken.length > 0);
    holdEpochStart(mark);
    assertEpochStart(mark, { epoch, revision });
    const history = await backfill(mark).catch((error: unknown) => {
      if (!(error instanceof StoreLied) || isLieFinal()) throw error;
      noteLie(error, "its copy begins without history");
      return emptyHistory(mark.revision);
    });
    revision = mark.revision;
    epoch = mark.epoch;
    objects = KeyTree.fromSorted([...found].sort(([a], [b]) => compareKeys(a, b)));
    copyBytes = 0;
    for (const object of found.values()) copyBytes += object.stored.json.length;
    holding.hold(copyBytes, history.bytes);
    states.restart({ revision, objects });
    ring = history;
    blurs = [];
    filled = true;
    if (givenUp !== undefined) log.info(about, "the copy is kept again");
    givenUp = undefined;
    observe?.filled(found.size);
    settleReady(undefined);
    settleWaiters();
  }

  /** @throws StatusError while a store that began anew may not have been told yet what it must begin above. */
  function holdEpochStart(mark: Mark): void {
    const isLow = mark.epoch !== epoch && mark.revision < revision;
    lowEpochSince = isLow ? (lowEpochSince ?? performance.now()) : undefined;
    if (lowEpochSince === undefined || performance.now() - lowEpochSince > epochPatienceMs) return;
    throw tooManyRequests(`the store of ${definition.plural} begins a new epoch`, 1);
  }

  /** Only for everybody's copy: a watch of its own is told nothing of before. */
  async function backfill(mark: Mark): Promise<Ring<FeedEvent>> {
    if (own !== undefined) return emptyHistory(mark.revision);
    const call = { timeoutMs: fillCallMs, signal: stop.signal };
    return await readHistory(mark, { definition, client, make, limits: ringLimits, at: now(), ...call });
  }

  function emptyHistory(floor: bigint): Ring<FeedEvent> {
    return new Ring(floor, now(), ringLimits);
  }

  /** A page of everything. */
  function listPage(read: ReadAt, continueToken: Uint8Array): Promise<ListPage> {
    const call = { ...(own?.caller ?? nobody), timeoutMs: fillCallMs, signal: stop.signal };
    return client.list({ namespace: "", read, limit: fillPage, continueToken }, call);
  }

  /** What changes after the copy's revision. */
  function frames(): AsyncIterable<WatchFrame> {
    const { polledWatchMs } = definition;
    if (polledWatchMs === 0) return client.watch({ after: revision, epoch, caller: own?.caller, signal: stop.signal });
    return polledWatch({
      list: (continueToken) => listPage({ at: "latest" }, continueToken),
      known: () => ({ revision, get: (key) => objects.get(key)?.stored, values: storedObjects }),
      untilDue: () => pulse.next(polledWatchMs, stop.signal),
      signal: stop.signal,
    });
  }

  function* storedObjects(): Iterable<StoredObject> {
    for (const { stored } of objects.values()) yield stored;
  }

  /** @param onHeld is given each frame that can be believed. */
  async function follow(onHeld: (frame: WatchFrame) => void): Promise<void> {
    for await (const frame of frames()) {
      if (stop.signal.aborted) return;
      switch (frame.frame) {
        case "started":
          if (frame.epoch !== epoch) throw expired("The store began a new epoch.");
          isFollowing = true;
          break;
        case "events":
          if (frame.blurred !== undefined) blurs = [...blurs.filter(({ to }) => to >= ring.floor), frame.blurred];
          apply(frame.events);
          break;
        case "progress":
          advance(frame.revision);
          break;
        case "expired":
          throw expired("The resourceVersion for the provided watch is too old.");
      }
      onHeld(frame);
    }
  }

  function apply(changes: readonly StoreEvent[]): void {
    const events: FeedEvent[] = [];
    const at = now();
    for (const change of changes) {
      assertNext(change, revision);
      const key = keyOf(change.object);
      const before = objects.get(key);
      const after = change.type === "put" ? make.object(change.object) : undefined;
      const event = make.event(change, before, after, at);
      objects = after === undefined ? objects.without(key) : objects.with(key, after);
      copyBytes += (after?.stored.json.length ?? 0) - (before?.stored.json.length ?? 0);
      revision = change.object.revision;
      ring.push(event);
      events.push(event);
    }
    if (events.length === 0) return;
    // Those in between can be made again.
    states.push({ revision, objects }, ring.floor);
    observe?.received(events.length);
    for (const subscriber of [...subscribers]) tell(subscriber, events);
    settleWaiters();
    holding.hold(copyBytes, ring.bytes);
  }

  /** Whoever can't show what changed ends alone: the copy has it already, so nobody would be told of it again. */
  function tell(subscriber: Subscriber, events: readonly FeedEvent[]): void {
    try {
      subscriber.events(events);
    } catch (error) {
      log.error({ ...about, error: (error as Error).message }, "a watch can't show a change, and ends");
      subscribers.delete(subscriber);
      subscriber.end(internalError("the change can't be shown"));
    }
  }

  function advance(to: bigint): void {
    assertProgress(to, revision);
    if (to === revision) return;
    revision = to;
    for (const subscriber of [...subscribers]) subscriber.progress(revision);
    settleWaiters();
  }

  /** History is gone: everybody starts over. */
  function lose(status: StatusError): void {
    log.info(about, "the store's history is gone; watchers start over");
    filled = false;
    endAll(status);
  }

  /** Keeps nothing any more, until the resource is described anew, the gateway starts again, or a copy fits. */
  function giveUp(why: GivenUp, toWatches: StatusError | undefined): void {
    givenUp = why;
    filled = false;
    objects = KeyTree.empty();
    copyBytes = 0;
    holding.release();
    states.restart({ revision, objects });
    ring = emptyHistory(revision);
    endAll(toWatches);
    settleReady(refusal(why));
  }

  function refusal(why: GivenUp): StatusError {
    return why === "quarantined"
      ? quarantined(definition)
      : serviceUnavailable(`${definition.plural} are too large together to be watched`, tooLargeRetrySeconds);
  }

  function endAll(status: StatusError | undefined): void {
    const ended = [...subscribers];
    subscribers.clear();
    for (const subscriber of ended) subscriber.end(status);
  }

  function settleReady(error: StatusError | undefined): void {
    const settled = [...readyWaiters];
    readyWaiters.clear();
    for (const settle of settled) settle(error);
  }

  function settleWaiters(): void {
    for (const waiter of [...waiters]) {
      if (waiter.revision > revision) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  }

  const isBlurred = (at: bigint) => blurs.some(({ from, to }) => from <= at && at <= to);

  function reachWithin(wanted: bigint, timeoutMs: number): boolean | Promise<boolean> {
    if (wanted <= revision) return true;
    pulse.wake();
    return new Promise<boolean>((resolve) => {
      const waiter = {
        revision: wanted,
        resolve: () => {
          clearTimeout(timer);
          resolve(true);
        },
      };
      const timer = setTimeout(() => {
        waiters.delete(waiter);
        resolve(false);
      }, timeoutMs);
      waiters.add(waiter);
    });
  }

  return {
    get revision() {
      return revision;
    },
    async ready(signal) {
      if (filled) return;
      if (givenUp !== undefined) throw refusal(givenUp);
      if (stop.signal.aborted) throw serviceUnavailable("the resource is no longer served", 1);
      await new Promise<void>((resolve, reject) => {
        const settle = (error: StatusError | undefined) => {
          clearTimeout(timer);
          signal.removeEventListener("abort", onAbort);
          readyWaiters.delete(settle);
          if (error === undefined) resolve();
          else reject(error);
        };
        const onAbort = () => settle(tooManyRequests("storage is (re)initializing", 1));
        const timer = setTimeout(onAbort, fillTimeoutMs);
        signal.addEventListener("abort", onAbort, { once: true });
        readyWaiters.add(settle);
      });
    },
    async reach(wanted) {
      if (!(await reachWithin(wanted, reachTimeoutMs))) throw tooLargeResourceVersion(wanted, revision);
    },
    reachWithin,
    figures() {
      const state = givenUp ?? (!filled ? "filling" : isFollowing ? "following" : "broken");
      return {
        ...{ state, objects: objects.size, bytes: copyBytes },
        ...{ historyEvents: ring.size, historyBytes: ring.bytes },
        historySeconds: filled ? (now() - ring.floorAt) / 1000 : 0,
      };
    },
    get isFollowing() {
      return isFollowing;
    },
    get isOverLimit() {
      return givenUp === "over_limit";
    },
    state: () => (filled ? { revision, objects } : undefined),
    stateAt(at) {
      const state = filled && at <= revision && !isBlurred(at) ? states.at(at) : undefined;
      const later = state && ring.after(state.revision, at);
      return state && later && stateAfter(state, later);
    },
    initial: (range) => ({ revision, objects: objects.values(range) }),
    subscribe(after, subscriber) {
      const missed = isBlurred(after) ? undefined : ring.after(after);
      // It was while its initial objects were read that the copy went: those in between would be missed.
      if (!filled) throw givenUp === undefined ? expired("The store's history is gone.") : refusal(givenUp);
      if (missed === undefined) throw expired(`too old resource version: ${after} (${ring.floor})`);
      subscribers.add(subscriber);
      if (missed.length > 0) subscriber.events(missed);
      return () => subscribers.delete(subscriber);
    },
    close() {
      stop.abort();
      holding.release();
      own?.onClose();
      settleReady(serviceUnavailable("the resource is no longer served", 1));
      endAll(undefined);
    },
  };
}

/** What is answered for a resource whose store isn't believed any more. */
export function quarantined({ plural }: ResourceDefinition): StatusError {
  const what = `${plural} are in quarantine: their store told of its revisions what can't be true`;
  return serviceUnavailable(what, unbelievableRetrySeconds);
}

/**
 * What a watch is told while the copy can't be filled. Kubernetes' cacher answers 429 then, and client-go goes
 * on where it was; after 503 it would list.
 */
function notFilled(error: unknown): StatusError {
  if (!(error instanceof StatusError)) return tooManyRequests("the store can't be read", 1);
  const { code, message = "" } = error.status;
  return code === 503 ? tooManyRequests(message, 1) : error;
}
