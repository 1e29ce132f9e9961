/**
 * The stores as the gateway sees them: calls, state, feeds, sessions; and what of them is kept here.
 *
 * Calls are counted as they end. The rest is read when somebody looks, from what registry and
 * watchcache say of themselves then.
 */
import { counter, type Family, gauge, histogram } from "./family.ts";

/** One call to a store that has ended. */
export interface StoreCallCount {
  readonly store: string;
  /** The contract's word: `Get`, `Watch`. */
  readonly method: string;
  /** gRPC's word: `OK`, `NotFound`. */
  readonly code: string;
  /** Undefined for a stream that lasts. */
  readonly seconds: number | undefined;
}

/** One store now. */
export interface StoreFigures {
  readonly name: string;
  readonly state: string;
  readonly sessions: number;
  readonly endpoints: { readonly ready: number; readonly all: number };
  /** Resources that it describes and that are refused. */
  readonly refused: number;
  /** Groups and versions that it serves, and whether kube-apiserver has asked for them. */
  readonly groupVersions: readonly {
    readonly group: string;
    readonly version: string;
    readonly isRegistered: boolean;
  }[];
  readonly feeds: readonly FeedFigures[];
}

/** One resource's feed now. */
export interface FeedFigures {
  readonly group: string;
  readonly resource: string;
  readonly state: string;
  readonly objects: number;
  /** Of the objects as they lie in the store. */
  readonly bytes: number;
  readonly historyEvents: number;
  readonly historyBytes: number;
  /** How far back in time watches can resume, at least. */
  readonly historySeconds: number;
}

/** Takes what registry tells, and what is so now. */
export interface StoreMetrics {
  readonly families: readonly Family[];
  called(call: StoreCallCount): void;
  read(figures: { readonly isRegistered: boolean; readonly stores: readonly StoreFigures[] }): void;
}

/** States as gauges: 1 for the present one, 0 for the others, so that each can be waited for by name. */
const storeStates = ["connecting", "ready", "away"] as const;
const feedStates = ["filling", "following", "broken", "over_limit", "quarantined"] as const;

/** Makes the families. */
export function createStoreMetrics(): StoreMetrics {
  const ofFeed = ["store", "group", "resource"] as const;
  const calls = counter({
    name: "annex_store_requests_total",
    help: "Calls to stores by the code that they ended with.",
    labels: ["store", "method", "code"],
  });
  const times = histogram({
    name: "annex_store_request_duration_seconds",
    help: "Time that calls to stores took, lasting streams apart.",
    labels: ["store", "method"],
    buckets: [...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5], ...[1, 2.5, 5, 10, 30, 60]],
  });
  const registered = gauge({
    name: "annex_registered",
    help: "Whether kube-apiserver's aggregation layer has asked this gateway for anything yet.",
    labels: [],
  });
  const groups = gauge({
    name: "annex_store_registered",
    help: "Whether kube-apiserver's aggregation layer has asked for a store's group and version yet: an APIService leads here.",
    labels: ["store", "group", "version"],
  });
  const states = gauge({
    name: "annex_store_state",
    help: "1 for the state that a store is in.",
    labels: ["store", "state"],
  });
  const sessions = gauge({
    name: "annex_store_sessions",
    help: "Sessions with a store that are open.",
    labels: ["store"],
    whole: "sum",
  });
  const endpoints = gauge({
    name: "annex_store_endpoints",
    help: "Endpoints of a store: ready are those that answer and are in use.",
    labels: ["store", "state"],
  });
  const refused = gauge({
    name: "annex_store_refused_resources",
    help: "Resources that a store describes and that are refused; the log says why.",
    labels: ["store"],
  });
  const feeds = gauge({
    name: "annex_store_feed_state",
    help: "1 for the state that a resource's feed is in: while it is broken watches stay open and nothing is lost; over its limit or in quarantine it is given up.",
    labels: ["store", "group", "resource", "state"],
  });
  const objects = gauge({
    name: "annex_store_cache_objects",
    help: "Objects in a resource's copy.",
    labels: ofFeed,
  });
  const bytes = gauge({
    name: "annex_store_cache_bytes",
    help: "Bytes of the objects in a resource's copy, as they lie in the store.",
    labels: ofFeed,
  });
  const historyEvents = gauge({
    name: "annex_store_cache_history_events",
    help: "Events that watches of a resource can resume from.",
    labels: ofFeed,
  });
  const historyBytes = gauge({
    name: "annex_store_cache_history_bytes",
    help: "Bytes of the objects in those events.",
    labels: ofFeed,
  });
  const historySeconds = gauge({
    name: "annex_store_cache_history_seconds",
    help: "Seconds back, at least, to where watches of a resource can resume: to the oldest of those events, or to the start of a copy that has dropped none.",
    labels: ofFeed,
    whole: "min",
  });
  const histories = [historyEvents, historyBytes, historySeconds];
  const told = [groups, states, sessions, endpoints, refused, feeds, objects, bytes, ...histories];

  function readFeed(store: string, feed: FeedFigures): void {
    const { group, resource } = feed;
    for (const state of feedStates) feeds.with(store, group, resource, state).set(Number(feed.state === state));
    objects.with(store, group, resource).set(feed.objects);
    bytes.with(store, group, resource).set(feed.bytes);
    historyEvents.with(store, group, resource).set(feed.historyEvents);
    historyBytes.with(store, group, resource).set(feed.historyBytes);
    historySeconds.with(store, group, resource).set(feed.historySeconds);
  }

  return {
    families: [calls, times, registered, ...told],
    called({ store, method, code, seconds }) {
      calls.with(store, method, code).add();
      if (seconds !== undefined) times.with(store, method).observe(seconds);
    },
    read({ isRegistered, stores }) {
      registered.with().set(Number(isRegistered));
      for (const family of told) family.clear();
      for (const store of stores) {
        for (const state of storeStates) states.with(store.name, state).set(Number(store.state === state));
        sessions.with(store.name).set(store.sessions);
        endpoints.with(store.name, "ready").set(store.endpoints.ready);
        endpoints.with(store.name, "away").set(store.endpoints.all - store.endpoints.ready);
        refused.with(store.name).set(store.refused);
        for (const { group, version, isRegistered: isFound } of store.groupVersions)
          groups.with(store.name, group, version).set(Number(isFound));
        for (const feed of store.feeds) readFeed(store.name, feed);
      }
    },
  };
}
