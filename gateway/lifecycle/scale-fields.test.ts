import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFieldError } from "../apimachinery/field-error.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import { validateScale } from "./lifecycle.ts";
import { scopeOf, widget, widgets } from "./widgets.fixture.ts";

const scale = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".status.selector",
};
const resource = widgets({}, { scale });
const complaints = (fields: JsonObject, subresource: "" | "status" = ""): string[] =>
  validateScale(widget({}, fields), scopeOf({ resource, subresource })).map(formatFieldError);

test("validateScale() takes whole numbers of 32 bits, and what is missing", () => {
  assert.deepEqual(complaints({}), []);
  assert.deepEqual(complaints({ spec: { replicas: 2147483647 }, status: { replicas: 0, selector: "a=b" } }), []);
  assert.deepEqual(validateScale(widget({}, { spec: { replicas: -1 } }), scopeOf()), []);
});

test("validateScale() refuses the rest with Kubernetes' texts", () => {
  assert.deepEqual(complaints({ spec: { replicas: -1 }, status: { replicas: 2147483648, selector: 1 } }), [
    ".spec.replicas: Invalid value: -1: should be a non-negative integer",
    ".status.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647",
    '.status.selector: Invalid value: "": .status.selector accessor error: 1 is of the type int64, expected string',
  ]);
  assert.deepEqual(complaints({ spec: { replicas: "3" } }), [
    ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: 3 is of the type string, expected int64",
  ]);
  assert.deepEqual(complaints({ spec: { replicas: { b: [1, null], a: 1.5 } } }), [
    ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: map[a:1.5 b:[1 <nil>]] is of the type map[string]interface {}, expected int64",
  ]);
  assert.deepEqual(complaints({ spec: "x" }), [
    ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: x is of the type string, expected map[string]interface{}",
  ]);
});

test("validateScale() looks at status alone on a write of status", () => {
  assert.deepEqual(complaints({ spec: { replicas: -1 }, status: { replicas: -1 } }, "status"), [
    ".status.replicas: Invalid value: -1: should be a non-negative integer",
  ]);
});
