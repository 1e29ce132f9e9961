import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createBatches } from "./batches.ts";

const batchBytes = 256 * 1024;

function all(buffers: readonly Uint8Array[]): Uint8Array[] {
  const { next } = createBatches(buffers);
  const batches: Uint8Array[] = [];
  for (let batch = next(); batch !== undefined; batch = next()) batches.push(batch);
  return batches;
}

test("createBatches() gives the same bytes in batches that are full but for the last", () => {
  const sizes = fc.array(fc.oneof(fc.constant(0), fc.nat(2000), fc.nat(600_000)), { maxLength: 12 });
  fc.assert(
    fc.property(sizes, (lengths) => {
      const buffers = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      const batches = all(buffers);
      assert.ok(Buffer.concat(batches).equals(Buffer.concat(buffers)));
      for (const batch of batches.slice(0, -1)) assert.equal(batch.length, batchBytes);
      assert.equal(createBatches(buffers).length, Math.min(batches.length, 2));
    }),
    { numRuns: 50 },
  );
});

test("createBatches() copies no buffer that fills a batch by itself", () => {
  const large = Buffer.alloc(2 * batchBytes);
  for (const batch of all([large])) assert.equal(batch.buffer, large.buffer);
});
