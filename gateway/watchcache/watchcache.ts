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
import type { Registry } from "../registry/registry.ts";
import { createFeed, type Feed, type FeedOptions, type Present } from "./feed.ts";

export type { CachedObject, Feed, FeedEvent, Present, Subscriber } from "./feed.ts";

/** The feeds of all resources. */
export interface WatchCache {
  /** Gives the feed of a resource that is served, starting it if need be. */
  feed(definition: ResourceDefinition): Feed;
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
  const stopListening = options.registry.onChange((table) => {
    const served = new Set(table.resources);
    for (const [definition, feed] of feeds) {
      if (served.has(definition)) continue;
      feeds.delete(definition);
      feed.close();
    }
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
    close() {
      stopListening();
      for (const feed of feeds.values()) feed.close();
      feeds.clear();
    },
  };
}
