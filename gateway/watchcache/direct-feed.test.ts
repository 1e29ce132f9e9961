import assert from "node:assert/strict";
import { test } from "node:test";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import { StatusError, serviceUnavailable } from "../apimachinery/status.ts";
import type { ResourceClient, StoredObject, WatchFrame } from "../registry/registry.ts";
import { canBeDirect, createDirectFeed } from "./direct-feed.ts";

const object = (name: string, revision: bigint): StoredObject => ({
  ...{ namespace: "ns", name, revision },
  json: new Uint8Array(1),
});
const put = (name: string, revision: bigint): WatchFrame => ({
  frame: "events",
  events: [{ type: "put", object: object(name, revision) }],
});
const started: WatchFrame = { frame: "started", revision: 10n, epoch: "e", oldestResumable: 0n };
const signal = new AbortController().signal;

/** A feed over a store whose watches tell these frames, one list after the other, and then hang or fail. */
function feedOver(...watches: (readonly (WatchFrame | StatusError)[])[]) {
  const asked: string[] = [];
  const told: string[] = [];
  const client = {
    async list({ limit, continueToken }: { limit: number; continueToken: Uint8Array }) {
      const at = continueToken[0] ?? 0;
      const items = [object(`o${at}`, 5n)];
      asked.push(`list ${at}`);
      return {
        items,
        revision: 10n + BigInt(at),
        epoch: "e",
        continueToken: new Uint8Array(limit > 1 && at < 2 ? [at + 1] : []),
      };
    },
    async *watch({ after, signal }: { after: bigint; signal: AbortSignal }): AsyncGenerator<WatchFrame> {
      asked.push(`watch ${after}`);
      for (const frame of watches.shift() ?? []) {
        if (frame instanceof StatusError) throw frame;
        yield frame;
      }
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as ResourceClient;
  const presenter = { now: () => assert.fail("nobody looks"), inSlices: () => assert.fail("nobody looks") };
  const { promise: ended, resolve: end } = Promise.withResolvers<StatusError | undefined>();
  const feed = createDirectFeed({
    ...{ definition: definitionWith(), client, presenter, log: { error: () => {} } },
    onClose: () => told.push("closed"),
    onLie: () => told.push("lied"),
  });
  const subscriber = {
    events: (events: readonly { readonly revision: bigint }[]) =>
      void told.push(...events.map(({ revision }) => `event ${revision}`)),
    progress: (revision: bigint) => void told.push(`progress ${revision}`),
    end,
  };
  return { feed, asked, told, ended, subscriber };
}

test("createDirectFeed() resumes where it was while its store is away", async () => {
  const away = serviceUnavailable("the store is away", 1);
  const { feed, asked, told, ended, subscriber } = feedOver(
    [started, put("a", 9n), { frame: "progress", revision: 12n }, away],
    [away],
    [started, put("a", 13n), { frame: "expired", oldestResumable: 0n, reason: "" }],
  );
  await feed.ready(signal);
  feed.subscribe(8n, subscriber);
  assert.equal((await ended)?.status.code, 410);
  assert.deepEqual(asked, ["list 0", "watch 8", "watch 12", "watch 12"]);
  assert.deepEqual(told, ["event 9", "progress 12", "event 13", "closed"]);
});

test("createDirectFeed() gives the initial objects page by page, of one state", async () => {
  const { feed, asked } = feedOver();
  await feed.ready(signal);
  const { revision, objects, more } = await feed.initial({}, "ns");
  const names = [...Iterator.from(objects)].map(({ stored }) => stored.name);
  for (let next = await more?.(); next !== undefined; next = await more?.())
    names.push(...[...Iterator.from(next)].map(({ stored }) => stored.name));
  assert.deepEqual([revision, feed.revision, names], [10n, 10n, ["o0", "o1", "o2"]]);
  assert.deepEqual(asked, ["list 0", "list 0", "list 1", "list 2"]);
  feed.close();
});

test("createDirectFeed() ends with 410 over a store that lies, and over a new epoch", async () => {
  const lying = feedOver([started, put("a", 12n), put("b", 11n)]);
  await lying.feed.ready(signal);
  lying.feed.subscribe(10n, lying.subscriber);
  assert.equal((await lying.ended)?.status.code, 410);
  assert.deepEqual(lying.told, ["event 12", "lied", "closed"]);
  const other = feedOver([{ ...started, epoch: "f" }]);
  await other.feed.ready(signal);
  other.feed.subscribe(10n, other.subscriber);
  assert.equal((await other.ended)?.status.code, 410);
});

test("createDirectFeed() knows no revision above its store's head, and begins at the head for whoever asks for one", async () => {
  const { feed, asked, subscriber } = feedOver([started]);
  await feed.ready(signal);
  await feed.reach(10n);
  await assert.rejects(feed.reach(11n), ({ status }: StatusError) => status.code === 504);
  feed.subscribe(99n, subscriber);
  assert.deepEqual(asked, ["list 0", "list 0", "watch 10"]);
  feed.close();
});

test("createDirectFeed() ends without an error when it is closed", async () => {
  const { feed, told, ended, subscriber } = feedOver([started]);
  await feed.ready(signal);
  feed.subscribe(10n, subscriber);
  feed.close();
  feed.close();
  assert.equal(await ended, undefined);
  assert.deepEqual(told, ["closed"]);
});

test("canBeDirect() wants a store that remembers what an object was", () => {
  const definition = definitionWith();
  assert.equal(canBeDirect(definition), true);
  for (const missing of ["resume", "previousObject", "snapshotList"] as const)
    assert.equal(canBeDirect({ ...definition, capabilities: { ...definition.capabilities, [missing]: false } }), false);
  assert.equal(canBeDirect({ ...definition, polledWatchMs: 1_000 }), false);
});
