/**
 * For each watched resource one change feed from its store, a copy of its objects and a ring of
 * recent events; from it every watcher is served.
 *
 * The rule that always holds: a subscriber gets each change after its starting revision once, in
 * revision order, until it is told that it can't. A feed starts with the first who needs it and
 * lives as long as the resource is served.
 * Source: apiserver pkg/storage/cacher.
 */
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import type { CallContext, Registry } from "../registry/registry.ts";
import { createFeed, type Feed, type FeedOptions, type Present } from "./feed.ts";

export type { CachedObject, Feed, FeedEvent, Present, Subscriber } from "./feed.ts";

/** The feeds of all resources. */
export interface WatchCache {
  /** Gives the feed of a resource that is served, starting it if need be. */
  feed(definition: ResourceDefinition): Feed;
  /**
   * Gives a feed of what this user is shown, for a watch of its own: whoever asks for it closes it.
   * It can be resumed after `after`, if the store can read that state. Undefined, and 0: it begins now.
   */
  ownFeed(definition: ResourceDefinition, caller: CallContext, after: bigint | undefined): Feed;
  /** Ends every feed; watchers see the end of their stream. */
  close(): void;
}

/** What the cache is made with. `present` turns stored bytes into what clients of a version see. */
export interface WatchCacheOptions extends Pick<FeedOptions, "log"> {
  readonly registry: Registry;
  readonly present: Present;
}

/** Creates the cache. A feed whose resource goes away, or is described anew, ends with its watches. */
export function createWatchCache(options: WatchCacheOptions): WatchCache {
  const feeds = new Map<ResourceDefinition, Feed>();
  const own = new Map<Feed, ResourceDefinition>();
  const stopListening = options.registry.onChange((table) => {
    const served = new Set(table.resources);
    for (const [definition, feed] of feeds) {
      if (served.has(definition)) continue;
      feeds.delete(definition);
      feed.close();
    }
    for (const [feed, definition] of own) if (!served.has(definition)) feed.close();
  });
  return {
    feed(definition) {
      let feed = feeds.get(definition);
      if (feed === undefined) {
        const client = options.registry.client(definition);
        feed = createFeed({ definition, client, present: options.present, log: options.log });
        feeds.set(definition, feed);
      }
      return feed;
    },
    ownFeed(definition, caller, after = 0n) {
      const client = options.registry.client(definition);
      const { present, log } = options;
      const startAt = after === 0n || !definition.capabilities.exactRead ? undefined : after;
      const onClose = () => own.delete(feed);
      const feed: Feed = createFeed({ definition, client, present, log, own: { caller, startAt, onClose } });
      own.set(feed, definition);
      return feed;
    },
    close() {
      stopListening();
      for (const feed of [...feeds.values(), ...own.keys()]) feed.close();
      feeds.clear();
    },
  };
}
