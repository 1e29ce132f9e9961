import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type FieldError, formatFieldError, invalid } from "../apimachinery/field-error.ts";
import { cloneJson, type JsonObject } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf } from "../apimachinery/object.ts";
import {
  acceptForUpdate,
  assertNameInPath,
  assertUid,
  finishesDeletion,
  isUnchanged,
  prepareForUpdate,
  resolveResourceVersion,
  storedForm,
  validateForUpdate,
  warningsOnCreate,
  warningsOnUpdate,
} from "./lifecycle.ts";
import { frozen, scopeOf, storedWidget, widget, widgets } from "./widgets.fixture.ts";

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const badRequest = (message: string) => ({ message, status: { code: 400, reason: "BadRequest", message } });

test("acceptForUpdate() holds name and namespace against the URL", () => {
  const accept = (metadata: JsonObject) => acceptForUpdate(widget(metadata), scopeOf(), "received").object;
  assert.deepEqual(plain(metadataOf(accept({ name: "w" }))), { name: "w", namespace: "ns" });
  assert.throws(
    () => accept({ name: "x" }),
    badRequest("the name of the object (x) does not match the name on the URL (w)"),
  );
  assert.throws(
    () => accept({}),
    badRequest("the name of the object (w based on URL) was undeterminable: name must be provided"),
  );
  assert.throws(
    () => accept({ name: "x", namespace: "other" }),
    badRequest("the namespace of the provided object does not match the namespace sent on the request"),
  );
});

test("acceptForUpdate() says of a patch that duplicates were found after admission", () => {
  const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "1" };
  const sent = frozen(widget({ name: "w", ownerReferences: [owner, { ...owner }] }));
  assert.deepEqual(acceptForUpdate(sent, scopeOf(), "afterAdmission").warnings, [
    ".metadata.ownerReferences contains duplicate entries after mutating admission happens; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: 1",
  ]);
});

test("assertNameInPath() refuses a name that is no segment", () => {
  assertNameInPath("anything:goes");
  assert.throws(() => assertNameInPath(".."), badRequest(`Name parameter invalid: "..": may not be '..'`));
  assert.throws(() => assertNameInPath("a%"), badRequest(`Name parameter invalid: "a%": may not contain '%'`));
});

test("assertUid() gives the storage's text for another uid", () => {
  assertUid(widget({ name: "w" }), storedWidget(), scopeOf());
  assertUid(widget({ name: "w", uid: "uid-1" }), storedWidget(), scopeOf());
  const message = (key: string, found: string) =>
    `Operation cannot be fulfilled on widgets.example.com "w": StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: other, UID in object meta: ${found}`;
  const sent = widget({ name: "w", uid: "other" });
  assert.throws(() => assertUid(sent, storedWidget(), scopeOf()), {
    message: message("/registry/example.com/widgets/ns/w", "uid-1"),
    status: {
      code: 409,
      reason: "Conflict",
      message: message("/registry/example.com/widgets/ns/w", "uid-1"),
      details: { name: "w", group: "example.com", kind: "widgets" },
    },
  });
  const cluster = scopeOf({ resource: widgets({ namespaced: false }), namespace: "" });
  assert.throws(() => assertUid(sent, undefined, cluster), { message: message("/registry/example.com/widgets/w", "") });
});

const guarded = { allowUnconditional: false };
const resolve = (resourceVersion: string, rule = guarded) =>
  resolveResourceVersion(frozen(storedWidget({ resourceVersion })), storedWidget(), scopeOf(), rule);

test("resolveResourceVersion() takes the current one and refuses a stale one", () => {
  assert.equal(metadataOf(resolve("7"))?.["resourceVersion"], "7");
  const message =
    'Operation cannot be fulfilled on widgets.example.com "w": the object has been modified; please apply your changes to the latest version and try again';
  assert.throws(() => resolve("6"), {
    message,
    status: { code: 409, reason: "Conflict", message, details: { name: "w", group: "example.com", kind: "widgets" } },
  });
});

test("resolveResourceVersion() refuses an absent one, naming the resource in place of the Kind", () => {
  for (const text of ["", "0"]) {
    assert.throws(() => resolve(text), {
      message:
        'widgets.example.com "w" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      status: invalid({ group: "example.com", word: "widgets" }, "w", [
        {
          reason: "FieldValueInvalid",
          field: "metadata.resourceVersion",
          message: "Invalid value: 0: must be specified for an update",
        },
      ]).status,
    });
    assert.equal(metadataOf(resolve(text, { allowUnconditional: true }))?.["resourceVersion"], "7");
  }
});

test("resolveResourceVersion() fails on what is no number, even if the update creates", () => {
  const message = 'strconv.ParseUint: parsing "abc": invalid syntax';
  assert.throws(() => resolve("abc"), { message, status: { code: 500, reason: "", message } });
  const sent = storedWidget({ resourceVersion: "abc" });
  assert.throws(() => resolveResourceVersion(sent, undefined, scopeOf(), guarded), { message });
  const old = storedWidget({ resourceVersion: "3" });
  assert.equal(resolveResourceVersion(old, undefined, scopeOf(), guarded), old);
});

const current = frozen(storedWidget({ labels: { a: "1" } }, { spec: { size: 1 }, status: { ready: true } }));
/** What a client sends that read `current` and changed these. */
const edited = (metadata: JsonObject, fields: JsonObject = {}): KubeObject => {
  const copy = cloneJson(current);
  return frozen({ ...copy, metadata: { ...metadataOf(copy), ...metadata }, ...fields });
};

test("prepareForUpdate() grows the generation when anything but metadata and status changed", () => {
  const generation = (next: KubeObject, scope = scopeOf()) =>
    metadataOf(prepareForUpdate(next, current, scope))?.["generation"];
  assert.equal(generation(edited({})), 1);
  assert.equal(generation(edited({ labels: { b: "2" }, generation: 40 })), 1);
  assert.equal(generation(edited({}, { spec: { size: 2 } })), 2);
  assert.equal(generation(edited({}, { other: 1 })), 2);
  assert.equal(generation(edited({}, { status: { ready: false } })), 1);
  const whole = scopeOf({ resource: widgets({}, { status: false }) });
  assert.equal(generation(edited({}, { status: { ready: false } }), whole), 2);
});

test("prepareForUpdate() keeps generations exact beyond 2^53", () => {
  const before = storedWidget({ generation: Number.MAX_SAFE_INTEGER });
  const next = prepareForUpdate({ ...before, spec: 2 }, before, scopeOf());
  assert.equal(metadataOf(next)?.["generation"], 9007199254740992n);
});

test("prepareForUpdate() puts status back on the main door, also a missing one", () => {
  const status = (next: KubeObject, before: KubeObject) => prepareForUpdate(next, before, scopeOf())["status"];
  assert.deepEqual(status(edited({}, { status: { ready: false } }), current), { ready: true });
  const { status: _, ...without } = edited({});
  assert.deepEqual(status(without, current), { ready: true });
  assert.equal(status(edited({}), storedWidget()), undefined);
});

test("prepareForUpdate() restores what clients can't change", () => {
  const before = storedWidget({
    deletionTimestamp: "2026-02-02T00:00:00Z",
    deletionGracePeriodSeconds: 0,
    finalizers: ["example.com/a"],
  });
  const sent = frozen(
    widget(
      { name: "w", namespace: "ns", resourceVersion: "7", creationTimestamp: "2000-01-01T00:00:00Z", generation: 9 },
      { spec: { size: 1 } },
    ),
  );
  assert.deepEqual(plain(metadataOf(prepareForUpdate(sent, before, scopeOf()))), {
    name: "w",
    namespace: "ns",
    resourceVersion: "7",
    generation: 1,
    uid: "uid-1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    deletionTimestamp: "2026-02-02T00:00:00Z",
    deletionGracePeriodSeconds: 0,
  });
});

test("prepareForUpdate() through status changes status and managedFields alone", () => {
  const status = scopeOf({ subresource: "status" });
  const sent = edited(
    { labels: { b: "2" }, finalizers: ["example.com/a"], managedFields: [{ manager: "m", operation: "Update" }] },
    { spec: { size: 2 }, status: { ready: false } },
  );
  const expected = cloneJson(current);
  expected["status"] = { ready: false };
  (expected["metadata"] as JsonObject)["managedFields"] = [{ manager: "m", operation: "Update" }];
  assert.deepEqual(plain(prepareForUpdate(sent, current, status)), plain(expected));
  const { status: _, ...without } = sent;
  assert.equal("status" in prepareForUpdate(without, current, status), false);
});

test("validateForUpdate() gives metadata's errors twice, as kube-apiserver does", () => {
  const errors = validateForUpdate(edited({ uid: "other" }), current, scopeOf());
  const one = 'metadata.uid: Invalid value: "other": field is immutable';
  assert.deepEqual(errors.map(formatFieldError), [one, one]);
  assert.equal(
    invalid({ group: "example.com", word: "Widget" }, "w", errors).message,
    `Widget.example.com "w" is invalid: ${one}`,
  );
});

test("validateForUpdate() tells of a changed kind after metadata's first round", () => {
  const errors = validateForUpdate(edited({ uid: "other" }, { kind: "Gadget" }), current, scopeOf());
  assert.deepEqual(
    errors.map((error: FieldError) => error.field),
    ["metadata.uid", "kind"],
  );
});

test("warnings are about finalizers that the write adds", () => {
  const object = storedWidget({ finalizers: ["b", "a.b", "kubernetes", "orphan", "example.com/x", "b"] });
  const dotted =
    'metadata.finalizers: "a.b": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers';
  const bare =
    'metadata.finalizers: "b": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers';
  assert.deepEqual(warningsOnCreate(object), [dotted, bare]);
  assert.deepEqual(warningsOnUpdate(object, storedWidget({ finalizers: ["b"] }), scopeOf()), [dotted]);
  assert.deepEqual(warningsOnUpdate(object, storedWidget(), scopeOf({ subresource: "status" })), []);
});

test("isUnchanged() overlooks resourceVersion and the times of managedFields", () => {
  const managed = (time: string, manager = "m") => storedWidget({ managedFields: [{ manager, time }] });
  assert.equal(isUnchanged(storedWidget({ resourceVersion: "9" }), storedWidget()), true);
  assert.equal(isUnchanged(managed("2026-01-01T00:00:00Z"), managed("2026-01-02T00:00:00Z")), true);
  assert.equal(isUnchanged(managed("t", "m"), managed("t", "n")), false);
  assert.equal(isUnchanged(storedWidget({ labels: {} }), storedWidget()), false);
});

test("storedForm() leaves out the resourceVersion and nothing else of weight", () => {
  const object = frozen(storedWidget({ selfLink: "/x" }));
  const { resourceVersion: _, ...metadata } = metadataOf(storedWidget()) as JsonObject;
  assert.deepEqual(plain(storedForm(object)), { ...storedWidget(), metadata });
});

test("finishesDeletion() wants a deletion, no grace and no finalizers", () => {
  const deleting: JsonObject = { deletionTimestamp: "2026-02-02T00:00:00Z", finalizers: ["example.com/a"] };
  assert.equal(finishesDeletion(storedWidget(), storedWidget(deleting)), true);
  assert.equal(finishesDeletion(storedWidget(), storedWidget({ ...deleting, deletionGracePeriodSeconds: 0 })), true);
  assert.equal(finishesDeletion(storedWidget(), storedWidget({ ...deleting, deletionGracePeriodSeconds: 30 })), false);
  assert.equal(finishesDeletion(storedWidget(deleting), storedWidget(deleting)), false);
  assert.equal(finishesDeletion(storedWidget(), storedWidget()), false);
});

test("prepareForUpdate() never lets a client through to what the server owns, and is idempotent", () => {
  const any = fc.constantFrom<JsonObject>(
    { uid: "" },
    { generation: 99 },
    { creationTimestamp: "2000-01-01T00:00:00Z" },
    { deletionTimestamp: "2000-01-01T00:00:00Z" },
    { labels: { x: "y" } },
  );
  fc.assert(
    fc.property(fc.array(any), fc.constantFrom("" as const, "status" as const), (changes, subresource) => {
      const scope = scopeOf({ subresource });
      const before = storedWidget({ deletionTimestamp: "2026-02-02T00:00:00Z" });
      const sent = frozen(storedWidget(Object.assign({}, ...changes)));
      const once = prepareForUpdate(sent, before, scope);
      for (const field of ["uid", "generation", "creationTimestamp", "deletionTimestamp"]) {
        assert.equal(metadataOf(once)?.[field], metadataOf(before)?.[field], field);
      }
      assert.deepEqual(plain(prepareForUpdate(once, before, scope)), plain(once));
    }),
  );
});
