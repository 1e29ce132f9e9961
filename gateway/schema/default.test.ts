import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "../apimachinery/json.ts";
import { finish } from "../apimachinery/steps.ts";
import { compiledSpec, defaulted, plain, read } from "./schema.fixture.ts";
import { defaultSteps } from "./schema.ts";

const schema = compiledSpec({
  type: "object",
  properties: {
    a: { type: "string", default: "A" },
    n: { type: "string", nullable: true, default: "N" },
    plain: { type: "string" },
    maybe: { type: "string", nullable: true },
    inner: {
      type: "object",
      default: {},
      properties: {
        x: { type: "integer", default: 1 },
        y: { type: "array", items: { type: "integer" }, default: [1] },
      },
    },
    absent: { type: "object", properties: { x: { type: "integer", default: 1 } } },
    map: { type: "object", additionalProperties: { type: "string", default: "M" } },
    bare: { type: "object", additionalProperties: { type: "string" } },
    list: { type: "array", items: { type: "object", properties: { x: { type: "integer", default: 1 } } } },
    nulls: { type: "array", items: { type: "string" } },
    filled: { type: "array", items: { type: "string", default: "F" } },
  },
});
const always = { a: "A", n: "N", inner: { x: 1, y: [1] } };

test("defaultSteps() fills missing fields, also inside a default that it filled in", () => {
  assert.deepEqual(defaulted(schema, { spec: {} }), { spec: always });
});

test("defaultSteps() fills nothing into an object that isn't there, and all into one that is", () => {
  assert.deepEqual(defaulted(schema, { spec: { absent: {} } }), { spec: { ...always, absent: { x: 1 } } });
  assert.deepEqual(defaulted(schema, {}), {});
});

test("defaultSteps() leaves values that are there, empty ones too", () => {
  const spec = { a: "", n: null, inner: { x: 0, y: [] } };
  assert.deepEqual(defaulted(schema, { spec }), { spec });
});

test("defaultSteps() drops a null that isn't nullable, or puts the default in its place", () => {
  const spec = { a: null, plain: null, maybe: null, map: { k: null }, bare: { k: null, l: "x" } };
  assert.deepEqual(defaulted(schema, { spec }), {
    spec: { ...always, maybe: null, map: { k: "M" }, bare: { l: "x" } },
  });
});

test("defaultSteps() does the half that is asked for", () => {
  const spec = { a: null, plain: null, maybe: null, map: { k: null }, bare: { k: null, l: "x" } };
  assert.deepEqual(defaulted(schema, { spec }, { dropsNulls: false }), {
    spec: { ...always, plain: null, maybe: null, map: { k: "M" }, bare: { k: null, l: "x" } },
  });
  assert.deepEqual(defaulted(schema, { spec }, { fills: false }), {
    spec: { a: null, maybe: null, map: { k: null }, bare: { l: "x" } },
  });
});

test("defaultSteps() keeps nulls of a list unless its items have a default", () => {
  const spec = { list: [{}, null, { x: 5 }], nulls: [null, "a"], filled: [null, "a"] };
  assert.deepEqual(defaulted(schema, { spec }), {
    spec: { ...always, list: [{ x: 1 }, null, { x: 5 }], nulls: [null, "a"], filled: ["F", "a"] },
  });
});

test("defaultSteps() keeps the nulls of a default", () => {
  const any = { "x-kubernetes-preserve-unknown-fields": true };
  const odd = compiledSpec({
    type: "object",
    properties: { a: { ...any, properties: { b: any }, default: { b: null } } },
  });
  assert.deepEqual(defaulted(odd, { spec: { a: null } }), { spec: { a: { b: null } } });
  assert.deepEqual(defaulted(odd, { spec: { a: { b: null } } }), { spec: { a: {} } });
});

test("defaultSteps() gives each object a default of its own", () => {
  const [one, two] = [read({ spec: {} }), read({ spec: {} })];
  finish(defaultSteps(schema, one));
  finish(defaultSteps(schema, two));
  const innerOf = (object: JsonObject) => (object["spec"] as JsonObject)["inner"] as JsonObject;
  innerOf(one)["x"] = 7;
  assert.deepEqual(plain(innerOf(two)), { x: 1, y: [1] });
});

test("defaultSteps() changes nothing the second time", () => {
  const value = fc.oneof(fc.constant(null), fc.string(), fc.integer(), fc.constant([]), fc.constant({}));
  const spec = fc.dictionary(fc.constantFrom("a", "n", "plain", "maybe", "inner", "map", "list", "nulls"), value);
  fc.assert(
    fc.property(spec, (fields) => {
      const once = defaulted(schema, { spec: fields }) as object;
      assert.deepEqual(defaulted(schema, once), once);
    }),
  );
});
