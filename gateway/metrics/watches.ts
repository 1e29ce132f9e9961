/**
 * What watches are sent, and what the copies that serve them do, in kube-apiserver's names.
 *
 * Source: apiserver pkg/endpoints/metrics/metrics.go, pkg/storage/cacher/metrics/metrics.go.
 */
import type { ResourceDefinition, ServedResource } from "../apimachinery/resource.ts";
import { counter, exponentialBuckets, type Family, histogram } from "./family.ts";

/** One watch's. */
export interface WatchCounts {
  /** Takes an event that was sent, with its size in bytes. */
  event(bytes: number): void;
  /** The client did not read, and was cut off. */
  terminated(): void;
}

/** One resource's copy's. */
export interface CopyCounts {
  /** Takes that the copy was filled. */
  filled(objects: number): void;
  /** Takes changes that the store told. */
  received(events: number): void;
  /** Takes how long a read waited until the copy was fresh enough. */
  waited(seconds: number): void;
  /** Takes a read of the latest state: from the copy, or from the store. */
  consistentRead(isFromCopy: boolean): void;
  /** The store told what can't be true. */
  lied(): void;
}

/** Takes what verbs/watch and watchcache tell. */
export interface WatchMetrics {
  readonly families: readonly Family[];
  watch(resource: ServedResource): WatchCounts;
  /** @param store whose resource it is. */
  copy(definition: ResourceDefinition, store: string): CopyCounts;
}

/** Makes the families. */
export function createWatchMetrics(): WatchMetrics {
  const labels = ["group", "resource"] as const;
  const events = counter({
    name: "apiserver_watch_events_total",
    help: "Events that watches were sent.",
    labels: ["group", "version", "resource"],
  });
  const sizes = histogram({
    name: "apiserver_watch_events_sizes",
    help: "Bytes of the events that watches were sent.",
    labels: ["group", "version", "resource"],
    buckets: exponentialBuckets(1024, 2, 8),
  });
  const terminated = counter({
    name: "apiserver_terminated_watchers_total",
    help: "Watches that were cut off because their client did not read.",
    labels,
  });
  const filled = counter({
    name: "apiserver_watch_cache_initializations_total",
    help: "Times that a copy was filled: once at its start, and again after its store lost history.",
    labels,
  });
  const objects = counter({
    name: "apiserver_init_events_total",
    help: "Objects that were read to fill a copy.",
    labels,
  });
  const received = counter({
    name: "apiserver_watch_cache_events_received_total",
    help: "Changes that stores told.",
    labels,
  });
  const waits = histogram({
    name: "apiserver_watch_cache_read_wait_seconds",
    help: "Time that reads waited until a copy was fresh enough.",
    labels,
    buckets: [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3],
  });
  const reads = counter({
    name: "apiserver_watch_cache_consistent_read_total",
    help: "Reads of the latest state: from a copy that was fresh in time, or else from the store (fallback).",
    labels: ["group", "resource", "success", "fallback"],
  });
  const lies = counter({
    name: "annex_store_revision_violations_total",
    help: "Times that a store told of its revisions what can't be true; its copy was filled again.",
    labels: ["store", "group", "resource"],
  });
  return {
    families: [events, sizes, terminated, filled, objects, received, waits, reads, lies],
    watch({ definition: { group, plural }, version }) {
      const counted = events.with(group, version.name, plural);
      const sized = sizes.with(group, version.name, plural);
      return {
        event(bytes) {
          counted.add();
          sized.observe(bytes);
        },
        terminated: () => terminated.with(group, plural).add(),
      };
    },
    copy({ group, plural }, store) {
      const read = waits.with(group, plural);
      const change = received.with(group, plural);
      const fromCopy = reads.with(group, plural, "true", "false");
      const fromStore = reads.with(group, plural, "false", "true");
      return {
        filled(count) {
          filled.with(group, plural).add();
          objects.with(group, plural).add(count);
        },
        received: (count) => change.add(count),
        waited: (seconds) => read.observe(seconds),
        consistentRead: (isFromCopy) => (isFromCopy ? fromCopy : fromStore).add(),
        lied: () => lies.with(store, group, plural).add(),
      };
    },
  };
}
