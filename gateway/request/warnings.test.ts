import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createWarnings } from "./request.ts";

const headersOf = (...texts: string[]) => {
  const warnings = createWarnings();
  for (const text of texts) warnings.add(text);
  return warnings.headers();
};

test("createWarnings() quotes, and says each text once", () => {
  assert.deepEqual(headersOf('unknown field "spec.foo"', "a\\b", "", "a\\b"), [
    '299 - "unknown field \\"spec.foo\\""',
    '299 - "a\\\\b"',
  ]);
});

test("createWarnings() gives Unicode as bytes", () => {
  const [header = ""] = headersOf("ä€");
  assert.equal(Buffer.from(header, "latin1").toString(), '299 - "ä€"');
});

test("createWarnings() drops a text with control characters", () => {
  assert.deepEqual(headersOf("a\nb", "a\u0085b", "c"), ['299 - "c"']);
});

test("createWarnings() cuts all texts short once the budget is passed", () => {
  const long = (char: string) => char.repeat(3000);
  assert.deepEqual(headersOf(long("a"), "short", long("b"), long("c")), [
    `299 - "${"a".repeat(256)}"`,
    '299 - "short"',
    `299 - "${"b".repeat(256)}"`,
    `299 - "${"c".repeat(256)}"`,
  ]);
});

test("createWarnings() stops at sixteen long texts", () => {
  const texts = Array.from({ length: 40 }, (_, at) => `${at}`.padEnd(300, "x"));
  assert.equal(headersOf(...texts).length, 16);
});

test("createWarnings() never writes more than its budget and one text", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 600 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 40 }), (texts) => {
      for (const header of headersOf(...texts)) assert.doesNotMatch(header, /[\0-\x1f\x7f]/);
      const chars = headersOf(...texts).reduce((sum, header) => sum + header.length, 0);
      assert.ok(chars <= (4096 + 256) * 5 + 40 * 8);
    }),
  );
});
