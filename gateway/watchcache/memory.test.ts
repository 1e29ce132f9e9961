import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyTooLarge, createMemory } from "./memory.ts";

test("a copy has room up to its own limit, and history beside it", () => {
  const one = createMemory({ maxCopyBytes: 10, maxHistoryBytes: 5, maxTotalBytes: 100 })();
  one.hold(10, 5);
  assert.throws(() => one.hold(11, 0), new CopyTooLarge("maxCopyBytes is 10"));
});

test("copies have room up to the limit of all, and what one lets go another may take", () => {
  const open = createMemory({ maxCopyBytes: 10, maxHistoryBytes: 5, maxTotalBytes: 20 });
  const [one, other] = [open(), open()];
  one.hold(8, 4);
  assert.throws(() => other.hold(7, 2), new CopyTooLarge("maxTotalBytes is 20"));
  other.hold(7, 1);
  // What is tried takes no room from others.
  assert.throws(() => one.assertFits(9, 4), CopyTooLarge);
  one.assertFits(8, 4);
  one.release();
  other.hold(10, 5);
  other.hold(1, 0);
  one.hold(10, 9);
});
