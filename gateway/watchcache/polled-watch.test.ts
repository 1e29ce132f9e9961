import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListPage, StoredObject, WatchFrame } from "../registry/registry.ts";
import { StoreLied } from "./guard.ts";
import { createPulse, polledWatch } from "./polled-watch.ts";

const object = (name: string, revision: bigint, uid = name): StoredObject => ({
  namespace: "ns",
  name,
  revision,
  json: Buffer.from(JSON.stringify({ metadata: { name, uid } })),
});

function page(revision: bigint, items: readonly StoredObject[], continueToken = "", epoch = "e"): ListPage {
  return { items, revision, epoch, continueToken: Buffer.from(continueToken), remaining: undefined };
}

/** The frames of polls that list these pages, for a caller who knows objects at a revision. */
async function framesOf(revision: bigint, objects: readonly StoredObject[], pages: readonly ListPage[]) {
  const known = new Map(objects.map((one) => [`ns/${one.name}`, one]));
  const left = [...pages];
  const stop = new AbortController();
  let told = revision;
  const frames: WatchFrame[] = [];
  const watch = polledWatch({
    list: async () => left.shift() ?? assert.fail("it lists too often"),
    known: () => ({ revision: told, get: (key) => known.get(key), values: () => known.values() }),
    untilDue: async () => {
      if (left.length === 0) stop.abort();
    },
    signal: stop.signal,
  });
  for await (const frame of watch) {
    frames.push(frame);
    if (frame.frame === "progress") told = frame.revision;
    for (const { type, object: changed } of frame.frame === "events" ? frame.events : []) {
      if (type === "put") known.set(`ns/${changed.name}`, changed);
      else known.delete(`ns/${changed.name}`);
    }
  }
  return frames.map((frame) => {
    if (frame.frame !== "events") return "revision" in frame ? `${frame.frame} ${frame.revision}` : frame.frame;
    const events = frame.events.map(({ type, object: { name, revision: at } }) => `${type} ${name}${at}`);
    const blurred = frame.blurred === undefined ? "" : ` blurred ${frame.blurred.from} to ${frame.blurred.to}`;
    return `${events.join(", ")}${blurred}`;
  });
}

test("polledWatch() tells what was written in revision order, and how far it has come", async () => {
  const known = [object("a", 2n), object("b", 3n)];
  const frames = await framesOf(4n, known, [
    page(4n, known),
    page(7n, [object("a", 6n), object("b", 3n), object("c", 5n)]),
    page(9n, [object("a", 6n), object("b", 3n), object("c", 5n)]),
  ]);
  assert.deepEqual(frames, ["started 4", "progress 4", "put c5, put a6", "progress 7", "progress 9"]);
});

test("polledWatch() gives a delete the lowest free revision, and says which revisions it leaves open", async () => {
  const known = [object("a", 2n), object("b", 3n), object("c", 4n)];
  assert.deepEqual(await framesOf(4n, known, [page(9n, [object("c", 5n), object("d", 9n)])]), [
    "started 4",
    "put c5, delete a6, delete b7, put d9 blurred 6 to 8",
    "progress 9",
  ]);
});

test("polledWatch() tells an object that was made anew under its name as a delete and a creation", async () => {
  const known = [object("a", 2n, "old"), object("b", 3n)];
  assert.deepEqual(await framesOf(3n, known, [page(5n, [object("a", 5n, "new"), object("b", 3n)])]), [
    "started 3",
    "delete a4, put a5 blurred 4 to 4",
    "progress 5",
  ]);
  // Its delete is the more urgent one.
  assert.deepEqual(await framesOf(3n, known, [page(6n, [object("a", 5n, "new")])]), [
    "started 3",
    "delete a4, put a5, delete b6 blurred 4 to 5",
    "progress 6",
  ]);
});

test("polledWatch() leaves what a later page has of after the first to the next poll", async () => {
  const known = [object("a", 2n), object("b", 3n)];
  const frames = await framesOf(3n, known, [
    page(3n, [object("a", 2n)], "more"),
    page(6n, [object("c", 5n)]),
    page(6n, [object("a", 2n), object("c", 5n)]),
  ]);
  assert.deepEqual(frames, ["started 3", "progress 3", "delete b4, put c5 blurred 4 to 5", "progress 6"]);
});

test("polledWatch() tells a new epoch, and throws for lists that can't be true", async () => {
  const known = [object("a", 2n)];
  const frames = await framesOf(4n, known, [page(4n, known), page(9n, [...known, object("b", 8n)], "", "f")]);
  assert.deepEqual(frames, ["started 4", "progress 4", "started 4", "put b8", "progress 9"]);
  const lies: readonly (readonly [string, ListPage])[] = [
    ["a mark that goes back", page(3n, known)],
    ["an object above the mark", page(5n, [object("a", 6n)])],
    ["a delete without a revision", page(4n, [])],
    ["an object made anew without one", page(5n, [object("a", 5n, "new")])],
  ];
  for (const [lie, listed] of lies) await assert.rejects(framesOf(4n, known, [listed]), StoreLied, lie);
});

test("createPulse() ends a wait early, and the next one if nobody waited", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const pulse = createPulse();
  const never = new AbortController();
  const waits = pulse.next(1_000, never.signal);
  pulse.wake();
  await waits;
  pulse.wake();
  await pulse.next(1_000, never.signal);
  let isOver = false;
  const last = pulse.next(1_000, never.signal).then(() => {
    isOver = true;
  });
  t.mock.timers.tick(999);
  await Promise.resolve();
  assert.equal(isOver, false);
  t.mock.timers.tick(1);
  await last;
});
