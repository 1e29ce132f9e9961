import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClientFrame, closePayload, FrameFault, FrameReader, serverFrameHead } from "./websocket-frames.ts";

/** Frames of RFC 6455, section 5.7: "Hello" in one masked frame, and a masked ping. */
const hello = Buffer.from("818537fa213d7f9f4d5158", "hex");
const pingHello = Buffer.from("898537fa213d7f9f4d5158", "hex");

function readAll(reader: FrameReader, ...pieces: Buffer[]): ClientFrame[] {
  return pieces.flatMap((piece) => [...reader.read(piece)]);
}

test("FrameReader reads the RFC's examples, however the bytes are cut", () => {
  const bytes = Buffer.concat([hello, pingHello]);
  const wanted = [
    { frame: "message", data: Buffer.from("Hello"), isText: true },
    { frame: "ping", data: Buffer.from("Hello") },
  ];
  assert.deepEqual(readAll(new FrameReader(100), bytes), wanted);
  const single = [...bytes].map((byte) => Buffer.from([byte]));
  assert.deepEqual(readAll(new FrameReader(100), ...single), wanted);
});

test("FrameReader bounds a message by its head, before the bytes are there", () => {
  const head = Buffer.from("82ff0000000100000000", "hex");
  assert.throws(
    () => readAll(new FrameReader(1_000), Buffer.concat([head, Buffer.alloc(4)])),
    (error: unknown) => error instanceof FrameFault && error.code === 1009,
  );
});

test("FrameReader refuses reserved bits and close codes that nobody may send", () => {
  const masked = (first: number, payload: Buffer) =>
    Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
  for (const frame of [
    masked(0xc2, Buffer.from("x")),
    masked(0x88, Buffer.from([0x03, 0xed])),
    masked(0x88, Buffer.from([3])),
  ])
    assert.throws(() => readAll(new FrameReader(100), frame), { code: 1002 });
  assert.deepEqual(readAll(new FrameReader(100), masked(0x88, Buffer.alloc(0))), [{ frame: "close", code: 1005 }]);
});

test("serverFrameHead() writes the three lengths of the RFC", () => {
  assert.equal(serverFrameHead(2, 125).toString("hex"), "827d");
  assert.equal(serverFrameHead(2, 256).toString("hex"), "827e0100");
  assert.equal(serverFrameHead(2, 65_536).toString("hex"), "827f0000000000010000");
});

test("closePayload() cuts a reason in front of a character", () => {
  const payload = closePayload(1011, "ü".repeat(100));
  assert.equal(payload.length, 2 + 122);
  assert.equal(payload.readUInt16BE(0), 1011);
  assert.equal(payload.subarray(2).toString(), "ü".repeat(61));
});
