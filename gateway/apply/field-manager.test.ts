import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeJson, type JsonObject } from "../apimachinery/json.ts";
import { applyPatch, trackUpdate } from "./field-manager.ts";
import { createFieldScopes, type FieldDefinition } from "./field-scopes.ts";
import { entriesOf } from "./managed-fields.ts";

const text = { type: "string" };
const schema = { type: "object", properties: { spec: { type: "object", properties: { a: text, b: text, c: text } } } };
const definition = {
  group: "example.com",
  kind: "Widget",
  versions: [{ name: "v1", schema, status: false, scale: undefined }],
} as unknown as FieldDefinition;
const scope = createFieldScopes(definition)("v1", "");
const now = new Date("2026-01-02T03:04:05Z");
const widget = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name: "a", ...metadata },
  spec,
});
const entry = (manager: string, operation: string, spec: JsonObject): JsonObject => ({
  apiVersion: "example.com/v1",
  fieldsType: "FieldsV1",
  fieldsV1: { "f:spec": spec },
  manager,
  operation,
  time: "2025-01-01T00:00:00Z",
});
const live = widget(
  { a: "1", b: "1", c: "1" },
  {
    uid: "u",
    managedFields: [
      entry("alice", "Apply", { "f:a": {} }),
      entry("bob", "Apply", { "f:b": {} }),
      entry("carol", "Update", { "f:c": {} }),
    ],
  },
);
const setsOf = (object: JsonObject) =>
  new Map((entriesOf(object) as JsonObject[]).map(({ manager, fieldsV1 }) => [manager, fieldsV1]));
const before = setsOf(live);

describe("a write reads and writes the sets of those alone whose fields it changes:", () => {
  const changing = widget({ a: "1", b: "2", c: "1" }, live["metadata"] as JsonObject);
  for (const [name, after] of [
    ["trackUpdate()", trackUpdate(scope, { live, next: changing, manager: "dave", now })],
    ["applyPatch()", applyPatch(scope, { live, patch: widget({ b: "2" }), manager: "dave", force: true, now })],
  ] as const) {
    test(name, () => {
      const sets = setsOf(after);
      assert.deepEqual([...sets.keys()].sort(), ["alice", "carol", "dave"]);
      assert.equal(encodeJson(sets.get("dave") ?? null), '{"f:spec":{"f:b":{}}}');
      for (const manager of ["alice", "carol"])
        assert.equal(sets.get(manager), before.get(manager), `${manager}'s set was made anew`);
    });
  }
  test("trackUpdate() keeps every set where nothing changes", () => {
    const sets = setsOf(trackUpdate(scope, { live, next: live, manager: "dave", now }));
    assert.deepEqual([...sets.keys()], [...before.keys()]);
    for (const [manager, set] of sets) assert.equal(set, before.get(manager), `${manager}'s set was made anew`);
  });
});
