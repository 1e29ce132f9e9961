import assert from "node:assert/strict";
import { test } from "node:test";
import { TurnMap } from "./turn-map.ts";

test("TurnMap keeps what is set for the turn, and nothing after it", async () => {
  const map = new TurnMap<string, number>();
  for (const value of [1, 2]) {
    assert.equal(map.get("a"), undefined);
    map.set("a", value);
    map.set("b", value);
    await Promise.resolve();
    assert.deepEqual([map.get("a"), map.get("b")], [value, value]);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  assert.equal(map.get("b"), undefined);
});
