import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyTree } from "./key-tree.ts";

const sorted = (map: ReadonlyMap<string, number>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
/** Enough of them for a few leaves that are split, joined and emptied. */
const lastKey = 1_500;
const key = fc.integer({ min: 0, max: lastKey }).map((number) => `ns${number % 7}/o${number}`);
const change = fc.oneof(
  { weight: 3, arbitrary: fc.record({ put: key }) },
  { weight: 2, arbitrary: fc.record({ cut: key }) },
);
const changes = fc.array(change, { maxLength: 4_000, size: "max" });

test("KeyTree holds what a map would hold, and every earlier state as it was", () => {
  fc.assert(
    fc.property(changes, (list) => {
      const map = new Map<string, number>();
      let tree = KeyTree.empty<number>();
      const states: [KeyTree<number>, readonly (readonly [string, number])[]][] = [];
      for (const [index, one] of list.entries()) {
        if ("put" in one) {
          map.set(one.put, index);
          tree = tree.with(one.put, index);
        } else {
          map.delete(one.cut);
          tree = tree.without(one.cut);
        }
        if (index % 250 === 0) states.push([tree, sorted(map)]);
      }
      states.push([tree, sorted(map)]);
      for (const [state, entries] of states) {
        assert.deepEqual([...state.entries()], entries);
        assert.equal(state.size, entries.length);
      }
      for (let number = 0; number <= lastKey; number++) {
        const name = `ns${number % 7}/o${number}`;
        assert.equal(tree.get(name), map.get(name));
      }
    }),
    { numRuns: 20 },
  );
});

test("KeyTree gives and counts the keys of a range", () => {
  const bound = fc.option(key, { nil: undefined });
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 1_000, size: "max" }), bound, bound, (keys, from, to) => {
      const entries = keys.toSorted().map((one, index) => [one, index] as const);
      const tree = KeyTree.fromSorted(entries);
      const within = entries.filter(([one]) => (from === undefined || one >= from) && (to === undefined || one < to));
      assert.deepEqual([...tree.entries({ from, to })], within);
      assert.equal(tree.count({ from, to }), within.length);
    }),
  );
});

test("KeyTree shares what a write leaves alone", () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `o${String(index).padStart(6, "0")}`);
  const tree = KeyTree.fromSorted(names.map((name): readonly [string, number] => [name, 0]));
  const began = process.memoryUsage().heapUsed;
  const states = Array.from({ length: 1_000 }, (_, index) => tree.with(names[index * 97] as string, 1));
  // Some 8,500 bytes, and what else the process leaves behind meanwhile; a tree of its own has a million.
  assert.ok((process.memoryUsage().heapUsed - began) / states.length < 100_000);
  assert.equal(tree.get(names[97] as string), 0);
  assert.equal(states[1]?.get(names[97] as string), 1);
});

test("KeyTree without its last key is empty, and without a missing key the same", () => {
  const one = KeyTree.empty<number>().with("a", 1);
  assert.equal(one.without("b"), one);
  assert.deepEqual([...one.without("a").entries()], []);
  assert.equal(one.without("a").with("b", 2).get("b"), 2);
});
