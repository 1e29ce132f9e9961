import assert from "node:assert/strict";
import { test } from "node:test";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import type { StatusError } from "../apimachinery/status.ts";
import type { Registry, ResourceClient, StoredObject, WatchFrame } from "../registry/registry.ts";
import { nobody } from "./history.ts";
import { createWatchCache } from "./watchcache.ts";

const capabilities = { ...definitionWith().capabilities, previousObject: false };
const key = { namespace: "ns", name: "a" };
const limits = { maxCopyBytes: 1e6, maxHistoryBytes: 1e6, maxTotalBytes: 1e6 };
const caller = { ...nobody, timeoutMs: 60_000, signal: new AbortController().signal };
const stored: StoredObject = { ...key, revision: 5n, json: new Uint8Array(1) };

/** A cache over a store with one object, whose feed breaks when the test says. */
function cacheOver(given = limits) {
  const { promise: broken, reject: breakFeed } = Promise.withResolvers<never>();
  const client = {
    currentRevision: async () => ({ revision: 10n, lastChange: 5n }),
    list: async () => ({ items: [stored], revision: 10n, epoch: "e", continueToken: new Uint8Array() }),
    async *watch(): AsyncGenerator<WatchFrame> {
      yield { frame: "started", revision: 10n, epoch: "e", oldestResumable: 0n };
      await broken;
    },
  } as unknown as ResourceClient;
  const registry = { onChange: () => () => {}, client: () => client } as unknown as Registry;
  const presenter = { now: () => assert.fail("nobody looks"), inSlices: () => assert.fail("nobody looks") };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const cache = createWatchCache({ registry, log, limits: given, presenterOf: () => presenter });
  return { cache, breakFeed: () => breakFeed(new Error("the store is away")) };
}

test("WatchCache.known() gives what the copy has, once somebody has asked for it and while it is followed", async (t) => {
  const definition = definitionWith({ capabilities });
  const { cache, breakFeed } = cacheOver();
  t.after(() => cache.close());
  assert.equal(cache.known(definition, key), undefined);
  await cache.source(definition, { caller, after: undefined });
  await eventTurn();
  assert.equal(cache.known(definition, key)?.revision, 5n);
  assert.equal(cache.known(definition, { ...key, name: "b" }), undefined);
  breakFeed();
  await eventTurn();
  assert.equal(cache.figures(definition)?.state, "broken");
  assert.equal(cache.known(definition, key), undefined);
});

test("WatchCache.known() knows nothing of a copy that is made of lists", async (t) => {
  const definition = definitionWith({ polledWatchMs: 1_000_000, capabilities });
  const { cache } = cacheOver();
  t.after(() => cache.close());
  await cache.source(definition, { caller, after: undefined });
  assert.equal(cache.known(definition, key), undefined);
});

test("WatchCache.source() opens streams for one watch up to a bound, and as many again as are released", async (t) => {
  const definition = definitionWith();
  const { cache } = cacheOver({ ...limits, maxCopyBytes: 0 });
  t.after(() => cache.close());
  const open = () => cache.source(definition, { caller, after: undefined });
  const sources = await Promise.all(Array.from({ length: 1_024 }, open));
  assert.equal(new Set(sources.map(({ feed }) => feed)).size, 1_024);
  await assert.rejects(open(), ({ status }: StatusError) => status.code === 429);
  sources[0]?.release();
  await open();
  await assert.rejects(open());
});

test("WatchCache.source() gives all the one feed of a resource that is kept", async (t) => {
  const { cache } = cacheOver();
  t.after(() => cache.close());
  const definition = definitionWith({ capabilities });
  const [one, other] = await Promise.all([1, 2].map(() => cache.source(definition, { caller, after: undefined })));
  assert.equal(one?.feed, other?.feed);
  one?.release();
  assert.equal(cache.figures(definition)?.state, "following");
});

const eventTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
