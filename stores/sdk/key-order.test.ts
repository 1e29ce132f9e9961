import assert from "node:assert/strict";
import { test } from "node:test";
import { compareKeys } from "./key-order.ts";

test("compareKeys() is the order of the UTF-8 bytes", () => {
  const keys = ["", "a", "a-b", "a.b", "a/b", "a0", "b", "é", "\u{1F600}", "\uff5e", "\ud7ff", "\ue000", "a\u{1F600}"];
  const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  for (const a of keys) {
    for (const b of keys) assert.equal(Math.sign(compareKeys(a, b)), byBytes(a, b), `${a} and ${b}`);
  }
});
