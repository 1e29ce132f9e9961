import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { batchesOf } from "./batches.ts";

const batchBytes = 256 * 1024;
const joinedBytes = 64 * 1024;

test("batchesOf() gives the same bytes in few batches, none of them too large", () => {
  const sizes = fc.array(fc.oneof(fc.constant(0), fc.nat(2000), fc.nat(600_000)), { maxLength: 12 });
  fc.assert(
    fc.property(sizes, (lengths) => {
      const buffers = lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
      const batches = [...batchesOf(buffers)];
      assert.ok(Buffer.concat(batches).equals(Buffer.concat(buffers)));
      for (const batch of batches) assert.ok(batch.length > 0 && batch.length <= batchBytes);
      // Of two neighbours that are both copies, neither would have had room in the other.
      const copies = batches.map((batch) => !buffers.some(({ buffer }) => buffer === batch.buffer));
      for (let index = 1; index < batches.length; index++) {
        if (copies[index - 1] && copies[index]) {
          assert.ok((batches[index - 1] as Uint8Array).length + (batches[index] as Uint8Array).length > joinedBytes);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("batchesOf() copies no buffer that fills a batch by itself", () => {
  const large = Buffer.alloc(2 * batchBytes);
  for (const batch of batchesOf([large])) assert.equal(batch.buffer, large.buffer);
});
