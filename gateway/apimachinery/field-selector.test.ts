import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type FieldSelector,
  formatFieldSelector,
  matchesFields,
  parseFieldSelector,
  requiresExactMatch,
} from "./field-selector.ts";

test("parseFieldSelector() reads terms, sorted, with escapes in values", () => {
  assert.deepEqual(parseFieldSelector("").requirements, []);
  assert.deepEqual(parseFieldSelector("b==1,,a!=2,c=x\\,y\\=z\\\\").requirements, [
    { field: "a", operator: "!=", value: "2" },
    { field: "b", operator: "=", value: "1" },
    { field: "c", operator: "=", value: "x,y=z\\" },
  ]);
  assert.deepEqual(parseFieldSelector("=").requirements, []);
  assert.deepEqual(parseFieldSelector("a=").requirements, [{ field: "a", operator: "=", value: "" }]);
});

test("parseFieldSelector() fails with Kubernetes' texts", () => {
  const wrong: readonly (readonly [text: string, message: string])[] = [
    ["foo", "invalid selector: 'foo'; can't understand 'foo'"],
    ["a=b,foo", "invalid selector: 'a=b,foo'; can't understand 'foo'"],
    ["a=b=c", "invalid field selector: unescaped character in value: 61"],
    ["a=b\\x", "invalid field selector: invalid escape sequence: \\x"],
    ["a=b\\", "invalid field selector: invalid escape sequence: \\"],
  ];
  for (const [text, message] of wrong) assert.throws(() => parseFieldSelector(text), { message }, text);
});

test("matchesFields() holds each requirement against the field's text", () => {
  const fields: Record<string, string> = { "metadata.name": "x", "spec.color": "" };
  const matches = (text: string) => matchesFields(parseFieldSelector(text), (field) => fields[field] ?? "");
  for (const text of ["", "metadata.name=x", "metadata.name!=y,spec.color=", "spec.other="]) {
    assert.equal(matches(text), true, text);
  }
  for (const text of ["metadata.name=y", "metadata.name!=x", "metadata.name=x,spec.color=red", "spec.other!="]) {
    assert.equal(matches(text), false, text);
  }
});

test("requiresExactMatch() gives the value of the first equality", () => {
  const selector = parseFieldSelector("metadata.name=x,metadata.namespace!=y");
  assert.equal(requiresExactMatch(selector, "metadata.name"), "x");
  assert.equal(requiresExactMatch(selector, "metadata.namespace"), undefined);
});

test("parseFieldSelector() is the inverse of formatFieldSelector()", () => {
  const requirement = fc.record({
    field: fc.stringMatching(/^[a-z]{1,6}(\.[a-z]{1,4})?$/),
    operator: fc.constantFrom("=" as const, "!=" as const),
    value: fc.string({ unit: fc.constantFrom("a", ",", "=", "\\", "!", "é", "😀", " ") }),
  });
  const selectors: fc.Arbitrary<FieldSelector> = fc.record({ requirements: fc.array(requirement, { maxLength: 4 }) });
  fc.assert(
    fc.property(selectors, (selector) => {
      const read = parseFieldSelector(formatFieldSelector(selector));
      const text = (one: FieldSelector) => one.requirements.map((part) => JSON.stringify(part)).sort();
      assert.deepEqual(text(read), text(selector));
    }),
    { numRuns: 1000 },
  );
});
