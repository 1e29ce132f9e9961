import assert from "node:assert/strict";
import { test } from "node:test";
import { definitionWith, versionWith } from "../apimachinery/resource.fixture.ts";
import type { StatusError } from "../apimachinery/status.ts";
import type { ResourceClient, StoredObject, StoreEvent, WatchFrame } from "../registry/registry.ts";
import { createFeed, type FeedOptions, type Subscriber } from "./feed.ts";
import type { FeedEvent } from "./feed-event.ts";
import { createMemory } from "./memory.ts";

const capabilities = { ...definitionWith().capabilities, previousObject: false };
const definition = definitionWith({ versions: [versionWith()], capabilities });
const object = (name: string, revision: bigint, bytes: number): StoredObject => ({
  namespace: "ns",
  name,
  revision,
  json: new Uint8Array(bytes),
});

/** A feed over a store that lists these objects at revision 10 and then tells what the test says. */
function feedOver(items: readonly StoredObject[], maxCopyBytes: number, given: Partial<FeedOptions> = {}) {
  const logged: string[] = [];
  const { promise: change, resolve: tell } = Promise.withResolvers<StoreEvent[]>();
  const client = {
    list: async () => ({ items, revision: 10n, epoch: "e", continueToken: new Uint8Array(), remaining: undefined }),
    async *watch({ signal }: { signal: AbortSignal }): AsyncGenerator<WatchFrame> {
      yield { frame: "started", revision: 10n, epoch: "e", oldestResumable: 0n };
      yield { frame: "events", events: await change };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as ResourceClient;
  const say = (_: object, message: string) => logged.push(message);
  const presenter = { now: () => assert.fail("nobody looks"), inSlices: () => assert.fail("nobody looks") };
  const log = { info: say, warn: say, error: say };
  const told: string[] = [];
  const observe = {
    filled: (objects: number) => told.push(`filled ${objects}`),
    received: (events: number) => told.push(`received ${events}`),
    lied: () => told.push("lied"),
  };
  const holding = createMemory({ maxCopyBytes, maxHistoryBytes: 1e6, maxTotalBytes: 1e9 })();
  const feed = createFeed({ definition, client, presenter, observe, log, holding, ...given });
  return { feed, logged, tell, told };
}

const isTooOld = (message: string) => (error: StatusError) => {
  assert.deepEqual(error.status, { code: 410, reason: "Expired", message });
  return true;
};
const isUnavailable = ({ status }: StatusError) => status.code === 503 && status.reason === "ServiceUnavailable";

test("createFeed() keeps no copy that is too large from the start", async (t) => {
  const { feed, logged } = feedOver([object("a", 1n, 600), object("b", 2n, 600)], 1_000);
  t.after(() => feed.close());
  await assert.rejects(feed.ready(new AbortController().signal), isUnavailable);
  await assert.rejects(feed.ready(new AbortController().signal), isUnavailable);
  assert.equal(feed.state(), undefined);
  assert.deepEqual(logged, ["the copy is given up for its size; reads and watches go to the store"]);
});

test("createFeed() gives up a copy that grows too large, and ends its watches without an error", async (t) => {
  const { feed, tell, told } = feedOver([object("a", 1n, 600)], 1_000);
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  assert.equal(feed.state()?.objects.size, 1);
  assert.deepEqual(told, ["filled 1"]);
  const ended = new Promise<StatusError | undefined>((resolve) => {
    feed.subscribe(10n, { events: () => {}, progress: () => {}, end: resolve });
  });
  tell([{ type: "put", object: object("b", 11n, 600) }]);
  assert.equal(await ended, undefined);
  assert.throws(() => feed.subscribe(11n, { events: () => {}, progress: () => {}, end: () => {} }), isUnavailable);
  assert.equal(feed.state(), undefined);
  assert.equal(feed.isFollowing, false);
  assert.deepEqual(told, ["filled 1", "received 1"]);
  assert.deepEqual(feed.figures(), {
    state: "over_limit",
    objects: 0,
    bytes: 0,
    historyEvents: 0,
    historyBytes: 0,
    historySeconds: 0,
  });
});

test("createFeed() fills a copy again that was too large, says so once, and follows when it fits", async (t) => {
  let items = [object("a", 1n, 600), object("b", 2n, 600)];
  let lists = 0;
  const client = {
    async list() {
      lists++;
      return { items, revision: 10n, epoch: "e", continueToken: new Uint8Array(), remaining: undefined };
    },
    async *watch({ signal }: { signal: AbortSignal }): AsyncGenerator<WatchFrame> {
      yield { frame: "started", revision: 10n, epoch: "e", oldestResumable: 0n };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as ResourceClient;
  const { feed, logged } = feedOver([], 1_000, { client, refillMs: 1 });
  t.after(() => feed.close());
  while (lists < 3) {
    await assert.rejects(feed.ready(new AbortController().signal), isUnavailable);
    await eventTurn();
  }
  assert.equal(feed.isOverLimit, true);
  items = items.slice(0, 1);
  while (feed.isOverLimit) await eventTurn();
  await feed.ready(new AbortController().signal);
  assert.equal(feed.state()?.objects.size, 1);
  assert.deepEqual(logged, [
    "the copy is given up for its size; reads and watches go to the store",
    "the copy is kept again",
  ]);
});

test("createFeed() takes no subscriber that would miss what happens until its copy is filled again", async (t) => {
  const { feed, tell } = feedOver([object("a", 1n, 600)], 10_000);
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  const none: Subscriber = { events: () => {}, progress: () => {}, end: () => {} };
  const lost = new Promise((resolve) => feed.subscribe(10n, { ...none, end: resolve }));
  tell([{ type: "put", object: object("b", 9n, 600) }]);
  await lost;
  assert.throws(
    () => feed.subscribe(10n, none),
    ({ status }: StatusError) => status.code === 410,
  );
});

test("createFeed() has each state between changes that came together", async (t) => {
  const { feed, tell } = feedOver([object("a", 1n, 1)], 10_000);
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  tell([
    { type: "put", object: object("b", 11n, 1) },
    { type: "put", object: object("a", 13n, 1) },
    { type: "delete", object: object("b", 14n, 1) },
  ]);
  await feed.reach(14n);
  const seen = [9n, 10n, 11n, 12n, 13n, 14n, 15n].map((revision) => {
    const state = feed.stateAt(revision);
    return state && [...state.objects.values()].map(({ stored: { name, revision: at } }) => `${name} ${at}`).join();
  });
  assert.deepEqual(seen, [undefined, "a 1", "a 1,b 11", "a 1,b 11", "a 13,b 11", "a 13", undefined]);
});

test("createFeed() says of history that its ring has dropped which revision was asked for, and which is the oldest", async (t) => {
  const { feed, tell } = feedOver([], 2_000_000);
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  const nobody = { events: () => {}, progress: () => {}, end: () => {} };
  assert.throws(() => feed.subscribe(9n, nobody), isTooOld("too old resource version: 9 (10)"));
  // History has room for two of them.
  tell(["a", "b", "c"].map((name, at) => ({ type: "put", object: object(name, BigInt(11 + at), 400_000) })));
  await feed.reach(13n);
  assert.throws(() => feed.subscribe(10n, nobody), isTooOld("too old resource version: 10 (11)"));
  const told: bigint[] = [];
  feed.subscribe(11n, { ...nobody, events: (events) => void told.push(...events.map(({ revision }) => revision)) });
  assert.deepEqual(told, [12n, 13n]);
});

test("createFeed() ends a subscriber that can't show a change with 500, and tells the others", async (t) => {
  const { feed, tell, logged } = feedOver([], 10_000);
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  const ended = new Promise<StatusError | undefined>((resolve) => {
    const events = () => {
      throw new SyntaxError("no JSON");
    };
    feed.subscribe(10n, { events, progress: () => {}, end: resolve });
  });
  const seen: bigint[] = [];
  const events = (told: readonly FeedEvent[]) => void seen.push(...told.map(({ revision }) => revision));
  feed.subscribe(10n, { events, progress: () => {}, end: (status) => assert.equal(status, undefined) });
  tell([{ type: "put", object: object("a", 11n, 1) }]);
  assert.equal((await ended)?.status.code, 500);
  await feed.reach(11n);
  assert.deepEqual(seen, [11n]);
  assert.equal(feed.isFollowing, true);
  assert.deepEqual(logged, ["a watch can't show a change, and ends"]);
});

test("createFeed() tells what it keeps, in which state, and that its store lied", async (t) => {
  let now = 1_000;
  const { feed, tell, told } = feedOver([object("a", 1n, 600)], 10_000, { now: () => now });
  t.after(() => feed.close());
  assert.equal(feed.figures().state, "filling");
  await feed.ready(new AbortController().signal);
  await eventTurn();
  now = 76_000;
  assert.deepEqual(feed.figures(), {
    ...{ state: "following", objects: 1, bytes: 600 },
    ...{ historyEvents: 0, historyBytes: 0, historySeconds: 75 },
  });
  const ended = new Promise<StatusError | undefined>((resolve) => {
    feed.subscribe(10n, { events: () => {}, progress: () => {}, end: resolve });
  });
  tell([{ type: "put", object: object("b", 9n, 600) }]);
  assert.equal((await ended)?.status.code, 410);
  assert.equal(feed.figures().state, "filling");
  assert.deepEqual(told, ["filled 1", "lied"]);
});

test("createFeed() believes nothing more of a store that lied, where lies are final", async (t) => {
  const { feed, tell, told, logged } = feedOver([object("a", 1n, 600)], 10_000, { isLieFinal: () => true });
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  const ended = new Promise<StatusError | undefined>((resolve) => {
    feed.subscribe(10n, { events: () => {}, progress: () => {}, end: resolve });
  });
  tell([{ type: "put", object: object("b", 9n, 600) }]);
  assert.equal((await ended)?.status.code, 410);
  assert.equal(feed.figures().state, "quarantined");
  assert.equal(feed.state(), undefined);
  await assert.rejects(feed.ready(new AbortController().signal), isUnavailable);
  assert.deepEqual(told, ["filled 1", "lied"]);
  assert.deepEqual(logged, ["the store told what can't be true; the resource is quarantined"]);
});

test("createFeed() refuses with 503 who waits for a copy of what can't be true", async (t) => {
  const { feed, told } = feedOver([object("a", 11n, 600)], 10_000);
  t.after(() => feed.close());
  await assert.rejects(feed.ready(new AbortController().signal), (error: StatusError) => {
    assert.equal(error.status.message, "the store of widgets tells of its revisions what can't be true");
    return isUnavailable(error);
  });
  assert.deepEqual(told, ["lied"]);
});

test("createFeed() begins without a history that can't be true", async (t) => {
  const client = {
    list: async () => ({ items: [], revision: 10n, epoch: "e", continueToken: new Uint8Array(), remaining: undefined }),
    currentRevision: async () => ({ revision: 10n, lastChange: undefined }),
    async *watch({ after, signal }: { after: bigint; signal: AbortSignal }): AsyncGenerator<WatchFrame> {
      yield { frame: "started", revision: after, epoch: "e", oldestResumable: 0n };
      const late = [object("a", 6n, 1), object("b", 5n, 1)];
      if (after < 10n) yield { frame: "events", events: late.map((one) => ({ type: "put", object: one })) };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as ResourceClient;
  const whole = definitionWith({ versions: [versionWith()] });
  const { feed, logged, told } = feedOver([], 10_000, { client, definition: whole });
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  assert.deepEqual(told, ["lied", "filled 0"]);
  assert.deepEqual(logged, ["the store told what can't be true; its copy begins without history"]);
  assert.throws(() => feed.subscribe(9n, { events: () => {}, progress: () => {}, end: () => {} }));
});

const eventTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("an event keeps nothing of the message that it came in", async (t) => {
  const { feed, tell } = feedOver([], 100_000);
  t.after(() => feed.close());
  await feed.ready(new AbortController().signal);
  const told = new Promise<readonly FeedEvent[]>((resolve) => {
    feed.subscribe(10n, { events: resolve, progress: () => {}, end: () => {} });
  });
  const message = new Uint8Array(10_000);
  const part = (name: string, revision: bigint, at: number): StoredObject => ({
    ...object(name, revision, 0),
    json: message.subarray(at, at + 100),
  });
  tell([
    { type: "put", object: part("a", 11n, 0) },
    { type: "delete", object: part("b", 12n, 100) },
  ]);
  const [created, removed] = await told;
  assert.equal(created?.gone.stored, created?.after?.stored);
  for (const event of [created, removed]) assert.notEqual(event?.gone.stored.json.buffer, message.buffer);
  assert.equal(removed?.gone.stored.name, "b");
});
