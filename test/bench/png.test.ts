import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, inflateSync } from "node:zlib";
import { plot } from "./plot.ts";
import { createPicture } from "./png.ts";

/** Reads a file back: chunks by type, each with its checksum checked. */
function chunksOf(file: Buffer): Map<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const named = file.subarray(at + 4, at + 8 + length);
    assert.equal(file.readUInt32BE(at + 8 + length), crc32(named));
    chunks.set(named.toString("latin1", 0, 4), named.subarray(4));
    at += 12 + length;
  }
  return chunks;
}

test("encode() gives each row of the picture, and paints nothing outside of it", () => {
  const picture = createPicture(2, 2);
  picture.paint(1, 0, [1, 2, 3]);
  picture.paint(2, 0, [9, 9, 9]);
  picture.paint(0, -1, [9, 9, 9]);
  const file = picture.encode();
  assert.equal(file.toString("latin1", 1, 4), "PNG");
  const chunks = chunksOf(file);
  assert.deepEqual([...chunks.keys()], ["IHDR", "IDAT", "IEND"]);
  assert.deepEqual([...(chunks.get("IHDR") ?? [])], [0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
  assert.deepEqual(
    [...inflateSync(chunks.get("IDAT") ?? "")],
    [...[0, 255, 255, 255, 1, 2, 3], ...[0, 255, 255, 255, 255, 255, 255]],
  );
});

test("plot() draws each line in its color, and what is not there not at all", () => {
  const lines = [
    { name: "a", points: [[0, 1] as const, [1, 2] as const] },
    { name: "none", points: [] },
  ];
  const rows = inflateSync(chunksOf(plot("soak", [{ title: "MiB", lines }])).get("IDAT") ?? "").toString("latin1");
  const has = (color: readonly number[]) => rows.includes(Buffer.from(color).toString("latin1"));
  assert.ok(has([31, 119, 180]));
  assert.ok(!has([44, 160, 44]));
});
