import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { limitYoungGeneration, youngBytes } from "./young-generation.ts";

test("limitYoungGeneration() keeps it small while much is kept", async () => {
  const mib = 1024 * 1024;
  limitYoungGeneration(4 * mib);
  const kept: object[] = [];
  let largest = 0;
  for (let turn = 0; turn < 300; turn++) {
    for (let made = 0; made < 5_000; made++) kept[(turn * 5_000 + made) % 200_000] = { turn, made: [made] };
    await setImmediate();
    largest = Math.max(largest, youngBytes());
  }
  // By itself it comes to 32 MiB and more here. It is looked at after a collection, and may have doubled once more.
  assert.ok(largest <= 8 * mib, `${largest} bytes`);
});
