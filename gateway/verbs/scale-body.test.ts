import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJson, type JsonObject } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { takePatchedScale, takeScale } from "./scale-body.ts";
import type { VerbRequest } from "./verb-request.ts";

const warned: string[] = [];
const request = { warn: (text: string) => warned.push(text) } as unknown as VerbRequest;
const put = (value: JsonObject) => takeScale(request, { value, strictErrors: [] }, "Warn");
const before: JsonObject = { kind: "Scale", apiVersion: "autoscaling/v1", metadata: { name: "a", "": "" }, spec: {} };
const patched = (value: JsonObject) => {
  try {
    return takePatchedScale(
      request,
      { value: { ...before, ...value }, touches: (key) => key in value, strictErrors: [] },
      "Strict",
    );
  } catch (error) {
    if (error instanceof StatusError) return error.message;
    throw error;
  }
};

test("takeScale() reads a Scale's fields, its version as sent, and warns of others", () => {
  warned.length = 0;
  const scale = put({ metadata: { name: "a" }, spec: { replicas: 3, other: 1 }, more: true });
  assert.equal(
    encodeJson(scale),
    '{"apiVersion":"","kind":"Scale","metadata":{"name":"a"},"spec":{"replicas":3},"status":{"replicas":0,"selector":""}}',
  );
  assert.deepEqual(warned, ['unknown field "more"', 'unknown field "spec.other"']);
});

test("takeScale() has one text for all that is no Scale", () => {
  const text = { message: 'no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:111"' };
  for (const value of [{ kind: "Other" }, { apiVersion: "autoscaling/v2" }, { spec: { replicas: 1.5 } }, { spec: [] }])
    assert.throws(() => put(value), text);
  assert.throws(() => takeScale(request, { value: undefined, strictErrors: [] }, "Warn"), text);
});

test("takePatchedScale() shows what the patch made, and what Go holds against it", () => {
  assert.equal(
    patched({ metadata: { name: "a" }, spec: { replicas: 2147483648 } }),
    ' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"autoscaling/v1\\",\\"kind\\":\\"Scale\\",\\"metadata\\":{\\"name\\":\\"a\\"},\\"spec\\":{\\"replicas\\":2147483648}}": ' +
      "json: cannot unmarshal number 2147483648 into Go struct field ScaleSpec.spec.replicas of type int32",
  );
  assert.match(
    String(patched({ kind: "Other", metadata: { name: "a" } })),
    /: no kind "Other" is registered for version "autoscaling\/v1" in scheme "pkg\/runtime\/scheme.go:111"$/,
  );
});
