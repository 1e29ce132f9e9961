import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf } from "../apimachinery/object.ts";
import {
  acceptForCreate,
  assertNoResourceVersion,
  nameTaken,
  prepareForCreate,
  validateForCreate,
} from "./lifecycle.ts";
import { frozen, scopeOf, storedWidget, widget, widgets } from "./widgets.fixture.ts";

const sources = { now: new Date("2026-11-24T09:00:00.500Z"), uid: "uid-new", random: () => 0 };
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("acceptForCreate() wipes system fields, fills the namespace and leaves what it was given alone", () => {
  const sent = frozen(
    widget(
      {
        name: "w",
        labels: { a: "b" },
        generation: 9,
        creationTimestamp: "2020-01-01T00:00:00Z",
        uid: "theirs",
        deletionTimestamp: "2020-01-01T00:00:00Z",
        deletionGracePeriodSeconds: 30,
        selfLink: "/x",
      },
      { spec: {} },
    ),
  );
  const { object, warnings } = acceptForCreate(sent, scopeOf());
  assert.deepEqual(
    plain(object),
    widget({ name: "w", labels: { a: "b" }, generation: 9, namespace: "ns" }, { spec: {} }),
  );
  assert.deepEqual(warnings, []);
});

test("acceptForCreate() makes metadata for an object that has none", () => {
  const { object } = acceptForCreate({ apiVersion: "example.com/v1", kind: "Widget" }, scopeOf());
  assert.deepEqual(plain(metadataOf(object)), { namespace: "ns" });
});

test("acceptForCreate() refuses another namespace and clears one where there is none", () => {
  assert.throws(() => acceptForCreate(widget({ name: "w", namespace: "other" }), scopeOf()), {
    message: "the namespace of the provided object does not match the namespace sent on the request",
    status: {
      code: 400,
      reason: "BadRequest",
      message: "the namespace of the provided object does not match the namespace sent on the request",
    },
  });
  const cluster = scopeOf({ resource: widgets({ namespaced: false }), namespace: "" });
  const { object } = acceptForCreate(widget({ name: "w", namespace: "other" }), cluster);
  assert.deepEqual(plain(metadataOf(object)), { name: "w" });
});

const owner = (uid: string, more: JsonObject = {}): JsonObject => ({
  apiVersion: "v1",
  kind: "Pod",
  name: "p",
  uid,
  ...more,
});

test("acceptForCreate() removes equal owners with a warning and keeps those that differ", () => {
  const different = owner("1", { controller: true });
  const sent = widget({ name: "w", ownerReferences: [owner("1"), different, owner("1"), owner("2"), owner("2")] });
  const { object, warnings } = acceptForCreate(frozen(sent), scopeOf());
  assert.deepEqual(plain(metadataOf(object)?.["ownerReferences"]), [owner("1"), different, owner("2")]);
  assert.deepEqual(warnings, [
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: 1, 2",
  ]);
});

test("prepareForCreate() fills what the server fills and drops status where it is a subresource", () => {
  const sent = frozen(widget({ name: "w", namespace: "ns", generation: 9 }, { spec: {}, status: { x: 1 } }));
  const filled = {
    name: "w",
    namespace: "ns",
    creationTimestamp: "2026-11-24T09:00:00Z",
    uid: "uid-new",
    generation: 1,
  };
  assert.deepEqual(plain(prepareForCreate(sent, scopeOf(), sources)), widget(filled, { spec: {} }));
  const whole = scopeOf({ resource: widgets({}, { status: false }) });
  assert.deepEqual(plain(prepareForCreate(sent, whole, sources)), widget(filled, { spec: {}, status: { x: 1 } }));
});

const nameAfter = (metadata: JsonObject) =>
  metadataOf(prepareForCreate(widget(metadata), scopeOf(), sources))?.["name"];

test("prepareForCreate() generates a name only where there is none, from at most 58 bytes", () => {
  assert.equal(nameAfter({ generateName: "my-" }), "my-bbbbb");
  assert.equal(nameAfter({ generateName: "my-", name: "given" }), "given");
  assert.equal(nameAfter({}), undefined);
  assert.equal(nameAfter({ generateName: "x".repeat(70) }), `${"x".repeat(58)}bbbbb`);
  assert.equal(nameAfter({ generateName: "é".repeat(40) }), `${"é".repeat(29)}bbbbb`);
  assert.equal(nameAfter({ generateName: `${"x".repeat(57)}😀` }), `${"x".repeat(57)}bbbbb`);
});

test("prepareForCreate() draws each character of a name from Kubernetes' alphabet", () => {
  const bounds: number[] = [];
  const random = (bound: number) => bounds.push(bound) * 5;
  const object = prepareForCreate(widget({ generateName: "a-" }), scopeOf(), { ...sources, random });
  assert.deepEqual(bounds, [27, 27, 27, 27, 27]);
  assert.equal(metadataOf(object)?.["name"], "a-hnt28");
});

test("assertNoResourceVersion() refuses a number other than 0, with Kubernetes' text", () => {
  for (const resourceVersion of ["", "0", "abc"]) assertNoResourceVersion(widget({ name: "w", resourceVersion }));
  assertNoResourceVersion(widget({ name: "w" }));
  const message = "resourceVersion should not be set on objects to be created";
  assert.throws(() => assertNoResourceVersion(widget({ name: "w", resourceVersion: "5" })), {
    message,
    status: { code: 500, reason: "", message },
  });
});

test("nameTaken() says whether the name was generated and whether its owner is going", () => {
  const taken = (metadata: JsonObject, existing: KubeObject | undefined) =>
    nameTaken(widget({ name: "w", ...metadata }), existing, scopeOf()).status;
  const details = { name: "w", group: "example.com", kind: "widgets" };
  assert.deepEqual(taken({}, storedWidget()), {
    code: 409,
    reason: "AlreadyExists",
    message: 'widgets.example.com "w" already exists',
    details,
  });
  assert.equal(
    taken({}, storedWidget({ deletionTimestamp: "2026-01-01T00:00:00Z" })).message,
    'object is being deleted: widgets.example.com "w" already exists',
  );
  const generated = taken({ generateName: "w" }, undefined);
  assert.equal(
    generated.message,
    'widgets.example.com "w" already exists, the server was not able to generate a unique name for the object',
  );
  assert.deepEqual(generated.details, { ...details, retryAfterSeconds: 1 });
});

test("validateForCreate() wants a name, and nothing else of a sound object", () => {
  const errors = (metadata: JsonObject) => validateForCreate(widget(metadata), scopeOf());
  assert.deepEqual(errors({ name: "w", namespace: "ns" }), []);
  assert.deepEqual(errors({ namespace: "ns" }), [
    {
      reason: "FieldValueRequired",
      field: "metadata.name",
      message: "Required value: name or generateName is required",
    },
  ]);
});

test("validateForCreate() looks at nothing else where the type is wrong", () => {
  const object = { apiVersion: "example.com/v2", kind: "Gadget", metadata: {} };
  assert.deepEqual(validateForCreate(object, scopeOf()), [
    { reason: "FieldValueInvalid", field: "kind", message: 'Invalid value: "Gadget": must be Widget' },
    {
      reason: "FieldValueInvalid",
      field: "apiVersion",
      message: 'Invalid value: "example.com/v2": must be example.com/v1',
    },
  ]);
});
