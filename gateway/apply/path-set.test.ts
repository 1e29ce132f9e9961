import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeJson, type JsonObject } from "../apimachinery/json.ts";
import { formatPath, readElement } from "./path-element.ts";
import {
  difference,
  emptySet,
  hasPath,
  intersection,
  isEmpty,
  type PathSet,
  pathsOf,
  readPathSet,
  recursiveDifference,
  setOfPath,
  union,
} from "./path-set.ts";

type Path = readonly string[];

const element = fc.constantFrom("f:a", "f:b", 'k:{"k":1}', 'v:"x"', "v:2", "v:10", "i:3");
const paths = fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 8 });

const setOf = (list: readonly Path[]): PathSet => list.reduce((set, path) => union(set, setOfPath(path)), emptySet);
const keyOf = (path: Path) => JSON.stringify(path);
const keysOf = (set: PathSet) => pathsOf(set).map(keyOf).sort();
const unique = (list: readonly Path[]) => [...new Set(list.map(keyOf))].sort();
const startsWith = (path: Path, prefix: Path) => prefix.every((one, index) => path[index] === one);

/** Holds for two sets of paths and for what the operation is on lists of paths. */
function law(operate: (a: PathSet, b: PathSet) => PathSet, model: (a: Path[], b: Path[]) => Path[]): void {
  fc.assert(
    fc.property(paths, paths, (a, b) => {
      const [left, right] = [setOf(a), setOf(b)];
      const before = encodeJson([left, right]);
      const result = operate(left, right);
      assert.deepEqual(keysOf(result), unique(model(a, b)));
      assert.equal(encodeJson([left, right]), before, "a set was changed");
      assert.equal(
        encodeJson(readPathSet(JSON.parse(encodeJson(result)))),
        encodeJson(result),
        "not in canonical form",
      );
    }),
    { numRuns: 2000 },
  );
}

describe("sets of paths", () => {
  const isIn = (list: readonly Path[], path: Path) => list.some((one) => keyOf(one) === keyOf(path));

  test("union() holds what is in either", () => law(union, (a, b) => [...a, ...b]));
  test("intersection() holds what is in both", () => law(intersection, (a, b) => a.filter((path) => isIn(b, path))));
  test("difference() takes away members alone", () => law(difference, (a, b) => a.filter((path) => !isIn(b, path))));
  test("recursiveDifference() takes away members with all below", () =>
    law(recursiveDifference, (a, b) => a.filter((path) => !b.some((prefix) => startsWith(path, prefix)))));
  test("hasPath() knows members", () =>
    fc.assert(
      fc.property(paths, fc.array(element, { maxLength: 4 }), (a, path) => hasPath(setOf(a), path) === isIn(a, path)),
    ));
  test("difference() gives the same object where nothing goes", () => {
    const set = setOf([
      ["f:a", "f:b"],
      ["f:a", "v:2"],
    ]);
    assert.equal(difference(set, setOf([["f:a"], ["f:b"]])), set);
    assert.equal(union(set, setOf([["f:a", "f:b"]])), set);
  });
  test("pathsOf() gives shallow paths first; fields, keys, values by what they hold, indexes", () => {
    const set = setOf([
      ["i:3"],
      ["v:10"],
      ["v:9"],
      ['v:"a"'],
      ["v:true"],
      ['k:{"k":10}'],
      ['k:{"k":9}'],
      ["f:b"],
      ["f:a", "f:x"],
      ["f:a"],
    ]);
    assert.deepEqual(pathsOf(set).map(formatPath), [
      ".a",
      ".b",
      "[k=9]",
      "[k=10]",
      "[=9]",
      "[=10]",
      '[="a"]',
      "[=true]",
      "[3]",
      ".a.x",
    ]);
  });
});

describe("readPathSet()", () => {
  const read = (fields: JsonObject) => encodeJson(readPathSet(fields));

  test("writes elements as we do", () => {
    assert.equal(read({ 'k:{"b": 1.0, "a":"x"}': {} }), encodeJson({ 'k:{"a":"x","b":1}': {} }));
    assert.equal(readElement('v:"\\u003c"'), 'v:"\\u003c"');
    assert.equal(readElement("i:+3"), "i:3");
    assert.equal(readElement("v:9007199254740993"), "v:9007199254740992");
  });
  test("drops what it doesn't know, and counts what is left as a member", () => {
    assert.equal(read({ "f:a": { "x:y": {} } }), '{"f:a":{}}');
    assert.equal(read({ ".": {}, "f:a": { ".": {} } }), '{"f:a":{}}');
  });
  test("refuses what it can't read", () => {
    for (const bad of ["f", "fa", "v:{", "k:1", "i:x"]) assert.throws(() => readPathSet({ [bad]: {} }), Error, bad);
    assert.throws(() => readPathSet({ "f:a": 1 }), Error);
  });
  test("is empty for nothing", () => assert.ok(isEmpty(readPathSet({}))));
});
