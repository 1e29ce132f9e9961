import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsOf } from "./rows.ts";

test("rowsOf() keeps the object's bytes, and not the message that they came in", () => {
  const message = Buffer.alloc(10_000, "x");
  const write = { verb: "create", resource: "widgets.example", key: "ns/a", uid: "u" } as const;
  const asked = { ...write, json: message.subarray(100, 150), revision: undefined, presentUid: undefined };
  const [row] = rowsOf([asked], [{ done: "written", revision: 2n, previous: undefined, last: undefined }]);
  assert.equal(Buffer.from(row?.json ?? []).toString(), "x".repeat(50));
  assert.equal(row?.json.buffer.byteLength, 50);
});
