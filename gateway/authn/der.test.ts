import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatOid, readDer, readDerString, readInside } from "./der.ts";

const text = (tag: number, content: Buffer) => readDerString({ tag, content, raw: content });

test("readDer() reads short and long lengths", () => {
  const long = Buffer.alloc(300, 7);
  const values = readDer(Buffer.concat([Buffer.from("020105", "hex"), Buffer.from("0482012c", "hex"), long]));
  assert.deepEqual(
    values.map(({ tag, content, raw }) => [tag, content.length, raw.length]),
    [
      [2, 1, 3],
      [4, 300, 304],
    ],
  );
});

test("readDer() refuses lengths that are not there", () => {
  for (const hex of ["02", "0205", "0280", "0285", "028201", "0484ffffffff", "1f8101"]) {
    assert.throws(() => readDer(Buffer.from(hex, "hex")), /^Error: x509: /, hex);
  }
});

test("readDer() reads or refuses any bytes, and never reads beyond them", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        const values = readDer(Buffer.from(bytes));
        assert.equal(
          values.reduce((sum, value) => sum + value.raw.length, 0),
          bytes.length,
        );
      } catch (error) {
        assert.match((error as Error).message, /^x509: /);
      }
    }),
  );
});

test("readInside() refuses another tag", () => {
  assert.throws(() => readInside(undefined, 0x30), { message: "x509: malformed certificate: no value with tag 48" });
});

test("formatOid() writes arcs in dots", () => {
  assert.equal(formatOid(Buffer.from("550403", "hex")), "2.5.4.3");
  assert.equal(formatOid(Buffer.from("2b0601040183c25302", "hex")), "1.3.6.1.4.1.57683.2");
  assert.equal(formatOid(Buffer.from("8837", "hex")), "2.999");
});

test("readDerString() reads the six string types", () => {
  assert.equal(text(0x0c, Buffer.from('ä, "x"')), 'ä, "x"');
  assert.equal(text(0x13, Buffer.from("a=b*&")), "a=b*&");
  assert.equal(text(0x14, Buffer.from([0xe4])), "ä");
  assert.equal(text(0x16, Buffer.from("a@b")), "a@b");
  assert.equal(text(0x12, Buffer.from("1 2")), "1 2");
  assert.equal(text(0x1e, Buffer.from("00e420ac0000", "hex")), "ä€");
});

test("readDerString() refuses bytes that are not of their type", () => {
  assert.throws(() => text(0x0c, Buffer.from([0xff])), TypeError);
  assert.throws(() => text(0x13, Buffer.from("a@b")), { message: "x509: invalid PrintableString" });
  assert.throws(() => text(0x16, Buffer.from([0x80])), { message: "x509: invalid IA5String" });
  assert.throws(() => text(0x12, Buffer.from("a")), { message: "x509: invalid NumericString" });
  assert.throws(() => text(0x1e, Buffer.from("00", "hex")), { message: "x509: invalid BMPString" });
  assert.throws(() => text(0x1e, Buffer.from("d83d", "hex")), { message: "x509: invalid BMPString" });
  assert.throws(() => text(0x04, Buffer.from("a")), { message: "x509: unsupported string type: 4" });
});
