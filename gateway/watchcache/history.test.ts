import assert from "node:assert/strict";
import { test } from "node:test";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import type { ResourceClient, StoredObject, WatchFrame } from "../registry/registry.ts";
import { feedEventMaker } from "./feed-event.ts";
import { type HistoryOptions, readHistory } from "./history.ts";

const mark = { revision: 1_000_000n, epoch: "e" };
const presenter = { now: () => assert.fail("nobody looks"), inSlices: () => assert.fail("nobody looks") };
const put = (revision: bigint) => {
  const object: StoredObject = { namespace: "ns", name: `o${revision}`, revision, json: new Uint8Array(10) };
  return { type: "put", object } as const;
};

/** A store that remembers what came after `oldest`: changes at these revisions, ascending, of everything up to the mark. */
function storeWith(revisions: readonly bigint[], oldest: bigint, brokenBelow = 0n) {
  const asked: bigint[] = [];
  const client = {
    currentRevision: async () => ({ revision: mark.revision, lastChange: revisions.at(-1) ?? oldest }),
    async *watch({ after, signal }: { after: bigint; signal: AbortSignal }): AsyncGenerator<WatchFrame> {
      asked.push(after);
      if (after < oldest) {
        yield { frame: "expired", oldestResumable: oldest, reason: "" };
        return;
      }
      yield { frame: "started", revision: after, epoch: "e", oldestResumable: oldest };
      if (after < brokenBelow) return;
      for (const revision of revisions) if (revision > after) yield { frame: "events", events: [put(revision)] };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  } as unknown as ResourceClient;
  const limits = { maxEvents: 1_000, maxBytes: 1e9 };
  const common = { definition: definitionWith(), client, make: feedEventMaker(presenter), at: 5, timeoutMs: 60_000 };
  const options: HistoryOptions = { ...common, limits, signal: new AbortController().signal };
  const read = async (more: Partial<HistoryOptions> = {}) => {
    const history = await readHistory(mark, { ...options, ...more });
    const events = history.after(history.floor) ?? [];
    return { floor: history.floor, revisions: events.map(({ revision }) => revision), size: history.size };
  };
  return { asked, read };
}

test("readHistory() of a quiet resource reaches as far back as its store, however busy the others are", async () => {
  const quiet = [20_000n, 600_000n, 985_000n];
  const { read, asked } = storeWith(quiet, 10_000n);
  assert.deepEqual(await read(), { floor: 10_000n, revisions: quiet, size: 3 });
  assert.ok(asked.length < 5, `${asked.length} calls`);
});

test("readHistory() of a resource without changes asks for the store's oldest revision and no more", async () => {
  const { read, asked } = storeWith([], 10_000n);
  assert.deepEqual(await read(), { floor: 10_000n, revisions: [], size: 0 });
  assert.equal(asked.length, 1);
});

test("readHistory() reads of a busy resource what the ring has room for", async () => {
  const busy = Array.from({ length: 10_000 }, (_, at) => 900_010n + BigInt(at) * 10n);
  const { read } = storeWith(busy, 1n);
  const { floor, revisions } = await read();
  assert.equal(revisions.length, 1_000);
  assert.deepEqual(revisions, busy.slice(-1_000));
  assert.equal(floor, busy.at(-1_001));
  const bytes = await read({ limits: { maxEvents: 1e9, maxBytes: 3_092 } });
  assert.deepEqual(bytes.revisions, busy.slice(-2));
});

test("readHistory() fills a ring that the last part left empty, but not more", async () => {
  const before = Array.from({ length: 5_000 }, (_, at) => 960_000n + BigInt(at));
  const { read, asked } = storeWith([...before, 999_000n], 1n);
  const { floor, revisions } = await read();
  assert.deepEqual(revisions, [...before.slice(-999), 999_000n]);
  assert.equal(floor, before.at(-1_000));
  assert.equal(asked.length, 2);
});

test("readHistory() puts nothing before an event that the ring has no room for", async () => {
  const { read } = storeWith([20_000n, 600_000n, 985_000n], 10_000n);
  const limits = { maxEvents: 1_000, maxBytes: 1_000 };
  assert.deepEqual(await read({ limits }), { floor: 985_000n, revisions: [], size: 0 });
});

test("readHistory() keeps what it has where a store's older history breaks off", async () => {
  const { read } = storeWith([500_000n, 995_000n], 1n, 980_000n);
  assert.deepEqual(await read(), { floor: 990_000n, revisions: [995_000n], size: 1 });
});

test("readHistory() takes no part for whole that breaks off", async () => {
  const { read } = storeWith([500_000n, 995_000n], 1n, 1_000_000n);
  await assert.rejects(read(), /the history after revision 990000 broke off at 990000/);
});
