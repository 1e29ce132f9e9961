import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "../apimachinery/json.ts";
import { finish } from "../apimachinery/steps.ts";
import { compiled, compiledSpec, pruned } from "./schema.fixture.ts";
import { pruneSteps } from "./schema.ts";

const text = { type: "string" };

test("pruneSteps() removes what the schema doesn't know and names it, sorted by bytes", () => {
  const schema = compiledSpec({
    type: "object",
    properties: { a: text, list: { type: "array", items: { type: "object", properties: { a: text } } } },
  });
  const object = {
    apiVersion: "g/v1",
    kind: "K",
    metadata: { name: "a", foo: 1 },
    zz: 1,
    spec: { a: "x", "😀": 1, "\uffee": 2, list: [{ a: "1", b: 2 }, { "c.d": { e: 1 } }] },
  };
  assert.deepEqual(pruned(schema, object), {
    value: {
      apiVersion: "g/v1",
      kind: "K",
      metadata: { name: "a", foo: 1 },
      spec: { a: "x", list: [{ a: "1" }, {}] },
    },
    unknown: ["spec.list[0].b", "spec.list[1].c.d", "spec.\uffee", "spec.😀", "zz"],
  });
});

test("pruneSteps() prunes inside specified fields of a node that preserves the rest", () => {
  const schema = compiledSpec({
    type: "object",
    "x-kubernetes-preserve-unknown-fields": true,
    properties: { a: { type: "object", properties: { b: text } } },
  });
  assert.deepEqual(pruned(schema, { spec: { a: { b: "x", c: 1 }, d: { e: [{ f: 1 }] } } }), {
    value: { spec: { a: { b: "x" }, d: { e: [{ f: 1 }] } } },
    unknown: ["spec.a.c"],
  });
});

test("pruneSteps() keeps unknown fields of items whose list preserves them", () => {
  const schema = compiledSpec({
    type: "array",
    "x-kubernetes-preserve-unknown-fields": true,
    items: { type: "object", properties: { a: { type: "object", properties: { b: text } } } },
  });
  assert.deepEqual(pruned(schema, { spec: [{ a: { b: "x", c: 1 }, d: 1 }] }), {
    value: { spec: [{ a: { b: "x" }, d: 1 }] },
    unknown: ["spec[0].a.c"],
  });
});

test("pruneSteps() keeps keys of a map, and empties values that its schema doesn't describe", () => {
  const any = compiledSpec({ type: "object", additionalProperties: true });
  assert.deepEqual(pruned(any, { spec: { a: 1, b: { c: 1 }, d: [{ e: 1 }] } }), {
    value: { spec: { a: 1, b: {}, d: [{}] } },
    unknown: ["spec.b.c", "spec.d[0].e"],
  });
  const typed = compiledSpec({ type: "object", additionalProperties: { type: "object", properties: { a: text } } });
  assert.deepEqual(pruned(typed, { spec: { x: { a: "1", b: 2 } } }), {
    value: { spec: { x: { a: "1" } } },
    unknown: ["spec.x.b"],
  });
});

test("pruneSteps() lets apiVersion, kind and metadata of embedded resources be", () => {
  const schema = compiledSpec({
    type: "object",
    "x-kubernetes-embedded-resource": true,
    properties: { spec: { type: "object" } },
  });
  const spec = { apiVersion: "v1", kind: "Pod", metadata: { any: 1 }, spec: { a: 1 }, status: {} };
  assert.deepEqual(pruned(schema, { spec }), {
    value: { spec: { apiVersion: "v1", kind: "Pod", metadata: { any: 1 }, spec: {} } },
    unknown: ["spec.spec.a", "spec.status"],
  });
});

test("pruneSteps() takes __proto__ for a key like any other", () => {
  const schema = compiledSpec({ type: "object", properties: { a: text } });
  const object = JSON.parse('{"spec":{"__proto__":{"x":1},"constructor":1,"a":"b"}}');
  assert.deepEqual(pruned(schema, object), {
    value: { spec: { a: "b" } },
    unknown: ["spec.__proto__", "spec.constructor"],
  });
});

test("pruneSteps() names nothing when it isn't asked to", () => {
  const object = { a: 1 };
  assert.deepEqual(finish(pruneSteps(compiled({ type: "object" }), object, { trackUnknown: false })).unknown, []);
  assert.deepEqual(object, {});
});

test("pruneSteps() reaches any depth", () => {
  const schema = compiledSpec({ type: "array", items: { type: "object" } });
  let value: JsonValue = { gone: 1 };
  for (let level = 0; level < 10_000; level++) value = [value];
  const object = { spec: value };
  assert.equal(finish(pruneSteps(schema, object, { trackUnknown: false })).unknown.length, 0);
  let inner: JsonValue | undefined = object.spec;
  while (Array.isArray(inner)) inner = inner[0];
  assert.deepEqual(inner, {});
});
