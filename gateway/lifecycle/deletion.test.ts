import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "../apimachinery/json.ts";
import { finalizersOf, type KubeObject, metadataOf } from "../apimachinery/object.ts";
import type { DeleteOptions } from "../apimachinery/options.ts";
import { finishesDeletion, planDeletion } from "./lifecycle.ts";
import { deleteOptions, frozen, scopeOf, storedWidget } from "./widgets.fixture.ts";

const now = new Date("2026-11-24T09:00:00.750Z");
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const plan = (current: KubeObject, options: Partial<DeleteOptions> = {}) =>
  planDeletion(frozen(current), deleteOptions(options), scopeOf(), now);
/** The plan's object, whose metadata differs from the current one by what is given. */
const stored = (current: KubeObject, metadata: JsonObject, status = 200) => ({
  action: "store",
  status,
  next: plain({ ...current, metadata: { ...metadataOf(current), ...metadata } }),
});
const marks = { deletionTimestamp: "2026-11-24T09:00:00Z", deletionGracePeriodSeconds: 0, generation: 2 };

test("planDeletion() removes an object without finalizers, whatever the grace", () => {
  assert.deepEqual(plan(storedWidget()), { action: "remove" });
  assert.deepEqual(plan(storedWidget(), { gracePeriodSeconds: 30, propagationPolicy: "Background" }), {
    action: "remove",
  });
  assert.deepEqual(plan(storedWidget(), { orphanDependents: false }), { action: "remove" });
});

test("planDeletion() marks an object with finalizers", () => {
  const current = storedWidget({ finalizers: ["example.com/a"] });
  assert.deepEqual(plain(plan(current)), stored(current, marks));
});

test("planDeletion() leaves a generation of 0 alone", () => {
  const current = storedWidget({ finalizers: ["example.com/a"], generation: 0 });
  assert.deepEqual(plain(plan(current)), stored(current, { ...marks, generation: 0 }));
});

test("planDeletion() sets the garbage collector's finalizer that the options ask for", () => {
  const current = storedWidget();
  assert.deepEqual(
    plain(plan(current, { propagationPolicy: "Orphan" })),
    stored(current, { ...marks, finalizers: ["orphan"] }),
  );
  assert.deepEqual(
    plain(plan(current, { propagationPolicy: "Foreground" })),
    stored(current, { ...marks, finalizers: ["foregroundDeletion"] }),
  );
  assert.deepEqual(
    plain(plan(current, { orphanDependents: true })),
    stored(current, { ...marks, finalizers: ["orphan"] }),
  );
});

test("planDeletion() lets the options go before the object's finalizer, and that before the default", () => {
  const orphan = storedWidget({ finalizers: ["orphan", "example.com/a"] });
  assert.deepEqual(plain(plan(orphan)), stored(orphan, marks));
  assert.deepEqual(
    plain(plan(orphan, { propagationPolicy: "Foreground" })),
    stored(orphan, { ...marks, finalizers: ["example.com/a", "foregroundDeletion"] }),
  );
  assert.deepEqual(plan(storedWidget({ finalizers: ["foregroundDeletion"] }), { propagationPolicy: "Background" }), {
    action: "remove",
  });
});

test("planDeletion() answers 202 only where orphanDependents=false waits for finalizers", () => {
  const current = storedWidget({ finalizers: ["example.com/a"] });
  assert.deepEqual(plain(plan(current, { orphanDependents: false })), stored(current, marks, 202));
});

const deleting = { deletionTimestamp: "2026-11-01T00:00:00Z", deletionGracePeriodSeconds: 0, generation: 2 };

test("planDeletion() finds nothing to do the second time, unless the policy changes", () => {
  const current = storedWidget({ ...deleting, finalizers: ["example.com/a"] });
  assert.deepEqual(plan(current), { action: "none", status: 200 });
  assert.deepEqual(plan(current, { orphanDependents: false }), { action: "none", status: 202 });
  assert.deepEqual(
    plain(plan(current, { propagationPolicy: "Orphan" })),
    stored(current, { finalizers: ["example.com/a", "orphan"] }),
  );
});

test("planDeletion() brings a deletion that was set for later forward", () => {
  const later = { deletionTimestamp: "2026-12-01T00:00:00Z", deletionGracePeriodSeconds: 600 };
  const current = storedWidget({ ...later, finalizers: ["example.com/a"] });
  assert.deepEqual(plain(plan(current)), stored(current, { ...marks, generation: 1 }));
});

test("planDeletion() refuses other preconditions, naming the Kind", () => {
  const uid = (wanted: string) => plan(storedWidget(), { preconditions: { uid: wanted, resourceVersion: undefined } });
  assert.deepEqual(uid("uid-1"), { action: "remove" });
  const uidMessage =
    'Operation cannot be fulfilled on Widget.example.com "w": the UID in the precondition (x) does not match the UID in record (uid-1). The object might have been deleted and then recreated';
  assert.throws(() => uid("x"), {
    message: uidMessage,
    status: {
      code: 409,
      reason: "Conflict",
      message: uidMessage,
      details: { name: "w", group: "example.com", kind: "Widget" },
    },
  });
  const version = (wanted: string) =>
    plan(storedWidget(), { preconditions: { uid: undefined, resourceVersion: wanted } });
  assert.deepEqual(version("7"), { action: "remove" });
  assert.throws(() => version("6"), {
    message:
      'Operation cannot be fulfilled on Widget.example.com "w": the ResourceVersion in the precondition (6) does not match the ResourceVersion in record (7). The object might have been modified',
  });
});

const finalizer = fc.constantFrom("example.com/a", "example.com/b", "orphan", "foregroundDeletion");
const finalizerLists = fc
  .uniqueArray(finalizer)
  .filter((list) => !(list.includes("orphan") && list.includes("foregroundDeletion")));
const optionSets = fc.oneof(
  fc.record({ orphanDependents: fc.constantFrom(undefined, true, false) }),
  fc.record({ propagationPolicy: fc.constantFrom("Orphan" as const, "Foreground" as const, "Background" as const) }),
);

test("planDeletion() is idempotent: the same delete again finds nothing to do", () => {
  fc.assert(
    fc.property(finalizerLists, optionSets, (finalizers, options) => {
      const first = plan(storedWidget({ finalizers }), options);
      if (first.action !== "store") return assert.deepEqual(first, { action: "remove" });
      assert.equal(plan(first.next, options).action, "none");
    }),
  );
});

test("an object whose deletion was stored is removed by the update that takes its last finalizer", () => {
  fc.assert(
    fc.property(finalizerLists, optionSets, (finalizers, options) => {
      const first = plan(storedWidget({ finalizers }), options);
      if (first.action !== "store") return;
      assert.ok(finalizersOf(first.next).length > 0);
      const emptied = { ...first.next, metadata: { ...metadataOf(first.next), finalizers: [] } };
      assert.equal(finishesDeletion(emptied, first.next), true);
    }),
  );
});
