import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFieldError } from "../apimachinery/field-error.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import { nameIsDnsSubdomain } from "../apimachinery/names.ts";
import { validateEmbeddedMeta, validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";
import { storedWidget, widget } from "./widgets.fixture.ts";

const rules = { namespaced: true, nameRule: nameIsDnsSubdomain };
const complaints = (metadata: JsonObject, namespaced = true): string[] =>
  validateObjectMeta(widget({ name: "w", ...(namespaced ? { namespace: "ns" } : {}), ...metadata }), {
    ...rules,
    namespaced,
  }).map(formatFieldError);

const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const keyName =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValue =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

test("validateObjectMeta() checks name and generateName by the rule", () => {
  assert.deepEqual(complaints({ name: "W" }), [`metadata.name: Invalid value: "W": ${subdomain}`]);
  assert.deepEqual(complaints({ generateName: "W_" }), [`metadata.generateName: Invalid value: "W_": ${subdomain}`]);
  assert.deepEqual(complaints({ generateName: "w-" }), []);
});

test("validateObjectMeta() wants a namespace exactly where there are namespaces", () => {
  assert.deepEqual(complaints({ namespace: "" }), ["metadata.namespace: Required value"]);
  assert.deepEqual(complaints({ namespace: "a.b" }), [
    'metadata.namespace: Invalid value: "a.b": must not contain dots',
  ]);
  assert.deepEqual(complaints({}, false), []);
  assert.deepEqual(complaints({ namespace: "ns" }, false), ["metadata.namespace: Forbidden: not allowed on this type"]);
});

test("validateObjectMeta() checks labels by key and value, annotations by key in lower case", () => {
  assert.deepEqual(complaints({ labels: { "a!": "-", ok: "" } }), [
    `metadata.labels: Invalid value: "a!": ${keyName}`,
    `metadata.labels: Invalid value: "-": ${labelValue}`,
  ]);
  assert.deepEqual(complaints({ annotations: { "Example.COM/a": "any thing" } }), []);
  assert.deepEqual(complaints({ annotations: { "a b": "" } }), [
    `metadata.annotations: Invalid value: "a b": ${keyName}`,
  ]);
});

test("validateObjectMeta() takes annotations of 262144 bytes and no more", () => {
  assert.deepEqual(complaints({ annotations: { a: "x".repeat(262143) } }), []);
  assert.deepEqual(complaints({ annotations: { a: "é".repeat(131072) } }), [
    "metadata.annotations: Too long: may not be more than 262144 bytes",
  ]);
});

test("validateObjectMeta() tells of a hundred faults of labels, not of all", () => {
  const labels: JsonObject = {};
  for (let index = 0; index < 1000; index++) labels[`-${index}`] = "";
  assert.equal(complaints({ labels }).length, 100);
});

test("validateObjectMeta() checks every part of an owner", () => {
  const at = "metadata.ownerReferences";
  assert.deepEqual(complaints({ ownerReferences: [{ apiVersion: "a/b/c" }] }), [
    `${at}.apiVersion: Invalid value: "a/b/c": version must not be empty`,
    `${at}.kind: Invalid value: "": must not be empty`,
    `${at}.name: Invalid value: "": must not be empty`,
    `${at}.uid: Invalid value: "": must not be empty`,
  ]);
  assert.equal(complaints({ ownerReferences: [{ apiVersion: "/v1", kind: "Event", name: "e", uid: "1" }] }).length, 1);
  assert.deepEqual(complaints({ ownerReferences: [{ apiVersion: "x/v1", kind: "Event", name: "e", uid: "1" }] }), []);
  assert.deepEqual(complaints({ ownerReferences: [{ apiVersion: "v1", kind: "Event", name: "e", uid: "1" }] }), [
    `${at}: Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"1"}: /v1, Kind=Event is disallowed from being an owner`,
  ]);
});

test("validateObjectMeta() takes one controller", () => {
  const owner = (name: string, controller: boolean): JsonObject => ({
    uid: name,
    controller,
    apiVersion: "apps/v1",
    kind: "Deployment",
    name,
  });
  assert.deepEqual(complaints({ ownerReferences: [owner("a", true), owner("b", false)] }), []);
  assert.deepEqual(complaints({ ownerReferences: [owner("a", true), owner("b", true)] }), [
    'metadata.ownerReferences: Invalid value: [{"apiVersion":"apps/v1","kind":"Deployment","name":"a","uid":"a","controller":true},{"apiVersion":"apps/v1","kind":"Deployment","name":"b","uid":"b","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for Deployment/a and Deployment/b',
  ]);
});

test("validateObjectMeta() checks finalizers' names and the garbage collector's two", () => {
  assert.deepEqual(complaints({ finalizers: ["example.com/a", "orphan"] }), []);
  assert.deepEqual(complaints({ finalizers: ["a b"] }), [`metadata.finalizers: Invalid value: "a b": ${keyName}`]);
  assert.deepEqual(complaints({ finalizers: ["orphan", "foregroundDeletion"] }), [
    'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
  ]);
});

test("validateObjectMeta() checks generation and managedFields", () => {
  assert.deepEqual(complaints({ generation: -1 }), [
    "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
  ]);
  const entry = { operation: "Create", fieldsType: "FieldsV2", manager: "é\n", subresource: "s".repeat(257) };
  assert.deepEqual(
    complaints({ managedFields: [{ operation: "Apply" }, entry, { operation: "Update", manager: "m".repeat(129) }] }),
    [
      'metadata.managedFields[1].operation: Invalid value: "Create": must be `Apply` or `Update`',
      'metadata.managedFields[1].fieldsType: Invalid value: "FieldsV2": must be `FieldsV1`',
      'metadata.managedFields[1].manager: Invalid value: "é\\n": invalid character U+000A (at position 2)',
      "metadata.managedFields[1].subresource: Too long: may not be more than 256 bytes",
      "metadata.managedFields[2].manager: Too long: may not be more than 128 bytes",
    ],
  );
});

const updateComplaints = (metadata: JsonObject, before: JsonObject = {}): string[] =>
  validateObjectMetaUpdate(storedWidget({ ...before, ...metadata }), storedWidget(before)).map(formatFieldError);

test("validateObjectMetaUpdate() refuses a change of what can't change", () => {
  assert.deepEqual(updateComplaints({}), []);
  assert.deepEqual(updateComplaints({ name: "x", namespace: "y", uid: "z" }), [
    'metadata.name: Invalid value: "x": field is immutable',
    'metadata.namespace: Invalid value: "y": field is immutable',
    'metadata.uid: Invalid value: "z": field is immutable',
  ]);
  assert.deepEqual(
    updateComplaints({ deletionTimestamp: "2026-02-02T01:00:00+01:00", deletionGracePeriodSeconds: 5 }),
    [
      'metadata.deletionTimestamp: Invalid value: "2026-02-02T00:00:00Z": field is immutable',
      "metadata.deletionGracePeriodSeconds: Invalid value: 5: field is immutable",
    ],
  );
  assert.deepEqual(updateComplaints({ generation: 1 }, { generation: 2 }), [
    "metadata.generation: Invalid value: 1: must not be decremented",
  ]);
  assert.deepEqual(updateComplaints({ resourceVersion: "" }), [
    'metadata.resourceVersion: Invalid value: "": must be specified for an update',
  ]);
});

test("validateObjectMetaUpdate() takes the same moment in another form for the same", () => {
  assert.deepEqual(updateComplaints({ creationTimestamp: "2026-01-01T01:00:00+01:00" }), []);
});

test("validateObjectMetaUpdate() refuses new finalizers on an object in deletion", () => {
  const deleting = { deletionTimestamp: "2026-02-02T00:00:00Z", finalizers: ["example.com/a"] };
  assert.deepEqual(updateComplaints({ finalizers: ["example.com/c", "example.com/a", "example.com/b"] }, deleting), [
    'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/b", "example.com/c"}',
  ]);
  assert.deepEqual(updateComplaints({ finalizers: [] }, deleting), []);
  assert.deepEqual(updateComplaints({ finalizers: ["example.com/new"] }), []);
});

test("validateEmbeddedMeta() holds an inner object to all but a name of its own kind", () => {
  const inner = (metadata: JsonObject) =>
    validateEmbeddedMeta(metadata, "spec.template.metadata").map(formatFieldError);
  assert.deepEqual(inner({}), []);
  assert.deepEqual(inner({ name: "UPPER", namespace: "ns" }), []);
  assert.deepEqual(inner({ name: "a/b", labels: { "bad key": "x" } }), [
    "spec.template.metadata.name: Invalid value: \"a/b\": may not contain '/'",
    `spec.template.metadata.labels: Invalid value: "bad key": ${keyName}`,
  ]);
});
