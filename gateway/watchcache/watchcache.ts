/**
 * For each resource that is read one change feed from its store, a copy of its objects and a ring of
 * recent events; from it every watcher is served, and every read that the copy is fresh enough for.
 *
 * The rules that always hold: a subscriber gets each change after its starting revision once, in
 * revision order, until it is told that it can't. A read of the latest state shows every write that
 * was acknowledged before it. A feed starts with the first who needs it and lives as long as the
 * resource is served.
 * Source: apiserver pkg/storage/cacher.
 */
import { after, isPromise } from "../apimachinery/promise.ts";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import { tooManyRequests } from "../apimachinery/status.ts";
import type { CallContext, ObjectKey, ReadAt, Registry, StoredObject } from "../registry/registry.ts";
import type { Presenter } from "./cached-object.ts";
import { canBeDirect, createDirectFeed } from "./direct-feed.ts";
import {
  createFeed,
  type Feed,
  type FeedFigures,
  type FeedOptions,
  type ObserveFeed,
  quarantined,
  type WatchSource,
} from "./feed.ts";
import { keyOf } from "./feed-event.ts";
import { nobody } from "./history.ts";
import { JoinedItems } from "./joined-items.ts";
import { type CacheLimits, createMemory } from "./memory.ts";
import { type AskHead, createSharedHead } from "./shared-head.ts";
import type { State } from "./states.ts";

export type { CachedObject, Presenter } from "./cached-object.ts";
export type { FeedFigures, Initial, ObserveFeed, Subscriber, WatchSource } from "./feed.ts";
export { type FeedEvent, keyOf } from "./feed-event.ts";
export { compareKeys } from "./key-order.ts";
export type { KeyRange, KeyTree } from "./key-tree.ts";
export type { CacheLimits } from "./memory.ts";
export type { State } from "./states.ts";

/** The feeds of all resources. */
export interface WatchCache {
  /**
   * Gives what a watch is served from, once that is ready: the feed of all, or one of its own where the answer
   * depends on who asks, or the resource is too large to be kept.
   * @throws StatusError 429 if it can't be ready in time, or there are too many feeds of one watch;
   *   503 for a resource that is too large, of a store that can't serve it without a copy; what else it was told.
   */
  source(definition: ResourceDefinition, start: WatchStart): Promise<OpenSource>;
  /**
   * Gives the copy in a state that is as fresh as asked; undefined: the store must be asked.
   * @throws StatusError 504 for a revision that isn't reached in three seconds, and what asking the
   *   store for its head throws.
   */
  read(definition: ResourceDefinition, at: ReadAt): State | undefined | Promise<State | undefined>;
  /**
   * Gives an object as the copy has it, however late it is. Undefined: it hasn't, or nobody has asked for a copy, or
   * its store isn't followed.
   */
  known(definition: ResourceDefinition, key: ObjectKey): StoredObject | undefined;
  /** Gives the store's head as of no earlier than now; those who ask at once share one call. */
  head(definition: ResourceDefinition): ReturnType<AskHead>;
  /** The bytes of lists, joined once for all. */
  readonly joined: JoinedItems;
  /** How a resource's feed is; undefined if nobody has needed one yet. */
  figures(definition: ResourceDefinition): FeedFigures | undefined;
  /** @throws StatusError 503 for a resource whose store lied, where lies put it in quarantine. */
  assertBelieved(definition: ResourceDefinition): void;
  /** Ends every feed; watchers see the end of their stream. */
  close(): void;
}

/** Who watches, and from where. */
export interface WatchStart {
  readonly caller: CallContext;
  /** Undefined, and 0: from now. Another revision is resumed from, if what there is reaches back so far. */
  readonly after: bigint | undefined;
}

/** What a watch is served from while it is open. */
export interface OpenSource {
  readonly feed: WatchSource;
  /** Ends it where it is the watch's own. */
  release(): void;
}

/** Is told what happens to one resource's feed and the reads from it. */
export interface ObserveCopy extends ObserveFeed {
  /** A read waited until the copy was fresh enough, or gave up. */
  waited(seconds: number): void;
  /** A read of the latest state was answered from the copy, or else sent to the store. */
  consistentRead(isFromCopy: boolean): void;
}

/** What the cache is made with. */
export interface WatchCacheOptions extends Pick<FeedOptions, "log"> {
  readonly registry: Registry;
  readonly limits: CacheLimits;
  /** Turns a resource's stored objects into what clients see. */
  readonly presenterOf: (definition: ResourceDefinition) => Presenter;
  /** Gives who is told of a resource. Default: nobody. */
  readonly observe?: (definition: ResourceDefinition) => ObserveCopy;
  /** Whether a lie of its store puts a resource in quarantine. Default: none is. */
  readonly quarantines?: (definition: ResourceDefinition) => boolean;
}

/** A call for the head that takes longer has failed. Longer than a breaker needs to find that nobody answers, which is a 503. */
const headTimeoutMs = 30_000;
/** How long a read of the latest state waits for the copy before it asks the store: the copy is near, or broken. */
const freshWaitMs = 1_000;

/** Feeds of one watch: each is a stream of its store, whose changes are decoded for nobody else. */
const maxOwnFeeds = 1_024;
const tooManyRetrySeconds = 5;

/** What is kept of one resource. */
interface Entry {
  readonly feed: Feed;
  readonly askHead: AskHead;
  readonly observe: ObserveCopy | undefined;
}

/** Creates the cache. A feed whose resource goes away, or is described anew, ends with its watches. */
export function createWatchCache(options: WatchCacheOptions): WatchCache {
  const { registry, presenterOf, log } = options;
  const openHolding = createMemory(options.limits);
  const entries = new Map<ResourceDefinition, Entry>();
  /** Feeds of one watch. */
  const own = new Map<{ close(): void }, ResourceDefinition>();
  /** Until they are described anew. */
  const disbelieved = new WeakSet<ResourceDefinition>();
  const stopListening = registry.onChange((table) => {
    const served = new Set(table.resources);
    for (const [definition, { feed }] of entries) {
      if (served.has(definition)) continue;
      entries.delete(definition);
      feed.close();
    }
    for (const [feed, definition] of own) if (!served.has(definition)) feed.close();
  });

  const isLieFinal = (definition: ResourceDefinition) => () => {
    if (options.quarantines?.(definition) !== true) return false;
    disbelieved.add(definition);
    return true;
  };

  /** What every feed of a resource is made with. */
  const partsOf = (definition: ResourceDefinition) => {
    return { definition, log, client: registry.client(definition), presenter: presenterOf(definition) };
  };

  /** What a feed with a copy is made with. */
  function feedOptions(definition: ResourceDefinition, observe = options.observe?.(definition)): FeedOptions {
    return { ...partsOf(definition), observe, isLieFinal: isLieFinal(definition), holding: openHolding() };
  }

  function entryOf(definition: ResourceDefinition): Entry {
    let entry = entries.get(definition);
    if (entry === undefined) {
      const client = registry.client(definition);
      const never = new AbortController().signal;
      const observe = options.observe?.(definition);
      entry = {
        observe,
        feed: createFeed(feedOptions(definition, observe)),
        askHead: createSharedHead(() => client.currentRevision({ ...nobody, timeoutMs: headTimeoutMs, signal: never })),
      };
      entries.set(definition, entry);
    }
    return entry;
  }

  /** Makes a feed for one watch ready. @param create is given what is to be called when it is closed. */
  async function ownSource<F extends WatchSource & { close(): void }>(
    definition: ResourceDefinition,
    { signal }: CallContext,
    create: (onClose: () => void) => F,
  ): Promise<OpenSource> {
    if (own.size >= maxOwnFeeds)
      throw tooManyRequests(
        `too many watches of ${definition.plural} and others that can't share a stream`,
        tooManyRetrySeconds,
      );
    const feed: F = create(() => own.delete(feed));
    own.set(feed, definition);
    try {
      await feed.ready(signal);
    } catch (error) {
      feed.close();
      throw error;
    }
    return { feed, release: () => feed.close() };
  }

  /** Serves a watch from a copy for its user alone. */
  async function userSource(definition: ResourceDefinition, { caller, after = 0n }: WatchStart): Promise<OpenSource> {
    const startAt = after === 0n || !definition.capabilities.exactRead ? undefined : after;
    return await ownSource(definition, caller, (onClose) =>
      createFeed({ ...feedOptions(definition), own: { caller, startAt, onClose } }),
    );
  }

  /** Serves a watch without a copy. */
  async function directSource(definition: ResourceDefinition, caller: CallContext): Promise<OpenSource> {
    return await ownSource(definition, caller, (onClose) =>
      createDirectFeed({
        ...partsOf(definition),
        onClose,
        onLie(error) {
          options.observe?.(definition).lied();
          isLieFinal(definition)();
          log.error(
            { resource: definition.plural, group: definition.group, error: error.message },
            "the store told what can't be true; a watch of its own ends",
          );
        },
      }),
    );
  }

  return {
    async source(definition, start) {
      if (definition.perUserReads) return await userSource(definition, start);
      const { feed } = entryOf(definition);
      try {
        await feed.ready(start.caller.signal);
      } catch (error) {
        if (!feed.isOverLimit || !canBeDirect(definition)) throw error;
        return await directSource(definition, start.caller);
      }
      return { feed, release: doNothing };
    },
    read(definition, at) {
      if (!isCacheable(definition)) return undefined;
      const entry = entryOf(definition);
      const { feed } = entry;
      if (feed.state() === undefined) return undefined;
      switch (at.at) {
        case "any":
          return feed.state();
        case "exact":
          // A store that reads no earlier state can't make up for a copy that is late.
          if (definition.capabilities.exactRead || at.revision <= feed.revision || !feed.isFollowing)
            return feed.stateAt(at.revision);
          return after(timed(feed.reach(at.revision), entry.observe), () => feed.stateAt(at.revision));
        case "notOlderThan":
          if (at.revision > feed.revision && !feed.isFollowing) return undefined;
          return after(timed(feed.reach(at.revision), entry.observe), () => feed.state());
        case "latest":
          return latest(entry);
      }
    },
    known(definition, key) {
      const isFollowed = isCacheable(definition) && definition.polledWatchMs === 0;
      const feed = isFollowed ? entries.get(definition)?.feed : undefined;
      return feed?.isFollowing === true ? feed.state()?.objects.get(keyOf(key))?.stored : undefined;
    },
    joined: new JoinedItems(),
    figures: (definition) => entries.get(definition)?.feed.figures(),
    head: (definition) => entryOf(definition).askHead(),
    assertBelieved(definition) {
      if (disbelieved.has(definition)) throw quarantined(definition);
    },
    close() {
      stopListening();
      for (const feed of [...[...entries.values()].map((entry) => entry.feed), ...own.keys()]) feed.close();
      entries.clear();
    },
  };
}

const doNothing = (): void => {};

/** Gives the copy with every write that was acknowledged before; undefined: it isn't fresh, and the store must be asked. */
async function latest({ feed, askHead, observe }: Entry): Promise<State | undefined> {
  // A feed that broke may be far behind: its store is asked anyway.
  let state: State | undefined;
  if (feed.isFollowing) {
    const head = await askHead();
    const reached = timed(feed.reachWithin(head.lastChange ?? head.revision, freshWaitMs), observe);
    if (isPromise(reached) ? await reached : reached) state = feed.state();
  }
  observe?.consistentRead(state !== undefined);
  return state;
}

/** Tells how long a read waits for the copy, however that ends. */
function timed<T>(wait: T | Promise<T>, observe: ObserveCopy | undefined): T | Promise<T> {
  const began = performance.now();
  const tell = () => observe?.waited((performance.now() - began) / 1000);
  if (isPromise(wait)) return wait.finally(tell);
  tell();
  return wait;
}

/**
 * Whether reads can be answered from a copy: everybody sees the same, the store tells what changes, and
 * no read is converted by its store, which may refuse to.
 */
function isCacheable({ perUserReads, verbs, capabilities, polledWatchMs }: ResourceDefinition): boolean {
  const isFollowed = verbs.includes("watch") && (capabilities.resume || polledWatchMs > 0);
  return !perUserReads && isFollowed && !capabilities.hookConvert;
}
