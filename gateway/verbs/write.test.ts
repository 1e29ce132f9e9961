import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import type { VerbRequest } from "./verb-request.ts";
import { storable } from "./write.ts";

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
