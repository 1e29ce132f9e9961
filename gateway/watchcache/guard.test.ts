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

test("assertMark() refuses a mark below an item, and below the one of the first page", () => {
  assertMark(page(5n, 5n, 1n), undefined);
  assertMark(page(7n, 6n), 5n);
  const lied = (message: string) => new StoreLied(message);
  assert.throws(() => assertMark(page(5n, 1n, 6n), undefined), lied('a list at revision 5 has "ns/a" at 6'));
  assert.throws(() => assertMark(page(4n), 5n), lied("a list at revision 5 has a page at 4"));
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
