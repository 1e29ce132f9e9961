import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJson, type JsonObject, parseJson } from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { looseScaleOf, parentWithScale, scaleOf } from "./scale.ts";

const paths = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.n", labelSelectorPath: ".status.sel" };
const parent = (text: string) => parseJson(text) as JsonObject;

test("scaleOf() shows the parent's replicas, selector and metadata", () => {
  const scale = scaleOf(
    parent(
      '{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7","labels":{"x":"y"}},"spec":{"replicas":3},"status":{"n":2,"sel":"a=b"}}',
    ),
    paths,
  );
  assert.equal(
    encodeJson(scale),
    '{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"a","namespace":"n","resourceVersion":"7","uid":"u"},"spec":{"replicas":3},"status":{"replicas":2,"selector":"a=b"}}',
  );
});

test("scaleOf() fails for a parent without replicas, as kube-apiserver", () => {
  assert.throws(
    () => scaleOf(parent('{"metadata":{}}'), paths),
    (error) =>
      error instanceof StatusError &&
      error.status.code === 500 &&
      error.message === 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist',
  );
});

test("parentWithScale() sets replicas and takes the resourceVersion as a precondition", () => {
  const before = parent('{"metadata":{"name":"a","resourceVersion":"9"}}');
  const next = parentWithScale(before, { metadata: { resourceVersion: "8" }, spec: { replicas: 5 } }, paths);
  assert.equal(encodeJson(next), '{"metadata":{"name":"a","resourceVersion":"8"},"spec":{"replicas":5}}');
  assert.equal(encodeJson(before), '{"metadata":{"name":"a","resourceVersion":"9"}}');
  assert.throws(() => parentWithScale(before, looseScaleOf(before, paths), paths), /cannot be empty/);
});
