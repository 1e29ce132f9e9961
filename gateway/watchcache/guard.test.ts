import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoreEvent } from "../registry/registry.ts";
import { assertEpochStart, assertMark, assertNext, assertProgress, StoreLied } from "./guard.ts";

const object = (revision: bigint) => ({ namespace: "ns", name: "a", revision, json: new Uint8Array() });
const put = (revision: bigint): StoreEvent => ({ type: "put", object: object(revision) });
const page = (revision: bigint, ...items: bigint[]) => ({
  items: items.map(object),
  revision,
  epoch: "e",
  continueToken: new Uint8Array(),
  remaining: undefined,
});

test("assertMark() refuses a mark below an item", () => {
  assertMark(page(5n, 5n, 1n));
  assert.throws(() => assertMark(page(5n, 1n, 6n)), new StoreLied('a list at revision 5 has "ns/a" at 6'));
});

test("assertNext() refuses an event that is repeated or out of order", () => {
  assertNext(put(6n), 5n);
  assert.throws(() => assertNext(put(5n), 5n), new StoreLied('an event of "ns/a" at revision 5 came after revision 5'));
});

test("assertProgress() refuses progress that goes back", () => {
  assertProgress(5n, 5n);
  assert.throws(() => assertProgress(4n, 5n), new StoreLied("progress of revision 4 came after revision 5"));
});

test("assertEpochStart() refuses a start below what was shown", () => {
  assertEpochStart({ epoch: "b", revision: 9n }, { epoch: "a", revision: 9n });
  assertEpochStart({ epoch: "a", revision: 1n }, { epoch: "", revision: 0n });
  assert.throws(
    () => assertEpochStart({ epoch: "b", revision: 8n }, { epoch: "a", revision: 9n }),
    new StoreLied("the epoch b is at revision 8, and 9 was shown before"),
  );
});
