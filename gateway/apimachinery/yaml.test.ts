import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeJson, type JsonObject, type JsonValue, newJsonObject, parseJson } from "./json.ts";
import { finish } from "./steps.ts";
import { encodeYaml, parseYaml, yamlEncoder, yamlParser } from "./yaml.ts";

const json = (yaml: string) => encodeJson(parseYaml(yaml).value);
const yamlOf = (text: string) => encodeYaml(parseJson(text));
const fails = (yaml: string, message: string) =>
  assert.throws(
    () => parseYaml(yaml),
    (error) => (error as Error).message === message,
  );

test("parseYaml() reads YAML 1.1's words and numbers", () => {
  assert.equal(json("[yes, n, On, ~, Null, true]"), "[true,false,true,null,null,true]");
  assert.equal(json("[0777, 0x1F, 0b11, 0o17, 1_000, -0, +1]"), "[511,31,3,15,1000,0,1]");
  assert.equal(json("[1.5, 1., .5, 1e3, 08, 1e400]"), '[1.5,1,0.5,1000,8,"1e400"]');
  assert.equal(
    json("[9223372036854775807, 9223372036854775808, 9e18]"),
    "[9223372036854775807,9223372036854776000,9000000000000000000]",
  );
  assert.equal(json("[2001-01-01, 1:30, \"yes\", '1', !!str 1, !!float 1]"), '["2001-01-01","1:30","yes","1","1",1]');
  assert.equal(json("1: a\ntrue: b\n1.5: c\n__proto__: d\n"), '{"1":"a","1.5":"c","__proto__":"d","true":"b"}');
  assert.equal(json(""), "null");
});

test("parseYaml() reads scalars of every style", () => {
  assert.equal(json("a: b c\n  d\n\n  e\n"), '{"a":"b c d\\ne"}');
  assert.equal(json("a: 'it''s\n  so'\n"), '{"a":"it\'s so"}');
  assert.equal(json('a: "\\u00e9\\x41\\n\\\n  b  \n\n  c"\n'), '{"a":"éA\\nb\\nc"}');
  assert.equal(json("a: |\n  x\n   y\n\n  z\nb: 1\n"), '{"a":"x\\n y\\n\\nz\\n","b":1}');
  assert.equal(json("a: >-\n  x\n  y\n\n  z\n   w\n"), '{"a":"x y\\nz\\n w"}');
  assert.equal(json("a: |+2\n    x\n\n"), '{"a":"  x\\n\\n"}');
  assert.equal(json("a: b # c\n# d\n"), '{"a":"b"}');
});

test("parseYaml() reads collections of every style", () => {
  assert.equal(json("a:\n- 1\n- - 2\n  - 3\n-\n"), '{"a":[1,[2,3],null]}');
  assert.equal(json("? a\n: b\n? c\n"), '{"a":"b","c":null}');
  assert.equal(json("[{a, b: c, ? d : e}, f: g, ]"), '[{"a":null,"b":"c","d":"e"},{"f":"g"}]');
  assert.equal(json('{"a":1,"b":{"c":[]}}'), '{"a":1,"b":{"c":[]}}');
  assert.equal(json("%YAML 1.1\n---\na: 1\n...\n"), '{"a":1}');
});

test("parseYaml() follows aliases and merges maps in their order", () => {
  assert.equal(json("a: &x [1]\nb: *x\n"), '{"a":[1],"b":[1]}');
  assert.equal(json("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n"), '{"a":{"k":1,"l":2},"b":{"k":3,"l":2}}');
  assert.equal(json("b:\n  <<: [{k: 1}, {k: 2, l: 2}]\n"), '{"b":{"k":1,"l":2}}');
});

test("parseYaml() reads the first document only", () => {
  assert.equal(json("a: 1\n---\nb: ["), '{"a":1}');
});

test("parseYaml() tells keys that came twice by the lines of their values, inner ones first", () => {
  const parsed = parseYaml("kind: a\nspec:\n  size: 1\n  size: 2\nspec:\n  x: {z: 1, z: 2}\n1: a\n1: b\n");
  assert.equal(encodeJson(parsed.value), '{"1":"b","kind":"a","spec":{"x":{"z":2}}}');
  assert.deepEqual(parsed.duplicates, [
    'line 4: key "size" already set in map',
    'line 6: key "z" already set in map',
    'line 6: key "spec" already set in map',
    "line 8: key 1 already set in map",
  ]);
});

test("parseYaml() fails in go-yaml's words and lines", () => {
  fails("a: b: c", "yaml: mapping values are not allowed in this context");
  fails("a: 1\nb: c: d", "yaml: line 2: mapping values are not allowed in this context");
  fails("a:\n  - b\n c: d", "yaml: line 2: did not find expected key");
  fails("a: [1\n", "yaml: line 1: did not find expected ',' or ']'");
  fails("a: {b\n", "yaml: line 1: did not find expected ',' or '}'");
  fails("a:\n\t- b", "yaml: line 2: found character that cannot start any token");
  fails("a: 'b", "yaml: found unexpected end of stream");
  fails('a: "\\q"', "yaml: found unknown escape character");
  fails("a: *x", "yaml: unknown anchor 'x' referenced");
  fails("a: &x [*x]", "yaml: anchor 'x' value contains itself");
  fails("<<: 1", "yaml: map merge requires map or sequence of maps as the value");
  fails("[a]: 1", "yaml: invalid map key");
  fails("~: 1", "unsupported map key of type: %!s(<nil>), key: <nil>, value: <nil>");
  fails("a: .inf", "json: unsupported value: +Inf");
  fails("!!int x", "yaml: cannot decode !!str `x` as a !!int");
  fails("%YAML 1.2\n--- a", "yaml: found incompatible YAML document");
  fails("a: \u0007", "yaml: control characters are not allowed");
  assert.throws(() => finish(yamlParser(Buffer.of(0xff))), /^YamlSyntaxError: yaml: invalid leading UTF-8 octet$/);
});

test("parseYaml() bounds what aliases expand to", () => {
  const lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"];
  for (let level = 1; level < 12; level++)
    lines.push(
      `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join()}]`,
    );
  fails(lines.join("\n"), "yaml: document contains excessive aliasing");
});

test("parseYaml() goes as deep as JSON, and no deeper", () => {
  const deep = "[".repeat(10_000) + "]".repeat(10_000);
  assert.equal(json(deep), deep);
  fails(`[${deep}]`, "yaml: exceeded max depth of 10000");
  fails("- ".repeat(10_001), "yaml: exceeded max depth of 10000");
  fails(`- ${deep}`, "invalid character '[' exceeded max depth");
});

test("encodeYaml() lays out collections as sigs.k8s.io/yaml", () => {
  assert.equal(
    yamlOf('{"b":[{"x":1,"y":[[1,2],[]]},{}],"a":{"c":null},"v10":1,"v9":2}'),
    'a:\n  c: null\nb:\n- x: 1\n  "y":\n  - - 1\n    - 2\n  - []\n- {}\nv9: 2\nv10: 1\n',
  );
  assert.equal(yamlOf("[]"), "[]\n");
  assert.equal(yamlOf("{}"), "{}\n");
  assert.equal(
    yamlOf(`{"${"k".repeat(129)}":[1],"m\\nn":{"a":1}}`),
    `? ${"k".repeat(129)}\n: - 1\n? |-\n  m\n  n\n: a: 1\n`,
  );
});

test("encodeYaml() quotes what would read as something else", () => {
  const lines = (values: string[]) => values.map((value) => encodeYaml(value).slice(0, -1));
  assert.deepEqual(lines(["a b", "v1.2.3", "-a", "a:b", "a#b", "http://x"]), [
    "a b",
    "v1.2.3",
    "-a",
    "a:b",
    "a#b",
    "http://x",
  ]);
  assert.deepEqual(lines(["", "yes", "1", "0x1f", "2001-01-01", "1:30", "~"]), [
    '""',
    '"yes"',
    '"1"',
    '"0x1f"',
    '"2001-01-01"',
    '"1:30"',
    '"~"',
  ]);
  assert.deepEqual(lines(["a: b", "#a", "it's", "'a", "@a", " a", "- a", "---"]), [
    "'a: b'",
    "'#a'",
    "it's",
    "'''a'",
    "'@a'",
    "' a'",
    "'- a'",
    "'---'",
  ]);
  assert.deepEqual(lines(["\t", "😀", "a \n", "\u0085"]), ['"\\t"', '"\\U0001F600"', '"a \\n"', '"\\N"']);
  assert.deepEqual(lines(["a\nb\n", "a\n\n", " a\nb"]), ["|\n  a\n  b", "|+\n  a\n", "|2-\n   a\n  b"]);
});

test("encodeYaml() folds long texts after column 80", () => {
  const words = "word ".repeat(20).trim();
  assert.equal(encodeYaml({ a: words }), `a: ${"word ".repeat(16).trim()}\n  ${"word ".repeat(4).trim()}\n`);
  assert.equal(encodeYaml({ a: `'${words}` }), `a: '''${"word ".repeat(16).trim()}\n  ${"word ".repeat(4).trim()}'\n`);
  assert.equal(parseYaml(encodeYaml({ a: `\t${words}` })).value === null, false);
});

test("encodeYaml() writes numbers as Go's %g, integers whole", () => {
  assert.equal(
    yamlOf("[1, 9223372036854775807, 1.5, 1e21, 123456789.5, 0.00001, -0.0]"),
    "- 1\n- 9223372036854775807\n- 1.5\n- 1e+21\n- 1.234567895e+08\n- 1e-05\n- 0\n",
  );
});

const anyYaml: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }).map((number) => number || 0),
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^[a-z :#'"\-\n,[\]{}0-9.~]{0,200}$/),
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(fc.string(), fc.constantFrom("__proto__", "yes", "1", "a\nb")), tie("value")), {
        maxLength: 4,
      })
      .map((pairs) => {
        const object: JsonObject = newJsonObject();
        for (const [key, value] of pairs) object[key] = value;
        return object;
      }),
  ),
})).value;

test("parseYaml() undoes encodeYaml(), whatever the size of the steps", () => {
  fc.assert(
    fc.property(anyYaml, fc.integer({ min: 1, max: 5 }), (value, units) => {
      const encoder = yamlEncoder(value);
      while (!encoder.step(units));
      const bytes = encoder.result();
      assert.equal(bytes.toString(), encodeYaml(value));
      const parser = yamlParser(bytes);
      while (!parser.step(units));
      assert.equal(encodeJson(parser.result().value), encodeJson(value));
    }),
  );
});
