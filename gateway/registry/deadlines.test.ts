import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "./deadlines.ts";

test("Deadlines fires at the earliest deadline, then at the next, with one timer", (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const pass = (ms: number) => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  const open = new Set([30, 10, 50]);
  const fired: number[] = [];
  const deadlines = new Deadlines((at) => {
    fired.push(at);
    for (const one of open) if (one <= at) open.delete(one);
    return Math.min(...open);
  });
  for (const at of open) deadlines.add(at);
  pass(9);
  assert.deepEqual(fired, []);
  pass(1);
  assert.deepEqual([...open], [30, 50]);
  // One that ended in time costs a look at the others.
  open.delete(30);
  pass(20);
  assert.deepEqual(fired, [10, 30]);
  pass(20);
  assert.deepEqual([fired, [...open]], [[10, 30, 50], []]);
  pass(1_000);
  assert.equal(fired.length, 3);
  deadlines.add(now + 5);
  deadlines.close();
  pass(1_000);
  assert.equal(fired.length, 3);
});

test("Deadlines minds one that is further away than a timer reaches", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let times = 0;
  const deadlines = new Deadlines(() => ++times);
  deadlines.add(performance.now() + 2 ** 40);
  t.mock.timers.tick(60_000);
  assert.equal(times, 0);
  deadlines.close();
});
