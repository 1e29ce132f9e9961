import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GetResponseSchema } from "../../gen/annex/store/v1/store_pb.js";
import { encodeMessage } from "./codec.ts";
import { Gathered } from "./gathered.ts";

function gathered(bytes: Uint8Array, partBytes: number): Buffer {
  const parts = new Gathered();
  for (let at = 0; at < bytes.length; at += partBytes) parts.add(bytes.subarray(at, at + partBytes));
  assert.equal(parts.length, bytes.length);
  return parts.whole();
}

test("Gathered gives the parts as one, whatever they seem to say of their length", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 5_000, size: "max" }),
      fc.integer({ min: 1, max: 600 }),
      (bytes, partBytes) => {
        assert.ok(gathered(bytes, partBytes).equals(bytes));
      },
    ),
  );
});

test("Gathered makes room once for a message whose first part says how long it is", () => {
  const object = { key: { namespace: "ns", name: "n" }, json: Buffer.alloc(1_000_000, 0x61) };
  const { chunks } = encodeMessage(GetResponseSchema, { object, mark: { revision: 7n, epoch: "e" } });
  const bytes = Buffer.concat(chunks);
  const whole = gathered(bytes, 65_536);
  assert.ok(whole.equals(bytes));
  assert.ok(whole.buffer.byteLength < bytes.length + 2_048);
});
