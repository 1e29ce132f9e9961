import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { always, type ItemForm, type TimeSpan } from "../apimachinery/item-form.ts";
import type { ResourceVersionDefinition } from "../apimachinery/resource.ts";
import type { CachedObject } from "./cached-object.ts";
import { JoinedItems } from "./joined-items.ts";
import { KeyTree } from "./key-tree.ts";

const versionNamed = (name: string) => ({ name }) as ResourceVersionDefinition;
const v1 = versionNamed("v1");
const plain: ItemForm = { name: "", nowMs: 0, show: ({ json }) => ({ pieces: [json], ...always }) };
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
      for (const run of tree.runs(range)) given.push(...(await joined.join(v1, plain, run, noTurn)));
      assert.ok(Buffer.concat(given).equals(Buffer.concat(wanted)));
      for (const run of tree.runs()) await joined.join(v1, plain, run, noTurn);
      const before = objects.map(({ asked }) => asked);
      const again = [...tree.runs(range)].flatMap((run) => joined.known(v1, plain, run) ?? []);
      assert.ok(Buffer.concat(again).equals(Buffer.concat(wanted)));
      assert.deepEqual(
        objects.map(({ asked }) => asked),
        before,
      );
    }),
    { numRuns: 30 },
  );
});

test("JoinedItems looks at no more objects than a small part of a leaf has, until it is asked for again", async () => {
  for (const [first, end, asked] of [
    [10, 34, [24, 124, 124]],
    [10, 35, [100, 100, 100]],
  ] as const) {
    const joined = new JoinedItems();
    const objects = Array.from({ length: 100 }, (_, index) => objectOf(10, index));
    const [run] = [...treeOf(objects).runs()];
    assert.ok(run !== undefined);
    const part = { ...run, first, end };
    const wanted = objects.slice(first, end).flatMap((_, index) => [Buffer.from(","), Buffer.alloc(10, first + index)]);
    for (const times of asked) {
      const given = joined.known(v1, plain, part) ?? (await joined.join(v1, plain, part, noTurn));
      assert.ok(Buffer.concat(given).equals(Buffer.concat(wanted)));
      assert.equal(
        objects.reduce((sum, object) => sum + object.asked, 0),
        times,
      );
    }
  }
});

test("JoinedItems keeps a leaf until another takes its place, each version by itself", async () => {
  const joined = new JoinedItems();
  const tree = treeOf([objectOf(10, 0x61), objectOf(10, 0x62)]);
  const [run] = [...tree.runs()];
  assert.ok(run !== undefined);
  assert.equal(joined.known(v1, plain, run), undefined);
  const first = await joined.join(v1, plain, run, noTurn);
  assert.deepEqual(joined.known(v1, plain, run), first);
  assert.equal(joined.known(versionNamed("v2"), plain, run), undefined);
  assert.equal(String(joined.known(v1, plain, { ...run, first: 1 })?.[0]), `,${"b".repeat(10)}`);
  const [other] = [...tree.with("0001", objectOf(3, 0x63)).runs()];
  assert.ok(other !== undefined);
  assert.equal(joined.known(v1, plain, other), undefined);
  assert.equal(String((await joined.join(v1, plain, other, noTurn))[0]), `,${"a".repeat(10)},ccc`);
});

async function listed(joined: JoinedItems, tree: KeyTree<CachedObject>, form = plain): Promise<readonly Uint8Array[]> {
  const given: Uint8Array[] = [];
  for (const run of tree.runs()) {
    given.push(...(joined.known(v1, form, run) ?? (await joined.join(v1, form, run, noTurn))));
  }
  return given;
}

/** A form in which objects show the time too, each as often as its size says. */
function agedForm(nowMs: number): ItemForm {
  return {
    name: "aged",
    nowMs,
    show({ json }) {
      const every = 1 + (json.length % 7);
      const fromMs = nowMs - (nowMs % every);
      return { pieces: [Buffer.from(String(fromMs)), json], fromMs, untilMs: fromMs + every };
    },
  };
}

test("JoinedItems gives what a list has after any writes, at any time", async () => {
  const write = fc.tuple(fc.nat(299), fc.option(fc.oneof({ weight: 9, arbitrary: fc.nat(20_000) }, fc.nat(90_000))));
  const round = fc.record({ writes: fc.array(write, { maxLength: 8 }), nowMs: fc.nat(12) });
  const rounds = fc.array(round, { minLength: 5, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9_000), { maxLength: 250, size: "max" }), rounds, async (lengths, all) => {
      const joined = new JoinedItems();
      let tree = treeOf(lengths.map((length, index) => objectOf(length, 0x61 + (index % 20))));
      for (const { writes, nowMs } of all) {
        for (const [index, length] of writes) {
          const name = nameOf(index);
          tree = length === null ? tree.without(name) : tree.with(name, objectOf(length, 0x61 + (length % 20)));
        }
        for (const form of [plain, agedForm(nowMs)]) {
          const wanted = [...tree.values()].flatMap((object) => [
            Buffer.from(","),
            ...form.show(object.view(v1)).pieces,
          ]);
          assert.ok(Buffer.concat(await listed(joined, tree, form)).equals(Buffer.concat(wanted)));
        }
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
    await joined.join(v1, plain, run, noTurn);
    assert.ok(joined.known(v1, plain, first) !== undefined);
  }
  const kept = runs.filter((run) => joined.known(v1, plain, run) !== undefined);
  assert.ok(kept.includes(first));
  // Beside what was joined a piece of eight objects counts 512 bytes, and 16 for each.
  assert.equal(kept.length, Math.floor((32 * 1024 * 1024) / (4 * 512 + 32 * 32_017)));
});

test("JoinedItems lets go of large objects too, which it doesn't copy", async () => {
  const joined = new JoinedItems();
  const runs = Array.from({ length: 40 }, (_, index) => [
    ...treeOf([objectOf(1024 * 1024 - 529, index)]).runs(),
  ]).flat();
  for (const run of runs) await joined.join(v1, plain, run, noTurn);
  assert.equal(runs.filter((run) => joined.known(v1, plain, run) !== undefined).length, 32);
});

/** A form in which an object is a mark and itself. */
function markedForm(mark: string, nowMs: number, spanOf: (json: Uint8Array) => TimeSpan = () => always): ItemForm {
  return {
    name: `marked by ${mark}`,
    nowMs,
    show: ({ json }) => ({ pieces: [Buffer.from(mark), json], ...spanOf(json) }),
  };
}

test("JoinedItems keeps each form of a leaf by itself, pieces of large objects too", async () => {
  const joined = new JoinedItems();
  const [run] = [...treeOf([objectOf(2, 0x61), objectOf(70_000, 0x62)]).runs()];
  assert.ok(run !== undefined);
  const large = "b".repeat(70_000);
  const forms = [plain, markedForm("+", 0), markedForm("-", 0)];
  for (const form of forms) await joined.join(v1, form, run, noTurn);
  const known = forms.map((form) => Buffer.concat(joined.known(v1, form, run) ?? []).toString());
  assert.deepEqual(known, [`,aa,${large}`, `,+aa,+${large}`, `,-aa,-${large}`]);
});

test("JoinedItems gives a leaf for as long as each of its objects looks the same", async () => {
  const joined = new JoinedItems();
  const spans = new Map([
    [1, { fromMs: 10, untilMs: 40 }],
    [2, { fromMs: 20, untilMs: 50 }],
  ]);
  const at = (nowMs: number) => markedForm("+", nowMs, ({ length }) => spans.get(length) ?? always);
  const [run] = [...treeOf([objectOf(1, 0x61), objectOf(2, 0x62), objectOf(3, 0x63)]).runs()];
  assert.ok(run !== undefined);
  await joined.join(v1, at(30), run, noTurn);
  const known = [19, 20, 39, 40].map((nowMs) => joined.known(v1, at(nowMs), run) !== undefined);
  assert.deepEqual(known, [false, true, true, false]);
});
