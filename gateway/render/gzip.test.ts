import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { compressIfAsked } from "./gzip.ts";

const large = [Buffer.alloc(131_072, "a"), Buffer.from("b")];

test("compressIfAsked() packs what is over 128 KiB, and says so", async () => {
  const { buffers, headers } = (await compressIfAsked(large, "br, gzip")) ?? assert.fail();
  assert.deepEqual(headers, { "Content-Encoding": "gzip", Vary: "Accept-Encoding" });
  assert.ok(gunzipSync(Buffer.concat(buffers)).equals(Buffer.concat(large)));
});

test("compressIfAsked() packs many small buffers in their order", async () => {
  const many = Array.from({ length: 60_000 }, (_, index) => Buffer.from(`{"item":${index}},`));
  const { buffers } = (await compressIfAsked(many, "gzip")) ?? assert.fail();
  assert.ok(gunzipSync(Buffer.concat(buffers)).equals(Buffer.concat(many)));
});

test("compressIfAsked() leaves alone what is smaller or not asked for in so many words", async () => {
  const just = [Buffer.alloc(131_072, "a")];
  assert.equal(compressIfAsked(just, "gzip"), undefined);
  for (const accept of [undefined, "", "gzip;q=1.0", "deflate", "*"]) {
    assert.equal(compressIfAsked(large, accept), undefined);
  }
});
