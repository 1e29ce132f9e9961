import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../apimachinery/json.ts";
import { finish } from "../apimachinery/steps.ts";
import { rewriteSteps } from "./rewrite.ts";

const marked = (schema: JsonObject): JsonObject => ({ ...schema, seen: true });

test("rewriteSteps() reaches properties, items and additionalProperties, and leaves the given schema alone", () => {
  const schema: JsonObject = {
    properties: { a: { items: { type: "string" } }, b: { additionalProperties: { type: "x" } }, c: true },
    additionalProperties: false,
    not: { type: "y" },
  };
  const before = JSON.stringify(schema);
  assert.deepEqual(JSON.parse(JSON.stringify(finish(rewriteSteps(schema, marked)))), {
    properties: {
      a: { items: { type: "string", seen: true }, seen: true },
      b: { additionalProperties: { type: "x", seen: true }, seen: true },
      c: true,
    },
    additionalProperties: false,
    not: { type: "y" },
    seen: true,
  });
  assert.equal(JSON.stringify(schema), before);
});

test("rewriteSteps() does one schema a unit, however deep", () => {
  let schema: JsonObject = { type: "string" };
  for (let depth = 1; depth < 20_000; depth++) schema = { items: schema };
  let rewritten = 0;
  const work = rewriteSteps(schema, (one) => {
    rewritten++;
    return { ...one };
  });
  assert.equal(work.step(500), false);
  assert.equal(rewritten, 500);
  finish(work);
  assert.equal(rewritten, 20_000);
});
