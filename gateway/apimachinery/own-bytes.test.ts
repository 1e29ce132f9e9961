import assert from "node:assert/strict";
import { test } from "node:test";
import { ownBytes } from "./own-bytes.ts";

test("ownBytes() keeps nothing alive but the bytes", () => {
  const whole = Buffer.allocUnsafeSlow(10);
  assert.equal(ownBytes(whole).buffer, whole.buffer);
  for (const part of [Buffer.from("from a slab"), new Uint8Array(100).subarray(3, 9)]) {
    const own = ownBytes(part);
    assert.deepEqual([...own], [...part]);
    assert.equal(own.buffer.byteLength, part.length);
  }
});
