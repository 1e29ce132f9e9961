import assert from "node:assert/strict";
import { test } from "node:test";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import type { Registry, ResourceClient, StoredObject, WatchFrame } from "../registry/registry.ts";
import { createWatchCache } from "./watchcache.ts";

const capabilities = { ...definitionWith().capabilities, previousObject: false };
const key = { namespace: "ns", name: "a" };
const stored: StoredObject = { ...key, revision: 5n, json: new Uint8Array(1) };

/** A cache over a store with one object, whose feed breaks when the test says. */
function cacheOver() {
  const { promise: broken, reject: breakFeed } = Promise.withResolvers<never>();
  const client = {
    list: async () => ({ items: [stored], revision: 10n, epoch: "e", continueToken: new Uint8Array() }),
    async *watch(): AsyncGenerator<WatchFrame> {
      yield { frame: "started", revision: 10n, epoch: "e", oldestResumable: 0n };
      await broken;
    },
  } as unknown as ResourceClient;
  const registry = { onChange: () => () => {}, client: () => client } as unknown as Registry;
  const presenter = { now: () => assert.fail("nobody looks"), inSlices: () => assert.fail("nobody looks") };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const cache = createWatchCache({ registry, log, presenterOf: () => presenter });
  return { cache, breakFeed: () => breakFeed(new Error("the store is away")) };
}

test("WatchCache.known() gives what the copy has, once somebody has asked for it and while it is followed", async (t) => {
  const definition = definitionWith({ capabilities });
  const { cache, breakFeed } = cacheOver();
  t.after(() => cache.close());
  assert.equal(cache.known(definition, key), undefined);
  const feed = cache.feed(definition);
  await feed.ready(new AbortController().signal);
  await eventTurn();
  assert.equal(cache.known(definition, key)?.revision, 5n);
  assert.equal(cache.known(definition, { ...key, name: "b" }), undefined);
  breakFeed();
  await eventTurn();
  assert.equal(feed.isFollowing, false);
  assert.equal(cache.known(definition, key), undefined);
});

test("WatchCache.known() knows nothing of a copy that is made of lists", async (t) => {
  const definition = definitionWith({ polledWatchMs: 1_000_000, capabilities });
  const { cache } = cacheOver();
  t.after(() => cache.close());
  await cache.feed(definition).ready(new AbortController().signal);
  assert.equal(cache.known(definition, key), undefined);
});

const eventTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
