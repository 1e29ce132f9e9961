import assert from "node:assert/strict";
import { test } from "node:test";
import { compiledSpec, plain, read } from "./schema.fixture.ts";
import { coerceEmbedded } from "./schema.ts";

const pod = { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true };
const schema = compiledSpec({
  type: "object",
  properties: { one: pod, many: { type: "array", items: pod }, map: { type: "object", additionalProperties: pod } },
});

function coerced(
  spec: object,
  dropMalformed: boolean,
): { readonly spec: unknown; readonly unknown: readonly string[] } {
  const object = read({ apiVersion: "g/v1", kind: "K", spec });
  const unknown = coerceEmbedded(schema, object, dropMalformed);
  return { spec: (plain(object) as { spec: unknown }).spec, unknown };
}

test("coerceEmbedded() shapes metadata and names unknown fields, sorted", () => {
  const metadata = { name: "a", foo: 1, labels: {} };
  assert.deepEqual(coerced({ one: { metadata }, many: [{ metadata }], map: { k: { metadata } } }, false), {
    spec: {
      one: { metadata: { name: "a" } },
      many: [{ metadata: { name: "a" } }],
      map: { k: { metadata: { name: "a" } } },
    },
    unknown: ["spec.many[0].metadata.foo", "spec.map[k].metadata.foo", "spec.one.metadata.foo"],
  });
});

test("coerceEmbedded() refuses on a write what is ill-typed, with Go's words", () => {
  assert.throws(() => coerced({ one: { metadata: { labels: 5 } } }, false), {
    message:
      'K in version "v1" cannot be handled as a K: spec.one.metadata: Invalid value: {"labels":5}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type map[string]string',
  });
  assert.throws(() => coerced({ map: { k: { kind: 5 } } }, false), {
    message: 'K in version "v1" cannot be handled as a K: spec.map[k].kind: Invalid value: 5: must be a string',
  });
});

test("coerceEmbedded() drops on a read what is ill-typed, but for metadata that is no object", () => {
  assert.deepEqual(coerced({ one: { kind: 5, metadata: { labels: 5, name: "a" } }, many: [{ metadata: 5 }] }, true), {
    spec: { one: { metadata: { name: "a" } }, many: [{ metadata: 5 }] },
    unknown: [],
  });
});
