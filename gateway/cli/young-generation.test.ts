import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { limitYoungGeneration, youngBytes } from "./young-generation.ts";

test("limitYoungGeneration() keeps it small while much is kept", async () => {
  const mib = 1024 * 1024;
  limitYoungGeneration(16 * mib);
  const kept: number[][] = [];
  let largest = 0;
  // Little in a turn: collections are told of some turns later, and the next one must be further away.
  for (let turn = 0; turn < 10_000; turn++) {
    for (let made = 0; made < 200; made++) kept[(turn * 200 + made) % 200_000] = Array(20).fill(made);
    await setImmediate();
    if (turn % 50 === 0) largest = Math.max(largest, youngBytes());
  }
  // By itself it comes to 64 MiB and more here; with the limit it may have doubled once too often.
  assert.ok(largest <= 32 * mib, `${largest} bytes`);
});
