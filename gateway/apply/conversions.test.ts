import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJsonBytes, type JsonObject, parseJson } from "../apimachinery/json.ts";
import { unknownError } from "../apimachinery/status.ts";
import { ApplyError } from "./apply-error.ts";
import { type Convert, createConversions, type KnownConversions, withConversions } from "./conversions.ts";

const object = (version: string, color: string): JsonObject => ({ apiVersion: `g/${version}`, kind: "K", color });
const told = (objects: readonly Uint8Array[]) =>
  objects.map((json) => {
    const { apiVersion, color } = parseJson(json) as JsonObject;
    return `${apiVersion} ${color}`;
  });
const convert: Convert = async (apiVersion, objects) =>
  objects.map((json) => encodeJsonBytes({ ...(parseJson(json) as JsonObject), apiVersion }));

test("withConversions() goes by the hub, and asks for nothing twice, nor for what isn't there", async () => {
  const calls: string[] = [];
  const counted: Convert = async (apiVersion, objects) => {
    calls.push(`${told(objects)} to ${apiVersion}`);
    return await convert(apiVersion, objects);
  };
  const result = await withConversions(counted, (known) => {
    const conversions = createConversions(known as KnownConversions, "g/v1");
    const nothing = { apiVersion: "g/v1", kind: "K" };
    conversions.expect([nothing, object("v2", "red")], ["g/v2"]);
    return [
      conversions.convert(object("v2", "red"), "g/v3"),
      conversions.convert(object("v2", "red"), "g/v3"),
      conversions.convert(nothing, "g/v2"),
      conversions.convert(object("v2", "blue"), "g/v2"),
    ];
  });
  assert.deepEqual(
    result.map(({ apiVersion, color }) => [apiVersion, color]),
    [
      ["g/v3", "red"],
      ["g/v3", "red"],
      ["g/v2", undefined],
      ["g/v2", "blue"],
    ],
  );
  assert.deepEqual(calls, ["g/v2 red to g/v1", "g/v1 red to g/v3"]);
});

test("withConversions() tells of each object by itself what it can't be converted for", async () => {
  const picky: Convert = async (apiVersion, objects) => {
    if (told(objects).includes("g/v1 red")) throw unknownError("no red");
    return await convert(apiVersion, objects);
  };
  await withConversions(picky, (known) => {
    const conversions = createConversions(known as KnownConversions, "g/v1");
    conversions.expect([object("v1", "red"), object("v1", "blue")], ["g/v2"]);
    assert.equal(conversions.convert(object("v1", "blue"), "g/v2")["color"], "blue");
    assert.throws(() => conversions.convert(object("v1", "red"), "g/v2"), new ApplyError("no red"));
  });
});

test("withConversions() throws on what is no conversion's failure", async () => {
  const broken: Convert = async () => {
    throw new TypeError("a fault of ours");
  };
  const work = (known?: KnownConversions) =>
    createConversions(known as KnownConversions, "g/v1").convert(object("v1", "red"), "g/v2");
  await assert.rejects(async () => await withConversions(broken, work), new TypeError("a fault of ours"));
});

test("withConversions() without a converter works here and now", () => {
  assert.equal(
    withConversions(undefined, (known) => known === undefined),
    true,
  );
});
