import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  cloneJson,
  encodeJson,
  encodeJsonBytes,
  JsonSyntaxError,
  type JsonValue,
  jsonEncoder,
  jsonEqual,
  jsonParser,
  newJsonObject,
  parseJson,
} from "./json.ts";
import { finish } from "./steps.ts";

const roundTrip = (text: string) => encodeJson(parseJson(text));
const duplicatesOf = (text: string) => finish(jsonParser(Buffer.from(text), { duplicates: true })).duplicates;

function fails(text: string, message: string): void {
  assert.throws(
    () => parseJson(text),
    (error) => error instanceof JsonSyntaxError && error.message === message,
  );
}

test("parse and encode keep 64-bit integers", () => {
  for (const text of ["9223372036854775807", "-9223372036854775808", "9007199254740993", "0", "-1"]) {
    assert.equal(roundTrip(text), text);
  }
  assert.equal(roundTrip("-0"), "0");
  assert.equal(roundTrip("9223372036854775808"), "9223372036854776000");
  assert.equal(typeof parseJson("9223372036854775808"), "number");
});

test("encodeJson() writes floats as Go does", () => {
  assert.equal(roundTrip("1.0"), "1");
  assert.equal(roundTrip("-0.0"), "-0");
  assert.equal(roundTrip("1e21"), "1e+21");
  assert.equal(roundTrip("1e20"), "100000000000000000000");
  assert.equal(roundTrip("0.0000001"), "1e-7");
  assert.equal(roundTrip("0.000001"), "0.000001");
});

test("a number that no float64 holds is refused with Go's text", () => {
  fails("1e400", "json: cannot unmarshal number 1e400 into Go value of type float64");
});

test("every key is an ordinary key", () => {
  const text = '{"1":1,"10":2,"2":3,"__proto__":{"x":1},"constructor":4,"toString":5}';
  assert.equal(roundTrip(text), text);
  assert.equal((parseJson(text) as Record<string, JsonValue>)["hasOwnProperty"], undefined);
});

test("encodeJson() sorts keys by their UTF-8 bytes", () => {
  assert.equal(roundTrip('{"\u{1f600}":1,"\uffee":2,"b":3,"a":4}'), '{"a":4,"b":3,"\uffee":2,"\u{1f600}":1}');
});

test("encodeJson() escapes as Go does", () => {
  const object = newJsonObject();
  object["k"] = '<a&b>\u2028\u2029\u0000\b\f\n\r\t\u001f\u007f"\\é';
  assert.equal(
    encodeJson(object),
    '{"k":"\\u003ca\\u0026b\\u003e\\u2028\\u2029\\u0000\\b\\f\\n\\r\\t\\u001f\u007f\\"\\\\é"}',
  );
});

test("lone surrogates and broken UTF-8 become U+FFFD", () => {
  assert.equal(roundTrip('"\\ud800"'), '"\ufffd"');
  assert.equal(roundTrip('"\\ud83d\\ude00"'), '"😀"');
  assert.equal(encodeJson(parseJson(Buffer.from([0x22, 0xff, 0x22]))), '"\ufffd"');
});

test("nesting goes to 10,000 levels and no further", () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  assert.equal(roundTrip(deep(10_000)), deep(10_000));
  fails(deep(10_001), "exceeded max depth");
  const value = parseJson(deep(10_000));
  assert.ok(jsonEqual(value, cloneJson(value)));
});

test("jsonParser() names keys that come twice by their paths", () => {
  assert.deepEqual(duplicatesOf('{"spec":{"x":1,"x":2,"ports":[{"a":1},{"a":1,"a":3,"a":4}]},"spec":{}}'), [
    "spec.x",
    "spec.ports[1].a",
    "spec",
  ]);
  assert.equal(roundTrip('{"a":1,"a":2}'), '{"a":2}');
});

test("syntax errors carry Go's words", () => {
  fails("", "unexpected end of JSON input");
  fails('{"a":', "unexpected end of JSON input");
  fails("{a:1}", "invalid character 'a' looking for beginning of object key string");
  fails('{"a" 1}', "invalid character '1' after object key");
  fails('{"a":1 "b"}', "invalid character '\"' after object key:value pair");
  fails("[1 2]", "invalid character '2' after array element");
  fails("1 2", "invalid character '2' after top-level value");
  fails("tru ", "invalid character ' ' in literal true (expecting 'e')");
  fails("01", "invalid character '1' after top-level value");
  fails("-", "unexpected end of JSON input");
  fails("1.x", "invalid character 'x' after decimal point in numeric literal");
  fails("1ex", "invalid character 'x' in exponent of numeric literal");
  fails('"\\x"', "invalid character 'x' in string escape code");
  fails('"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape");
  fails('"\n"', "invalid character '\\n' in string literal");
  fails("é", "invalid character 'Ã' looking for beginning of value");
});

test("encoding with an indent is Go's MarshalIndent", () => {
  const bytes = finish(jsonEncoder(parseJson('{"b":[1,{}],"a":{},"c":[]}'), { indent: true }));
  assert.equal(bytes.toString(), '{\n  "a": {},\n  "b": [\n    1,\n    {}\n  ],\n  "c": []\n}');
});

const anyJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc
      .array(fc.tuple(fc.oneof(fc.string(), fc.constant("__proto__"), fc.nat().map(String)), tie("value")), {
        maxLength: 5,
      })
      .map((pairs) => {
        const object = newJsonObject();
        for (const [key, value] of pairs) object[key] = value;
        return object;
      }),
  ),
})).value;

test("parse undoes encode, whatever the size of the steps", () => {
  fc.assert(
    fc.property(anyJson, fc.integer({ min: 1, max: 7 }), (value, units) => {
      const bytes = encodeJsonBytes(value);
      const parser = jsonParser(bytes);
      while (!parser.step(units));
      const parsed = parser.result().value;
      const encoder = jsonEncoder(parsed);
      while (!encoder.step(units));
      assert.deepEqual(encoder.result(), bytes);
    }),
  );
});

test("parse agrees with JSON.parse on what JavaScript can hold", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.deepEqual(
        JSON.parse(encodeJson(parseJson(text))),
        JSON.parse(text, (_, value) => (Object.is(value, -0) ? 0 : value)),
      );
    }),
  );
});
