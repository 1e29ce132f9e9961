import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../apimachinery/json.ts";
import { compileJsonPath } from "./jsonpath.ts";
import { JsonPathSyntaxError } from "./jsonpath-parser.ts";

const value = parseJson(
  '{"a":{"b":1,"d.e":"dot","c":[1,2,3],"f":null},"list":[{"x":[1]},{"x":[2,3]},{"x":[]}],' +
    '"conds":[{"type":"Ready","status":"True","n":5},{"type":"Done","status":"False","n":3},{"status":"Z"}]}',
);

/** Answers checked against client-go's util/jsonpath 0.36; undefined: it fails. */
const found: [path: string, results: unknown[] | undefined][] = [
  [".a.b", [1]],
  ["$.a.b", [1]],
  ["@.a.b", [1]],
  ["['a']['b']", [1]],
  [".a.d\\.e", ["dot"]],
  [".a['d\\.e']", ["dot"]],
  [".a['d.e']", []],
  [".a.f", [null]],
  [".a.f.x", []],
  [".a.b.c", []],
  [".missing.x", []],
  [".a.c[0]", [1]],
  [".a.c[-1]", [3]],
  [".a.c[3]", undefined],
  [".a.c[1:]", [2, 3]],
  [".a.c[0:3:2]", [1, 3]],
  [".a.c[2:1]", undefined],
  [".a.c[*]", [1, 2, 3]],
  [".a.b[0]", undefined],
  [".list[*].x[0]", undefined],
  [".list[0:2].x[0]", [1, 2]],
  [".list[0,1].x[-1]", [1, 3]],
  ['.conds[?(@.type=="Ready")].status', ["True"]],
  [".conds[?(@.type == 'Done')].status", ["False"]],
  [".conds[?(@.type)].status", ["True", "False"]],
  [".conds[?(@.n>=3)].type", ["Ready", "Done"]],
  [".conds[?(@.n!=5)].type", ["Done"]],
  ['.conds[?(@.n=="5")].type', undefined],
  [".conds[?(@.type==Ready)].status", undefined],
  ["..type", ["Ready", "Done"]],
  [".a..b", [1]],
  ["a.b", undefined],
  [".", []],
  ["'text'", ["text"]],
];

for (const [path, results] of found) {
  test(`compileJsonPath() follows ${path}`, () => {
    assert.deepEqual(compileJsonPath(path)(value), results);
  });
}

for (const path of [".a.c[", ".a.c[x]", ".a.c[-]", "....a", "*", "]a", '.conds[?(@.type=="R"].x', ".a\n", "'text"]) {
  test(`compileJsonPath() refuses ${JSON.stringify(path)}`, () => {
    assert.throws(() => compileJsonPath(path), JsonPathSyntaxError);
  });
}

test("compileJsonPath() descends into deep values without recursion, and stops", () => {
  const deep = parseJson(`${'{"a":'.repeat(9000)}1${"}".repeat(9000)}`);
  assert.equal(compileJsonPath("..a")(deep)?.length, 201);
});
