import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  cloneJson,
  encodeJson,
  encodeJsonBytes,
  JsonNumberError,
  type JsonObject,
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

test("a number that no float64 holds is refused with Go's text, once the rest is well formed", () => {
  fails("1e400", "json: cannot unmarshal number 1e400 into Go value of type float64");
  fails('{"a":[-1e999,1e400]}', "json: cannot unmarshal number -1e999 into Go value of type float64");
  fails("[1e400", "unexpected end of JSON input");
  assert.throws(() => parseJson("1e400"), JsonNumberError);
  assert.equal(roundTrip("1e-400"), "0");
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
  assert.equal(roundTrip('"\\udc00\\ud83dx\\ud83d"'), '"\ufffd\ufffdx\ufffd"');
  const broken = (...bytes: number[]) => encodeJson(parseJson(Buffer.from([0x22, ...bytes, 0x22])));
  assert.equal(broken(0xff), '"\ufffd"');
  assert.equal(broken(0xe2, 0x82), '"\ufffd\ufffd"');
  assert.equal(broken(0xed, 0xa0, 0x80), '"\ufffd\ufffd\ufffd"');
  assert.equal(broken(0xc0, 0x80, 0xc3, 0xa9), '"\ufffd\ufffdé"');
});

test("nesting goes to 10,000 levels and no further", () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  assert.equal(roundTrip(deep(10_000)), deep(10_000));
  fails(deep(10_001), "invalid character '[' exceeded max depth");
  fails('{"a":'.repeat(10_001), "invalid character '{' exceeded max depth");
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
  assert.deepEqual(duplicatesOf('[{"":{"x":1,"x":2},"":0}]'), ["[0]..x", "[0]."]);
  assert.deepEqual(duplicatesOf('{"__proto__":1,"__proto__":2,"toString":1}'), ["__proto__"]);
});

test("jsonParser() names each path once, and at most 100", () => {
  const twice = (key: string) => `"${key}":1,"${key}":2`;
  assert.deepEqual(duplicatesOf(`{"a":{${twice("x")}},"a":{${twice("x")}}}`), ["a.x", "a"]);
  const many = Array.from({ length: 150 }, (_, index) => twice(`k${index}`));
  assert.equal(duplicatesOf(`{${many.join(",")}}`).length, 100);
});

test("jsonParser() doesn't spell a deep path for each of its duplicates", () => {
  const inner = `{${'"x":1,'.repeat(100_000)}"x":1}`;
  const before = process.cpuUsage();
  assert.equal(duplicatesOf(`${'{"a":'.repeat(9_000)}${inner}${"}".repeat(9_000)}`).length, 1);
  const ms = process.cpuUsage(before).user / 1000;
  assert.ok(ms < 2_000, `${ms} ms`);
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
  fails('{"a', "unexpected end of JSON input");
  fails("1.x", "invalid character 'x' after decimal point in numeric literal");
  fails("1ex", "invalid character 'x' in exponent of numeric literal");
  fails('"\\x"', "invalid character 'x' in string escape code");
  fails('"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape");
  fails('"\n"', "invalid character '\\n' in string literal");
  fails("é", "invalid character 'Ã' looking for beginning of value");
  fails("[']", "invalid character '\\'' looking for beginning of value");
  assert.throws(() => parseJson(Buffer.from([0x5b, 0xff])), /^JsonSyntaxError: invalid character 'ÿ' looking for/);
});

test("where the text ends inside a token, Go complains of a space", () => {
  fails("tru", "invalid character ' ' in literal true (expecting 'e')");
  fails("-", "invalid character ' ' in numeric literal");
  fails("1.", "invalid character ' ' after decimal point in numeric literal");
  fails("1e-", "invalid character ' ' in exponent of numeric literal");
  fails('"\\', "invalid character ' ' in string escape code");
  fails('"\\u12', "invalid character ' ' in \\u hexadecimal character escape");
});

test("jsonEqual() compares integers by value and ignores the order of keys", () => {
  assert.ok(jsonEqual(parseJson('{"a":1,"b":[9007199254740993]}'), parseJson('{"b":[9007199254740993],"a":1.0}')));
  assert.ok(jsonEqual(1n, 1));
  assert.ok(jsonEqual(2 ** 53, 2n ** 53n));
  assert.ok(!jsonEqual(2 ** 53, 2n ** 53n + 1n));
  assert.ok(!jsonEqual(parseJson('{"a":null}'), parseJson('{"b":null}')));
  assert.ok(!jsonEqual([], {}));
  assert.ok(!jsonEqual("1", 1));
});

test("a string of any length is escaped whole, in pieces", () => {
  const text = `${"😀<".repeat(20_000)}x`;
  const encoder = jsonEncoder([text, "<"]);
  let steps = 1;
  while (!encoder.step(1)) steps++;
  assert.ok(steps > 3);
  assert.equal(encoder.result().toString(), `["${"😀\\u003c".repeat(20_000)}x","\\u003c"]`);
  assert.equal(encodeJson([text]), `["${"😀\\u003c".repeat(20_000)}x"]`);
});

test("a text of any length is read whole, in pieces, with its escapes and faults wherever they stand", () => {
  for (const length of [0, 63, 64, 65, 1_023, 1_024, 1_025, 5_000]) {
    const plain = "x".repeat(length);
    for (const [json, text] of [
      [plain, plain],
      [`${plain}\\u00e9\\n`, `${plain}é\n`],
      [`\\"${plain}\\ud83d\\ude00`, `"${plain}😀`],
    ] as const) {
      const parser = jsonParser(Buffer.from(`{"${json}":["${json}",1]}`));
      let steps = 1;
      while (!parser.step(1)) steps++;
      assert.deepEqual(Object.entries(parser.result().value as JsonObject), [[text, [text, 1]]]);
      if (length === 5_000) assert.ok(steps > 8);
    }
    for (const fault of ["\n", "\\x", "\\u00g0"])
      assert.throws(() => parseJson(`["${plain}${fault}"]`), JsonSyntaxError);
    assert.throws(() => parseJson(`["${plain}`), /^JsonSyntaxError: unexpected end of JSON input$/);
  }
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
    // -0 is read as an integer, which has no such zero.
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
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
