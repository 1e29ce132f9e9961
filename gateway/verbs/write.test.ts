import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeJsonBytes, type JsonObject } from "../apimachinery/json.ts";
import { definitionWith, versionWith } from "../apimachinery/resource.fixture.ts";
import { badRequest, StatusError } from "../apimachinery/status.ts";
import { type StoredObject, WriteConflict } from "../registry/registry.ts";
import type { VerbRequest, VerbTools } from "./verb-request.ts";
import { applyWrite, storable, type WriteRequest } from "./write.ts";

const versions = [{ name: "v1" }, { name: "v2" }] as const;
const tools = { schemaOf: () => undefined };
const requestWith = (maxObjectBytes: number, version: { name: string } = versions[0]) =>
  ({
    resource: {
      definition: {
        group: "example.com",
        kind: "Widget",
        versions,
        storageVersion: "v1",
        capabilities: {},
        maxObjectBytes,
      },
      version,
    },
  }) as unknown as VerbRequest;

const bare: JsonObject = {
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name: "a" },
  spec: { color: "red" },
};
const tracked: JsonObject = { ...bare, metadata: { name: "a", managedFields: [{ manager: "m" }] } };
const [bareBytes, trackedBytes] = [bare, tracked].map((object) => JSON.stringify(object).length) as [number, number];
const tooLarge = (error: unknown) => error instanceof StatusError && error.status.code === 413;

describe("storable()", () => {
  test("keeps an object that its store takes", async () => {
    const { object, json } = await storable(requestWith(trackedBytes), tools, tracked);
    assert.equal(object, tracked);
    assert.equal(json.length, trackedBytes);
  });
  test("gives up managedFields where an object is too large with them", async () => {
    const { object, json } = await storable(requestWith(trackedBytes - 1), tools, tracked);
    assert.deepEqual([object, JSON.parse(json.toString())], [bare, bare]);
  });
  test("but not an apply's", async () => {
    await assert.rejects(storable(requestWith(trackedBytes - 1), tools, tracked, { isApply: true }), tooLarge);
  });
  test("refuses what is too large without them", async () => {
    await assert.rejects(storable(requestWith(bareBytes - 1), tools, tracked), tooLarge);
    await assert.rejects(storable(requestWith(bareBytes - 1), tools, bare), tooLarge);
  });
  test("stores what an apply left empty in metadata as it is, but not out of another version", async () => {
    const empty = { ...bare, metadata: { name: "a", labels: null, finalizers: [] } };
    const [own, other] = await Promise.all(
      versions.map(async (version) => (await storable(requestWith(1000, version), tools, empty)).json.toString()),
    );
    assert.deepEqual([JSON.parse(own ?? ""), JSON.parse(other ?? "")], [empty, bare]);
  });
});

const key = { namespace: "ns", name: "a" };
const colored = (color: string): JsonObject => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name: "a", namespace: "ns", uid: "u" },
  spec: { color },
});
const colorOf = (object: JsonObject | undefined) => (object?.["spec"] as JsonObject | undefined)?.["color"];
const at = (revision: bigint, color: string): StoredObject => ({
  ...{ ...key, revision },
  json: encodeJsonBytes(colored(color)),
});

/** Writes to a store that has one object, beside a copy that may have another, and tells what was decided on and asked. */
async function writing(
  has: { readonly copy: StoredObject | undefined; readonly store: StoredObject },
  decide: WriteRequest["decide"],
  dryRun = false,
) {
  const calls: string[] = [];
  const store = {
    async get() {
      calls.push("get");
      return has.store;
    },
    async update(_key: object, _uid: string, json: Uint8Array, { revision }: { revision: bigint }) {
      calls.push(`update at ${revision}`);
      if (revision !== has.store.revision) throw new WriteConflict(has.store);
      return { ...key, revision: 9n, json };
    },
    async delete(_key: object, { revision }: { revision: bigint }) {
      calls.push(`delete at ${revision}`);
      if (revision !== has.store.revision) throw new WriteConflict(has.store);
    },
  };
  const request = {
    resource: { definition: definitionWith(), version: versionWith() },
    deadline: Number.POSITIVE_INFINITY,
    user: {},
  } as unknown as VerbRequest;
  const applied = applyWrite(
    request,
    {
      schemaOf: () => undefined,
      registry: { client: () => store },
      watchcache: { known: () => has.copy },
    } as unknown as VerbTools,
    {
      key,
      dryRun,
      async decide(current) {
        calls.push(`decide on ${colorOf(current?.value)}`);
        return await decide(current);
      },
    },
  );
  const outcome = await applied.then(
    ({ action, view }) => `${action} ${(view.value["metadata"] as JsonObject)["resourceVersion"]}`,
    (error: Error) => error.message,
  );
  return { calls, outcome };
}

describe("applyWrite()", () => {
  const old = at(5n, "old");
  const current = at(7n, "current");
  const paint = async () => ({ action: "store" as const, next: colored("next") });

  test("writes over what the copy has, without a read", async () => {
    const { calls, outcome } = await writing({ copy: current, store: current }, paint);
    assert.deepEqual(calls, ["decide on current", "update at 7"]);
    assert.equal(outcome, "store 9");
  });
  test("reads what no copy has", async () => {
    const { calls } = await writing({ copy: undefined, store: current }, paint);
    assert.deepEqual(calls, ["get", "decide on current", "update at 7"]);
  });
  test("decides anew where the copy was late", async () => {
    const { calls, outcome } = await writing({ copy: old, store: current }, paint);
    assert.deepEqual(calls, ["decide on old", "update at 5", "decide on current", "update at 7"]);
    assert.equal(outcome, "store 9");
  });
  test("removes what the copy has only as it is there", async () => {
    const remove = async () => ({ action: "remove" as const, next: colored("next") });
    const { calls } = await writing({ copy: old, store: current }, remove);
    assert.deepEqual(calls, ["decide on old", "delete at 5", "decide on current", "delete at 7"]);
  });
  test("refuses nothing for what a late copy has", async () => {
    const refuse: WriteRequest["decide"] = async (seen) => {
      if (colorOf(seen?.value) === "old") throw badRequest("it is old");
      return await paint();
    };
    const { calls, outcome } = await writing({ copy: old, store: current }, refuse);
    assert.deepEqual(calls, ["decide on old", "get", "decide on current", "update at 7"]);
    assert.equal(outcome, "store 9");
  });
  test("refuses what the store's object doesn't allow either, deciding again if it is another", async () => {
    const never: WriteRequest["decide"] = async () => {
      throw badRequest("never");
    };
    assert.deepEqual(await writing({ copy: old, store: current }, never), {
      calls: ["decide on old", "get", "decide on current"],
      outcome: "never",
    });
    assert.deepEqual(await writing({ copy: current, store: { ...current } }, never), {
      calls: ["decide on current", "get"],
      outcome: "never",
    });
  });
  test("leaves as it is what the store has so, not a late copy", async () => {
    const wants = (color: string) => async () => ({ action: "store" as const, next: colored(color) });
    assert.deepEqual(await writing({ copy: old, store: current }, wants("old")), {
      calls: ["decide on old", "get", "decide on current", "update at 7"],
      outcome: "store 9",
    });
    assert.deepEqual(await writing({ copy: current, store: current }, wants("current")), {
      calls: ["decide on current", "get"],
      outcome: "none 7",
    });
  });
  test("tries on what the store has", async () => {
    const { calls } = await writing({ copy: old, store: current }, paint, true);
    assert.deepEqual(calls, ["get", "decide on current"]);
  });
});
