import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { encodeJson, encodeJsonBytes, type JsonObject } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { type Convert, createFieldManagement } from "./apply.ts";
import type { FieldDefinition } from "./field-scopes.ts";
import { createFieldThread } from "./field-thread.ts";

const text = { type: "string" };
const schema = {
  type: "object",
  properties: {
    spec: { type: "object", properties: { color: text, labels: { type: "object", additionalProperties: text } } },
  },
};
const definition = {
  group: "example.com",
  kind: "Widget",
  versions: [{ name: "v1", schema, status: false, scale: undefined }],
} as unknown as FieldDefinition;
const target = { definition, version: "v1", subresource: "", convert: undefined };
const now = new Date("2026-01-02T03:04:05Z");
const widget = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name: "a", ...metadata },
  spec,
});
/** What is called large is done in the thread. */
const large = 1_000_000;

describe("createFieldManagement()", () => {
  const fields = createFieldManagement();
  after(() => fields.close());

  test("does the same with large objects as with small ones", async () => {
    const next = widget({ color: "red", labels: { a: "1" } });
    const both = [0, large].map((bytes) => fields.track(target, { live: undefined, next, manager: "m", now }, bytes));
    const [here, there] = await Promise.all(both);
    assert.equal(encodeJson(there as JsonObject), encodeJson(here as JsonObject));
    assert.match(encodeJson(here as JsonObject), /"managedFields":\[/);
    const live = {
      ...(here as JsonObject),
      metadata: { ...((here as JsonObject)["metadata"] as JsonObject), uid: "u" },
    };
    const patch = widget({ labels: { b: "2" } });
    const write = { live, patch, manager: "k", force: false, now };
    const applied = await Promise.all([0, large].map((bytes) => fields.apply(target, write, bytes)));
    assert.equal(encodeJson(applied[1] as JsonObject), encodeJson(applied[0] as JsonObject));
    assert.equal(encodeJson((applied[0] as JsonObject)["spec"] ?? null), '{"color":"red","labels":{"a":"1","b":"2"}}');
  });

  test("drops managedFields that can't be kept, in the thread too", async () => {
    const next = widget({ color: 5 }, { managedFields: [{ manager: "x" }] });
    for (const bytes of [0, large]) {
      const tracked = await fields.track(target, { live: undefined, next, manager: "m", now }, bytes);
      assert.equal(encodeJson(tracked["metadata"] ?? null), '{"name":"a"}');
    }
  });

  test("refuses with the same status", async () => {
    const live = await fields.apply(
      target,
      { live: undefined, patch: widget({ color: "red" }), manager: "a", force: false, now },
      0,
    );
    const write = { live, patch: widget({ color: "blue" }), manager: "b", force: false, now };
    for (const bytes of [0, large]) {
      await assert.rejects(fields.apply(target, write, bytes), (error) => {
        assert.ok(error instanceof StatusError);
        assert.equal(error.status.message, 'Apply failed with 1 conflict: conflict with "a": .spec.color');
        return true;
      });
    }
  });

  test("has both objects converted into each other version of an owner in one call, for the thread too", async () => {
    const versions = { v1: "color", v2: "colour", v3: "couleur" } as const;
    const converting = {
      ...definition,
      versions: Object.entries(versions).map(([name, field]) => {
        const spec = { type: "object", properties: { [field]: text } };
        return { name, schema: { type: "object", properties: { spec } }, status: false, scale: undefined };
      }),
    } as unknown as FieldDefinition;
    const calls: string[] = [];
    const inVersion = (apiVersion: string, color: string, metadata: JsonObject = {}) => {
      const field = versions[apiVersion.slice(-2) as keyof typeof versions];
      return { ...widget({ [field]: color }, metadata), apiVersion };
    };
    const convert: Convert = async (apiVersion, objects) => {
      calls.push(`${objects.length} ${apiVersion}`);
      return objects.map((json) => {
        const { spec, metadata } = JSON.parse(Buffer.from(json).toString()) as Record<string, JsonObject>;
        return encodeJsonBytes(inVersion(apiVersion, Object.values(spec ?? {})[0] as string, metadata));
      });
    };
    const at = (version: string) => ({ definition: converting, version, subresource: "", convert });
    const colour = { "f:spec": { "f:colour": {} } };
    const couleur = { "f:spec": { "f:couleur": {} } };
    const entry = { operation: "Apply", fieldsType: "FieldsV1" };
    const owners = [
      { ...entry, manager: "a", apiVersion: "example.com/v2", fieldsV1: colour },
      { ...entry, manager: "b", apiVersion: "example.com/v2", fieldsV1: colour },
      { ...entry, manager: "c", apiVersion: "example.com/v3", fieldsV1: couleur },
    ];
    const live = inVersion("example.com/v1", "red", { uid: "u", managedFields: owners });
    const patch = inVersion("example.com/v1", "blue");
    for (const bytes of [0, large]) {
      calls.length = 0;
      const next = { ...live, ...inVersion("example.com/v1", "blue", { uid: "u" }) };
      const tracked = await fields.track(at("v1"), { live, next, manager: "m", now }, bytes);
      assert.deepEqual(
        ((tracked["metadata"] as JsonObject)["managedFields"] as JsonObject[]).map(({ manager }) => manager),
        ["m"],
      );
      assert.deepEqual(calls.sort(), ["2 example.com/v2", "2 example.com/v3"]);
      calls.length = 0;
      const write = { live, patch, manager: "d", force: false, now };
      await assert.rejects(fields.apply(at("v1"), write, bytes), (error) => {
        assert.ok(error instanceof StatusError);
        assert.deepEqual(
          error.status.details?.causes?.map(({ field }) => field),
          [".spec.colour", ".spec.colour", ".spec.couleur"],
        );
        return true;
      });
      assert.deepEqual(calls.sort(), ["2 example.com/v2", "2 example.com/v3"]);
    }
  });

  test("what it gives may be changed", async () => {
    const patch = widget({ labels: { a: "1" } });
    for (const bytes of [0, large]) {
      const applied = await fields.apply(target, { live: undefined, patch, manager: "a", force: false, now }, bytes);
      ((applied["spec"] as JsonObject)["labels"] as JsonObject)["a"] = "changed";
      assert.deepEqual(patch["spec"], { labels: { a: "1" } });
    }
  });
});

test("createFieldThread() refuses what would wait behind more than it may hold", async () => {
  const thread = createFieldThread();
  const object = Buffer.alloc(30 * 1024 * 1024, " ");
  const job = {
    definition,
    version: "v1",
    subresource: "",
    verb: "track",
    live: undefined,
    object,
    manager: "m",
    known: undefined,
  } as const;
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => thread.run({ ...job, force: false, now })));
  thread.close();
  const told = outcomes.map((one) => (one.status === "rejected" ? one.reason.status.code : Object.keys(one.value)));
  assert.deepEqual(told, [["error"], ["error"], 429, 429]);
});

test("close() ends what waits", async () => {
  const fields = createFieldManagement();
  const write = fields.track(target, { live: undefined, next: widget({}), manager: "m", now }, large);
  await new Promise((resolve) => setImmediate(resolve));
  fields.close();
  await assert.rejects(write, /managing|closed/);
});
