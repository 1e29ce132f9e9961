import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "../apimachinery/status.ts";
import { plain, read } from "./schema.fixture.ts";
import { coerceMetadata } from "./schema.ts";

function taken(metadata: unknown): { readonly metadata: unknown; readonly unknown: readonly string[] } {
  const object = read({ apiVersion: "g/v1", kind: "K", metadata });
  const { unknown } = coerceMetadata(object, { dropMalformed: false, version: "v1" });
  return { metadata: (plain(object) as { metadata: unknown }).metadata, unknown };
}

function dropped(metadata: unknown): unknown {
  const object = read({ kind: "K", metadata });
  coerceMetadata(object, { dropMalformed: true });
  return (plain(object) as { metadata: unknown }).metadata;
}

/** The words of a refusal, after those that all have. */
function refusal(metadata: unknown): string {
  try {
    taken(metadata);
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.status.code, 400);
    assert.equal(error.status.reason, "BadRequest");
    const start = 'K in version "v1" cannot be handled as a K: ';
    assert.ok(error.message.startsWith(start), error.message);
    return error.message.slice(start.length);
  }
  return "taken";
}

test("coerceMetadata() drops unknown fields and names them, sorted", () => {
  const owner = { apiVersion: "v1", kind: "A", name: "b", uid: "c", foo: 1 };
  assert.deepEqual(taken({ name: "a", zoo: 1, Name: "b", ownerReferences: [owner], managedFields: [{ x: 1 }] }), {
    metadata: {
      name: "a",
      ownerReferences: [{ apiVersion: "v1", kind: "A", name: "b", uid: "c" }],
      managedFields: [{}],
    },
    unknown: ["metadata.Name", "metadata.managedFields[0].x", "metadata.ownerReferences[0].foo", "metadata.zoo"],
  });
});

test("coerceMetadata() leaves out what Go would leave out", () => {
  const empty = { name: "", labels: {}, finalizers: [], generation: 0, creationTimestamp: null, ownerReferences: null };
  assert.deepEqual(taken(empty).metadata, {});
  assert.deepEqual(taken({ deletionGracePeriodSeconds: 0, labels: { a: null }, finalizers: [null] }).metadata, {
    deletionGracePeriodSeconds: 0,
    labels: { a: "" },
    finalizers: [""],
  });
  assert.deepEqual(taken({ ownerReferences: [{}] }).metadata, {
    ownerReferences: [{ apiVersion: "", kind: "", name: "", uid: "" }],
  });
  assert.deepEqual(taken(null).metadata, {});
});

test("coerceMetadata() brings times to whole seconds of UTC", () => {
  assert.deepEqual(taken({ creationTimestamp: "2020-01-01T00:00:00.5+02:00" }).metadata, {
    creationTimestamp: "2019-12-31T22:00:00Z",
  });
  assert.deepEqual(taken({ creationTimestamp: "0001-01-01T00:00:00Z" }).metadata, {});
});

test("coerceMetadata() refuses ill-typed fields with Go's words", () => {
  const cannot = "json: cannot unmarshal";
  const refused: readonly (readonly [unknown, string])[] = [
    [5, `${cannot} number into Go value of type v1.ObjectMeta`],
    [[], `${cannot} array into Go value of type v1.ObjectMeta`],
    [{ name: 5 }, `${cannot} number into Go struct field ObjectMeta.name of type string`],
    [{ labels: 5 }, `${cannot} number into Go struct field ObjectMeta.labels of type map[string]string`],
    [{ labels: { a: 5 } }, `${cannot} number into Go struct field ObjectMeta.labels of type string`],
    [{ annotations: { b: 5, a: true } }, `${cannot} bool into Go struct field ObjectMeta.annotations of type string`],
    [{ generation: "a" }, `${cannot} string into Go struct field ObjectMeta.generation of type int64`],
    [{ generation: 1.5 }, `${cannot} number 1.5 into Go struct field ObjectMeta.generation of type int64`],
    [{ generation: 1e30 }, `${cannot} number 1e+30 into Go struct field ObjectMeta.generation of type int64`],
    [{ finalizers: "a" }, `${cannot} string into Go struct field ObjectMeta.finalizers of type []string`],
    [{ finalizers: [5] }, `${cannot} number into Go struct field ObjectMeta.finalizers of type string`],
    [
      { ownerReferences: {} },
      `${cannot} object into Go struct field ObjectMeta.ownerReferences of type []v1.OwnerReference`,
    ],
    [
      { ownerReferences: [{ name: 5 }] },
      `${cannot} number into Go struct field OwnerReference.ownerReferences.name of type string`,
    ],
    [
      { managedFields: [{ time: 5 }] },
      `${cannot} number into Go struct field ManagedFieldsEntry.managedFields.time of type string`,
    ],
    [{ creationTimestamp: "x" }, 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
  ];
  for (const [metadata, words] of refused) assert.equal(refusal(metadata), words);
});

test("coerceMetadata() tells the first fault by name, but a time before all others", () => {
  const labels = "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type map[string]string";
  assert.equal(refusal({ uid: 5, name: 6, labels: 7 }), labels);
  assert.equal(refusal({ annotations: 5, deletionTimestamp: "" }).slice(0, 15), 'parsing time ""');
});

test("coerceMetadata() drops ill-typed fields one by one on a read", () => {
  assert.deepEqual(dropped({ name: "a", labels: { a: 1 }, generation: "x", finalizers: ["f"] }), {
    name: "a",
    finalizers: ["f"],
  });
  assert.deepEqual(dropped("x"), {});
});
