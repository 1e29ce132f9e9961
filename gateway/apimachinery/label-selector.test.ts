import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatLabelSelector,
  type LabelRequirement,
  type LabelSelector,
  matchesLabels,
  parseLabelSelector,
  requiresExactLabel,
} from "./label-selector.ts";

const keyText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const parsed = (text: string) => parseLabelSelector(text).requirements;

test("parseLabelSelector() reads every operator, sorted by key", () => {
  assert.deepEqual(parsed(""), []);
  assert.deepEqual(parsed(" z , !y,x=a,w==b,v!=c,u in (q,p,,p),t notin (),s>1,r<0 "), [
    { key: "r", operator: "lt", values: ["0"] },
    { key: "s", operator: "gt", values: ["1"] },
    { key: "t", operator: "notin", values: [""] },
    { key: "u", operator: "in", values: ["", "p", "q"] },
    { key: "v", operator: "!=", values: ["c"] },
    { key: "w", operator: "==", values: ["b"] },
    { key: "x", operator: "=", values: ["a"] },
    { key: "y", operator: "!", values: [] },
    { key: "z", operator: "exists", values: [] },
  ]);
});

test("parseLabelSelector() takes in and notin as words where no operator can stand", () => {
  assert.deepEqual(parsed("in in (in,notin)"), [{ key: "in", operator: "in", values: ["in", "notin"] }]);
  assert.deepEqual(parsed("a="), [{ key: "a", operator: "=", values: [""] }]);
  assert.deepEqual(parsed("a in (,)"), [{ key: "a", operator: "in", values: [""] }]);
  assert.deepEqual(parsed("a in (,b)"), [{ key: "a", operator: "in", values: ["", "b"] }]);
  assert.deepEqual(parsed("a in (b,)"), [{ key: "a", operator: "in", values: ["", "b"] }]);
});

const wrong: readonly (readonly [text: string, message: string])[] = [
  ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ["a,", "found '', expected: identifier after ','"],
  ["a,,b", "found ',', expected: identifier after ','"],
  ["=b", "found '=', expected: !, identifier, or 'end of string'"],
  ["!", "unable to parse requirement: found '', expected: identifier"],
  ["!a=b", "found '=', expected: ',' or 'end of string'"],
  ["a==b c", "found 'c', expected: ',' or 'end of string'"],
  ["a===b", "unable to parse requirement: found '=', expected: identifier"],
  ["a in", "unable to parse requirement: found '' expected: '('"],
  ["a in (b", "unable to parse requirement: found '', expected: ',' or ')'"],
  ["a in (b,", "unable to parse requirement: found '', expected: ',', or identifier"],
  ["a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"],
  ["a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"],
  ["-a", `unable to parse requirement: <nil>: Invalid value: "-a": ${keyText}`],
  ["a=-b", `unable to parse requirement: values[0][a]: Invalid value: "-b": ${valueText}`],
  [
    "a>b",
    "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
  ],
  ["a>-1", `unable to parse requirement: values[0][a]: Invalid value: "-1": ${valueText}`],
  [
    "a in (-b,c,-d)",
    `unable to parse requirement: [values[0][a]: Invalid value: "-b": ${valueText}, values[1][a]: Invalid value: "-d": ${valueText}]`,
  ],
];

test("parseLabelSelector() fails with Kubernetes' texts", () => {
  for (const [text, message] of wrong) assert.throws(() => parseLabelSelector(text), { message }, text);
});

const matches = (text: string, labels: Record<string, unknown>) => matchesLabels(parseLabelSelector(text), labels);

test("matchesLabels() holds each requirement against the labels", () => {
  const labels = { a: "x", n: "10", big: "9007199254740993", empty: "" };
  const yes = ["", "a", "a=x", "a in (x,y)", "a notin (y)", "b notin (y)", "b!=x", "!b", "n>9", "n<11", "a,!b,n>9"];
  yes.push("empty=", "empty", "big>9007199254740992");
  for (const text of yes) assert.equal(matches(text, labels), true, text);
  const no = ["b", "!a", "a!=x", "a=y", "b=", "a>1", "b>1", "n>10", "n<10", "a,b", "big>9007199254740993"];
  for (const text of no) assert.equal(matches(text, labels), false, text);
});

test("matchesLabels() takes what is inherited or no string for absent", () => {
  assert.equal(matches("toString", {}), false);
  assert.equal(matches("!toString", {}), true);
  assert.equal(matches("a", { a: 1 }), false);
});

test("matchesLabels() compares as int64: beyond it nothing matches", () => {
  assert.equal(matches("n>1", { n: "9223372036854775807" }), true);
  assert.equal(matches("n>1", { n: "9223372036854775808" }), false);
});

test("requiresExactLabel() gives the one value of the key's first requirement", () => {
  const selector = parseLabelSelector("a=1,b in (2),c in (3,4),d!=5,e");
  assert.equal(requiresExactLabel(selector, "a"), "1");
  assert.equal(requiresExactLabel(selector, "b"), "2");
  for (const key of ["c", "d", "e", "f"]) assert.equal(requiresExactLabel(selector, key), undefined, key);
});

const word = fc.stringMatching(/^[a-z0-9]([-a-z0-9_.]{0,5}[a-z0-9])?$/);
const key = fc.oneof(
  word,
  fc.tuple(fc.stringMatching(/^[a-z]{1,5}\.[a-z]{1,3}$/), word).map((parts) => parts.join("/")),
);
const value = fc.oneof(word, fc.constant(""));
const plain = { noNullPrototype: true } as const;
const requirement: fc.Arbitrary<LabelRequirement> = fc.oneof(
  fc.record({ key, operator: fc.constantFrom("exists", "!"), values: fc.constant([]) }, plain),
  fc.record({ key, operator: fc.constantFrom("=", "==", "!="), values: value.map((one) => [one]) }, plain),
  fc.record({ key, operator: fc.constantFrom("gt", "lt"), values: fc.nat().map((one) => [String(one)]) }, plain),
  fc.record(
    {
      key,
      operator: fc.constantFrom("in", "notin"),
      values: fc.uniqueArray(value, { minLength: 1, maxLength: 4 }).map((values) => values.sort()),
    },
    plain,
  ),
);
const selectors: fc.Arbitrary<LabelSelector> = fc
  .uniqueArray(requirement, { selector: (one) => one.key, maxLength: 5 })
  .map((requirements) => ({ requirements: requirements.sort((a, b) => (a.key < b.key ? -1 : 1)) }));

test("parseLabelSelector() is the inverse of formatLabelSelector()", () => {
  fc.assert(
    fc.property(selectors, (selector) => {
      assert.deepEqual(parseLabelSelector(formatLabelSelector(selector)), selector);
    }),
  );
});

test("parseLabelSelector() ends on any text, and its result formats to a text of the same meaning", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "in", "notin", "(", ")", ",", "=", "!", "<", ">", " ", "1", "\0"),
  });
  fc.assert(
    fc.property(text, (input) => {
      let selector: LabelSelector;
      try {
        selector = parseLabelSelector(input);
      } catch (error) {
        assert.ok(error instanceof Error && /found '|Invalid value/.test(error.message), String(error));
        return;
      }
      assert.deepEqual(parseLabelSelector(formatLabelSelector(selector)), selector);
    }),
    { numRuns: 2000 },
  );
});
