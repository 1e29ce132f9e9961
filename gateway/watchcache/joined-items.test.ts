import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ResourceVersionDefinition } from "../apimachinery/resource.ts";
import type { CachedObject } from "./cached-object.ts";
import { JoinedItems } from "./joined-items.ts";
import { KeyTree } from "./key-tree.ts";

const versionNamed = (name: string) => ({ name }) as ResourceVersionDefinition;
const v1 = versionNamed("v1");
const noTurn = () => undefined;

/** An object of so many bytes, which counts how often its bytes are asked for. */
function objectOf(bytes: number, fill: number): CachedObject & { asked: number } {
  const json = new Uint8Array(bytes).fill(fill);
  const object = { asked: 0, prepare: () => undefined, view: () => ({ json, asked: ++object.asked }) };
  return object as unknown as CachedObject & { asked: number };
}

const nameOf = (index: number) => String(index).padStart(4, "0");

function treeOf(objects: readonly CachedObject[]): KeyTree<CachedObject> {
  return KeyTree.fromSorted(objects.map((object, index) => [nameOf(index), object] as const));
}

const sizes = fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(3_000) }, fc.nat(200_000)), {
  maxLength: 600,
  size: "max",
});

test("JoinedItems gives the bytes of any run with a comma before each object, the second time without a look at one", async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(640), fc.nat(640), async (lengths, a, b) => {
      const objects = lengths.map((length, index) => objectOf(length, 0x61 + (index % 20)));
      const range = { from: nameOf(a), to: nameOf(b) };
      const joined = new JoinedItems();
      const wanted = objects.slice(a, Math.max(a, b)).flatMap((object) => [Buffer.from(","), object.view(v1).json]);
      const tree = treeOf(objects);
      const given: Uint8Array[] = [];
      for (const run of tree.runs(range)) given.push(...(await joined.join(v1, run, noTurn)));
      assert.ok(Buffer.concat(given).equals(Buffer.concat(wanted)));
      const before = objects.map(({ asked }) => asked);
      const again = [...tree.runs(range)].flatMap((run) => joined.known(v1, run) ?? []);
      assert.deepEqual(again, given);
      assert.deepEqual(
        objects.map(({ asked }) => asked),
        before,
      );
    }),
    { numRuns: 30 },
  );
});

test("JoinedItems keeps a leaf until another takes its place, each version by itself", async () => {
  const joined = new JoinedItems();
  const tree = treeOf([objectOf(10, 0x61), objectOf(10, 0x62)]);
  const [run] = [...tree.runs()];
  assert.ok(run !== undefined);
  assert.equal(joined.known(v1, run), undefined);
  const first = await joined.join(v1, run, noTurn);
  assert.deepEqual(joined.known(v1, run), first);
  assert.equal(joined.known(versionNamed("v2"), run), undefined);
  assert.equal(String(joined.known(v1, { ...run, first: 1 })?.[0]), `,${"b".repeat(10)}`);
  const [other] = [...tree.with("0001", objectOf(3, 0x63)).runs()];
  assert.ok(other !== undefined);
  assert.equal(joined.known(v1, other), undefined);
  assert.equal(String((await joined.join(v1, other, noTurn))[0]), `,${"a".repeat(10)},ccc`);
});

async function listed(joined: JoinedItems, tree: KeyTree<CachedObject>): Promise<readonly Uint8Array[]> {
  const given: Uint8Array[] = [];
  for (const run of tree.runs()) given.push(...(joined.known(v1, run) ?? (await joined.join(v1, run, noTurn))));
  return given;
}

test("JoinedItems gives what a list has after any writes", async () => {
  const write = fc.tuple(fc.nat(299), fc.option(fc.oneof({ weight: 9, arbitrary: fc.nat(20_000) }, fc.nat(90_000))));
  const rounds = fc.array(fc.array(write, { maxLength: 8 }), { minLength: 5, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9_000), { maxLength: 250, size: "max" }), rounds, async (lengths, writes) => {
      const joined = new JoinedItems();
      let tree = treeOf(lengths.map((length, index) => objectOf(length, 0x61 + (index % 20))));
      for (const round of writes) {
        for (const [index, length] of round) {
          const name = nameOf(index);
          tree = length === null ? tree.without(name) : tree.with(name, objectOf(length, 0x61 + (length % 20)));
        }
        const wanted = [...tree.values()].flatMap((object) => [Buffer.from(","), object.view(v1).json]);
        assert.ok(Buffer.concat(await listed(joined, tree)).equals(Buffer.concat(wanted)));
      }
    }),
    { numRuns: 30 },
  );
});

test("JoinedItems joins the one piece anew that a write changed", async () => {
  const joined = new JoinedItems();
  const tree = treeOf(Array.from({ length: 64 }, (_, index) => objectOf(16_000, index)));
  const before = await listed(joined, tree);
  assert.equal(before.length, 4);
  for (const [index, bytes] of [16_000, 12_000, 20_000].entries()) {
    const after = await listed(joined, tree.with(nameOf(20), objectOf(bytes, 0x61)));
    assert.equal(after.filter((piece) => before.includes(piece)).length, 3, `write ${index}`);
  }
});

test("JoinedItems doesn't cut a list that grows object by object into many pieces", async () => {
  const joined = new JoinedItems();
  let tree = KeyTree.empty<CachedObject>();
  for (let index = 0; index < 200; index++) {
    tree = tree.with(nameOf(index), objectOf(10_000, index));
    const pieces = await listed(joined, tree);
    assert.ok(pieces.length <= 2 + (index * 10_000) / (128 * 1024), `${pieces.length} of ${index}`);
  }
});

test("JoinedItems lets go what was not listed for the longest time when it keeps 32 MiB", async () => {
  const joined = new JoinedItems();
  const runs = Array.from({ length: 40 }, (_, index) =>
    treeOf(Array.from({ length: 32 }, () => objectOf(32_000, index))),
  ).flatMap((tree) => [...tree.runs()]);
  const [first] = runs;
  assert.ok(first !== undefined);
  for (const run of runs) {
    await joined.join(v1, run, noTurn);
    assert.ok(joined.known(v1, first) !== undefined);
  }
  const kept = runs.filter((run) => joined.known(v1, run) !== undefined);
  assert.ok(kept.includes(first));
  assert.equal(kept.length, Math.floor((32 * 1024 * 1024) / (32 * 32_001)));
});

test("JoinedItems lets go of large objects too, which it doesn't copy", async () => {
  const joined = new JoinedItems();
  const runs = Array.from({ length: 40 }, (_, index) => [...treeOf([objectOf(1024 * 1024 - 1, index)]).runs()]).flat();
  for (const run of runs) await joined.join(v1, run, noTurn);
  assert.equal(runs.filter((run) => joined.known(v1, run) !== undefined).length, 32);
});
