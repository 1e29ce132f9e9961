import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeJson, type JsonObject, type JsonValue, parseJson } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { applyJsonPatch, applyMergePatch, parseJsonPatch, patchTypeOf } from "./patch.ts";

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

test("parseJsonPatch() refuses what is no list, or too long a one", () => {
  assert.throws(
    () => parseJsonPatch({}),
    /error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch/,
  );
  assert.throws(
    () => parseJsonPatch(Array.from({ length: 10_001 }, () => ({ op: "test" }))),
    /Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001/,
  );
});

test("applyMergePatch() merges objects, removes by null, replaces the rest", () => {
  assert.equal(
    merged('{"a":{"b":1,"c":2},"d":[1]}', '{"a":{"b":null,"e":{"f":null}},"d":[2]}'),
    '{"a":{"c":2,"e":{}},"d":[2]}',
  );
  assert.equal(merged("{}", '{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}');
  assert.throws(() => merged("{}", "null"), /Invalid JSON Patch/);
});

test("patches never change what they are given", () => {
  const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), fc.dictionary(fc.string(), value), (document, patch) => {
      const before = encodeJson(document);
      const once = applyMergePatch(document, patch);
      assert.equal(encodeJson(document), before);
      assert.equal(encodeJson(applyMergePatch(once, patch)), encodeJson(once));
    }),
  );
});

test("patchTypeOf() reads the media type without its parameters", () => {
  assert.equal(patchTypeOf("application/merge-patch+json; charset=utf-8"), "merge");
  assert.equal(patchTypeOf("application/json"), undefined);
  assert.equal(patchTypeOf(undefined), undefined);
});
