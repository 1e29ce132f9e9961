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

function treeOf(objects: readonly CachedObject[]): KeyTree<CachedObject> {
  return KeyTree.fromSorted(objects.map((object, index) => [String(index).padStart(4, "0"), object] as const));
}

const sizes = fc.array(fc.oneof({ weight: 9, arbitrary: fc.nat(3_000) }, fc.nat(200_000)), {
  maxLength: 600,
  size: "max",
});

test("JoinedItems gives the bytes of any run with a comma before each object, the second time without a look at one", async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(640), fc.nat(640), async (lengths, a, b) => {
      const objects = lengths.map((length, index) => objectOf(length, 0x61 + (index % 20)));
      const range = { from: String(a).padStart(4, "0"), to: String(b).padStart(4, "0") };
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
  const runs = Array.from({ length: 40 }, (_, index) => [...treeOf([objectOf(1024 * 1024, index)]).runs()]).flat();
  for (const run of runs) await joined.join(v1, run, noTurn);
  assert.equal(runs.filter((run) => joined.known(v1, run) !== undefined).length, 32);
});
