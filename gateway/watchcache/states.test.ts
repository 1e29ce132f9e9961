import assert from "node:assert/strict";
import { test } from "node:test";
import type { CachedObject } from "./cached-object.ts";
import { KeyTree } from "./key-tree.ts";
import { States } from "./states.ts";

const objects = KeyTree.empty<CachedObject>();

test("States.at() gives the state that holds at a revision, between two changes too", () => {
  const states = new States();
  states.restart({ revision: 10n, objects });
  states.push({ revision: 12n, objects }, 0n);
  states.push({ revision: 20n, objects }, 0n);
  assert.deepEqual(
    [9n, 10n, 11n, 12n, 19n, 20n, 99n].map((revision) => states.at(revision)?.revision),
    [undefined, 10n, 10n, 12n, 12n, 20n, 20n],
  );
});

test("States keeps a bounded number and forgets the oldest", () => {
  const states = new States();
  states.restart({ revision: 1n, objects });
  for (let revision = 2n; revision <= 10_000n; revision++) states.push({ revision, objects }, 0n);
  assert.equal(states.at(10_000n)?.revision, 10_000n);
  assert.equal(states.at(9_500n)?.revision, 9_500n);
  assert.equal(states.at(1n), undefined);
  states.restart({ revision: 20_000n, objects });
  assert.equal(states.at(10_000n), undefined);
});

test("States forgets what lies before the ring, but for the state that holds at its floor", () => {
  const states = new States();
  states.restart({ revision: 1n, objects });
  for (let revision = 2n; revision <= 100n; revision++) states.push({ revision, objects }, revision / 2n);
  assert.deepEqual(
    [49n, 50n, 51n, 100n].map((revision) => states.at(revision)?.revision),
    [undefined, 50n, 51n, 100n],
  );
});
