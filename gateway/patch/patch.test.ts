import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeJson, type JsonObject, type JsonValue, jsonEqual, parseJson } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { applyJsonPatch, applyMergePatch, jsonPatchSteps, parseJsonPatch, patchFaults, patchTypeOf } from "./patch.ts";

const patched = (document: string, patch: string) =>
  encodeJson(applyJsonPatch(parseJson(document), parseJsonPatch(parseJson(patch))));
const merged = (document: string, patch: string) =>
  encodeJson(applyMergePatch(parseJson(document) as JsonObject, parseJson(patch)));

function rejects(document: string, patch: string): void {
  assert.throws(
    () => patched(document, patch),
    (error) =>
      error instanceof StatusError &&
      error.status.code === 422 &&
      error.message === "the server rejected our request due to an error in our request",
  );
}

test("applyJsonPatch() adds, removes, replaces, moves, copies and tests", () => {
  assert.equal(patched('{"a":[1,3]}', '[{"op":"add","path":"/a/1","value":2}]'), '{"a":[1,2,3]}');
  assert.equal(patched('{"a":[1]}', '[{"op":"add","path":"/a/-","value":2}]'), '{"a":[1,2]}');
  assert.equal(patched('{"a":{"b":1}}', '[{"op":"remove","path":"/a/b"}]'), '{"a":{}}');
  assert.equal(patched('{"a":1}', '[{"op":"replace","path":"/a","value":null}]'), '{"a":null}');
  assert.equal(patched('{"a":{"x":1}}', '[{"op":"move","from":"/a/x","path":"/y"}]'), '{"a":{},"y":1}');
  assert.equal(patched('{"a":{"x":1}}', '[{"op":"copy","from":"/a","path":"/b"}]'), '{"a":{"x":1},"b":{"x":1}}');
  assert.equal(patched('{"a":1}', '[{"op":"test","path":"/a","value":1.0}]'), '{"a":1}');
  assert.equal(patched('{"a/b":{"~":1}}', '[{"op":"replace","path":"/a~1b/~0","value":2}]'), '{"a/b":{"~":2}}');
});

test("applyJsonPatch() has kube-apiserver's own ways", () => {
  assert.equal(patched('{"a":{}}', '[{"op":"replace","path":"/a/b","value":1}]'), '{"a":{"b":1}}');
  assert.equal(patched('{"a":[1,2]}', '[{"op":"remove","path":"/a/-1"}]'), '{"a":[1]}');
  assert.equal(patched('{"a":1}', '[{"op":"test","path":"/b","value":null}]'), '{"a":1}');
  assert.equal(patched("{}", '[{"op":"add","path":"/__proto__","value":{"x":1}}]'), '{"__proto__":{"x":1}}');
});

test("applyJsonPatch() rejects what can't be applied", () => {
  rejects('{"a":1}', '[{"op":"remove","path":"/b"}]');
  rejects('{"a":[1]}', '[{"op":"add","path":"/a/3","value":1}]');
  rejects('{"a":[1]}', '[{"op":"remove","path":"/a/1"}]');
  rejects('{"a":1}', '[{"op":"test","path":"/a","value":2}]');
  rejects('{"a":1}', '[{"op":"add","path":"/b/c","value":2}]');
  rejects('{"a":1}', '[{"op":"frob","path":"/a"}]');
  rejects('{"a":1}', '[{"path":"/a"}]');
});

test("applyJsonPatch() bounds what copies may add", () => {
  const big = `{"a":"${"x".repeat(1024 * 1024)}"}`;
  const copies = Array.from({ length: 3 }, (_, index) => `{"op":"copy","from":"/a","path":"/b${index}"}`);
  rejects(big, `[${copies.join(",")}]`);
});

test("applyJsonPatch() copies and tests what isn't there as null", () => {
  assert.equal(patched('{"a":{}}', '[{"op":"copy","from":"/a/b","path":"/c"}]'), '{"a":{},"c":null}');
  assert.equal(patched('{"a":[]}', '[{"op":"test","path":"/x","value":null},{"op":"test","path":"/x"}]'), '{"a":[]}');
  rejects('{"a":{}}', '[{"op":"move","from":"/a/b","path":"/c"}]');
  rejects('{"a":[]}', '[{"op":"test","path":"/a/0","value":null}]');
});

test("applyJsonPatch() reads indices as Go does", () => {
  assert.equal(patched('{"a":[1,2]}', '[{"op":"add","path":"/a/-1","value":3}]'), '{"a":[1,2,3]}');
  assert.equal(patched('{"a":[1,2]}', '[{"op":"add","path":"/a/-3","value":3}]'), '{"a":[3,1,2]}');
  assert.equal(patched('{"a":[1,2]}', '[{"op":"replace","path":"/a/+01","value":3}]'), '{"a":[1,3]}');
  rejects('{"a":[1,2]}', '[{"op":"replace","path":"/a/-3","value":3}]');
  rejects('{"a":[1,2]}', '[{"op":"replace","path":"/a/-","value":3}]');
  rejects('{"a":[1,2]}', '[{"op":"remove","path":"/a/1e0"}]');
});

test("applyJsonPatch() replaces the whole only by an object or a list", () => {
  assert.equal(patched('{"a":1}', '[{"op":"replace","path":"","value":{"b":1}}]'), '{"b":1}');
  assert.equal(patched('{"a":1}', '[{"op":"replace","path":"","value":[1]},{"op":"remove","path":"/0"}]'), "[]");
  rejects('{"a":1}', '[{"op":"replace","path":"","value":1}]');
  rejects('{"a":1}', '[{"op":"add","path":"","value":{}}]');
  assert.equal(patched('{"a":1}', '[{"op":"test","path":"","value":{"a":1}}]'), '{"a":1}');
});

test("applyJsonPatch() rejects a result that is nested too deeply to be read again", () => {
  const deep = `${'{"a":'.repeat(6_000)}{}${"}".repeat(6_000)}`;
  const end = "/a".repeat(6_000);
  assert.equal(JSON.parse(patched(deep, `[{"op":"add","path":"${end}","value":1}]`)) !== null, true);
  rejects(deep, `[{"op":"copy","from":"/a","path":"${end}/a"}]`);
});

test("jsonPatchSteps() stops between operations, and counts what a long list costs", () => {
  const document = parseJson(`{"a":[${"0,".repeat(99_999)}0]}`);
  const operations = parseJsonPatch([
    { op: "add", path: "/a/0", value: 1 },
    { op: "remove", path: "/a/0" },
  ]);
  const work = jsonPatchSteps(document, operations);
  // The copy of the list, a few values a unit; then what the operations cost, in units of their own.
  let calls = 0;
  while (!work.step(1_000)) calls++;
  assert.ok(calls > 10 && calls < 50, `${calls} calls`);
  assert.ok(jsonEqual(work.result(), document));
});

test("parseJsonPatch() refuses what is no list of operations, or too long a one", () => {
  const refused = (patch: JsonValue, message: string) =>
    assert.throws(
      () => parseJsonPatch(patch),
      (error) => error instanceof StatusError && error.message === message,
    );
  const decoding = "error decoding patch: json: cannot unmarshal";
  refused({}, `${decoding} object into Go value of type []handlers.jsonPatchOp`);
  refused([1], `${decoding} number into Go value of type handlers.jsonPatchOp`);
  refused([{ op: 1 }], `${decoding} number into Go struct field jsonPatchOp.op of type string`);
  refused([{ op: "add", path: [] }], `${decoding} array into Go struct field jsonPatchOp.path of type string`);
  refused(
    Array.from({ length: 10_001 }, () => ({ op: "test" })),
    "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
  );
  assert.deepEqual(parseJsonPatch(null), []);
});

test("patchFaults() tells repeated fields, and unknown ones of a JSON patch", () => {
  assert.deepEqual(patchFaults("merge", { foo: 1 }, ["a.b"]), ['duplicate field "a.b"']);
  assert.deepEqual(patchFaults("json", [null, { op: "add", OP: 1, value: { x: 1 } }], ["[1].value.x"]), [
    'json patch duplicate field "[1].value.x"',
    'json patch unknown field "[1].OP"',
  ]);
});

test("applyMergePatch() merges objects, removes by null, replaces the rest", () => {
  assert.equal(
    merged('{"a":{"b":1,"c":2},"d":[1]}', '{"a":{"b":null,"e":{"f":null}},"d":[2]}'),
    '{"a":{"c":2,"e":{}},"d":[2]}',
  );
  assert.equal(merged("{}", '{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}');
  assert.throws(() => merged("{}", "null"), /^StatusError: Invalid JSON Patch$/);
  assert.throws(
    () => merged("{}", "[]"),
    /^StatusError: error decoding patch: json: cannot unmarshal array into Go value of type map\[string\]interface \{\}$/,
  );
});

test("applyMergePatch() drops nulls from what it adds, inside lists too", () => {
  assert.equal(merged("{}", '{"a":{"b":null,"c":[null,{"d":null}]}}'), '{"a":{"c":[null,{}]}}');
  assert.equal(merged('{"a":1}', '{"a":[{"d":null}]}'), '{"a":[{}]}');
  assert.equal(merged('{"a":{"b":1}}', '{"a":[{"d":null}]}'), '{"a":[{"d":null}]}');
});

test("applyMergePatch() goes as deep as the parser", () => {
  const deep = (leaf: string) => '{"a":'.repeat(9_999) + leaf + "}".repeat(9_999);
  assert.equal(merged(deep('{"x":1,"y":2}'), deep('{"x":null}')), deep('{"y":2}'));
});

test("patches never change what they are given", () => {
  const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), fc.dictionary(fc.string(), value), (document, patch) => {
      const before = [encodeJson(document), encodeJson(patch)];
      const once = applyMergePatch(document, patch);
      // What comes out is the caller's to change.
      applyMergePatch(once, patch);
      for (const key of Object.keys(once)) delete once[key];
      assert.deepEqual([encodeJson(document), encodeJson(patch)], before);
    }),
  );
});

test("patchTypeOf() reads the media type without its parameters", () => {
  assert.equal(patchTypeOf("application/merge-patch+json; charset=utf-8"), "merge");
  assert.equal(patchTypeOf("application/json"), undefined);
  assert.equal(patchTypeOf(undefined), undefined);
});
