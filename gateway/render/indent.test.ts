import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeJsonBytes, type JsonValue, jsonEncoder } from "../apimachinery/json.ts";
import { finish } from "../apimachinery/steps.ts";
import { createIndenter, goesOf } from "./indent.ts";

test("createIndenter() gives what the encoder gives, wherever the pieces are cut", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 9 }), (any, size) => {
      const value = any as JsonValue;
      const json = encodeJsonBytes(value);
      const indenter = createIndenter();
      const out: Buffer[] = [];
      for (let at = 0; at < json.length; at += size) out.push(indenter.write(json.subarray(at, at + size)));
      assert.equal(Buffer.concat(out).toString(), finish(jsonEncoder(value, { indent: true })).toString());
    }),
  );
});

test("goesOf() cuts large buffers into bounded pieces and loses nothing", () => {
  const goes = [...goesOf([Buffer.alloc(100_000, "a"), Buffer.from("b")])];
  assert.deepEqual(
    goes.map((go) => go.length),
    [32_768, 32_768, 32_768, 1696, 1],
  );
});
