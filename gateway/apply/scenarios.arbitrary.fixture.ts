/**
 * Generated scenarios: a schema, its change, objects that fit it (mostly), writes by a few managers.
 *
 * Values are few, so that managers meet on the same fields and agree and disagree on them.
 */
import fc from "fast-check";
import { isJsonObject, type JsonArray, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { type Scenario, type Step, specIn, widgetDefinition } from "./scenario.fixture.ts";

const names = ["a", "b", "c"];
const words = ["x", "y", "z"];

const scalarSchema: fc.Arbitrary<JsonObject> = fc.constantFrom<JsonObject>(
  { type: "string" },
  { type: "string", format: "date-time" },
  { type: "integer" },
  { type: "number" },
  { type: "boolean" },
  { "x-kubernetes-int-or-string": true },
);

const openSchema: fc.Arbitrary<JsonObject> = fc.constantFrom<JsonObject>(
  { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  { "x-kubernetes-preserve-unknown-fields": true },
  { type: "object" },
  {
    type: "object",
    "x-kubernetes-preserve-unknown-fields": true,
    properties: { a: { type: "string" }, b: { type: "object", properties: { a: { type: "string" } } } },
  },
  { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
  { type: "object", "x-kubernetes-embedded-resource": true, properties: { a: { type: "integer" } } },
);

const mapType: fc.Arbitrary<JsonObject> = fc.constantFrom<JsonObject>(
  {},
  {},
  { "x-kubernetes-map-type": "granular" },
  { "x-kubernetes-map-type": "atomic" },
);

function schemaOf(depth: number): fc.Arbitrary<JsonObject> {
  if (depth === 0) return scalarSchema;
  const inner = schemaOf(depth - 1);
  return fc.oneof(
    { weight: 3, arbitrary: scalarSchema },
    { weight: 1, arbitrary: openSchema },
    { weight: 4, arbitrary: objectSchema(inner) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(inner, mapType)
        .map(([additionalProperties, type]) => ({ type: "object", additionalProperties, ...type })),
    },
    { weight: 1, arbitrary: inner.map((items) => ({ type: "array", items })) },
    { weight: 1, arbitrary: inner.map((items) => ({ type: "array", items, "x-kubernetes-list-type": "atomic" })) },
    {
      weight: 2,
      arbitrary: fc.constantFrom("string", "integer", "boolean").map((type) => ({
        type: "array",
        items: { type },
        "x-kubernetes-list-type": "set",
      })),
    },
    { weight: 4, arbitrary: keyedListSchema(inner) },
  );
}

function objectSchema(inner: fc.Arbitrary<JsonObject>): fc.Arbitrary<JsonObject> {
  return fc
    .tuple(fc.subarray(names, { minLength: 1 }), fc.array(inner, { minLength: 3, maxLength: 3 }), mapType)
    .map(([keys, schemas, type]) => ({ type: "object", properties: propertiesOf(keys, schemas), ...type }));
}

function propertiesOf(keys: readonly string[], schemas: readonly JsonObject[]): JsonObject {
  return Object.fromEntries(keys.map((key, index) => [key, schemas[index] as JsonObject]));
}

function keyedListSchema(inner: fc.Arbitrary<JsonObject>): fc.Arbitrary<JsonObject> {
  return fc
    .record({
      fields: fc.array(inner, { minLength: 2, maxLength: 2 }),
      kind: fc.constantFrom("one", "two", "defaulted"),
      keyType: fc.constantFrom("string", "integer"),
      items: mapType,
    })
    .map(({ fields, kind, keyType, items }) => {
      const word = keyType === "string" ? "x" : 1;
      const second = { type: "string", ...(kind === "defaulted" ? { default: "y" } : {}) };
      const keys = kind === "one" ? ["k"] : ["k", "l"];
      return {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": keys,
        items: {
          type: "object",
          ...items,
          properties: {
            k: { type: keyType, ...(kind === "defaulted" ? { default: word } : {}) },
            l: second,
            ...propertiesOf(["a", "b"], fields),
          },
        },
      };
    });
}

/** A value that fits the schema; null and other types now and then, if `loose`. */
function schemaValue(schema: JsonObject, loose: boolean): fc.Arbitrary<JsonValue> {
  const fitting = fittingValue(schema, loose);
  if (!loose) return fitting;
  return fc.oneof(
    { weight: 30, arbitrary: fitting },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom<JsonValue>("w", 5, true, {}, [], [1], { q: 1 }) },
  );
}

function fittingValue(schema: JsonObject, loose: boolean): fc.Arbitrary<JsonValue> {
  const { type } = schema;
  if (schema["x-kubernetes-int-or-string"] === true) return fc.constantFrom<JsonValue>(1, 2, "50%");
  if (type === "string") return fc.constantFrom(...words);
  if (type === "integer") return fc.constantFrom(1, 2, 3, 10);
  if (type === "number") return fc.constantFrom(1, 0.5, 1e7);
  if (type === "boolean") return fc.boolean();
  if (type === "array") return listValue(schema, loose);
  const properties = schema["properties"] as Record<string, JsonObject> | undefined;
  const additional = schema["additionalProperties"] as JsonObject | undefined;
  if (additional !== undefined) {
    return fc.dictionary(fc.constantFrom(...words), schemaValue(additional, loose), {
      maxKeys: 3,
      noNullPrototype: true,
    });
  }
  const declared = fieldsValue(properties ?? {}, loose);
  const isOpen = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const base = isOpen
    ? fc.tuple(freeObject, declared).map(([free, fields]) => ({ ...free, ...fields }))
    : properties === undefined
      ? freeObject
      : declared;
  const value: fc.Arbitrary<JsonObject> =
    schema["x-kubernetes-embedded-resource"] === true
      ? fc
          .tuple(base, metadataValue)
          .map(([fields, metadata]) => ({ ...fields, apiVersion: "v1", kind: "Pod", metadata }))
      : base;
  return isOpen && type === undefined
    ? fc.oneof(value as fc.Arbitrary<JsonValue>, fc.constantFrom<JsonValue>("x", 1, [1, 2]))
    : value;
}

const freeValue: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<JsonValue>("x", 1, true, null, [], {}, ["x"], [{ k: "x" }]) },
  {
    weight: 1,
    arbitrary: fc.dictionary(fc.constantFrom("m", "n"), fc.constantFrom<JsonValue>("x", 1, {}, [1]), {
      noNullPrototype: true,
    }),
  },
);
const freeObject: fc.Arbitrary<JsonObject> = fc.dictionary(fc.constantFrom("p", "q", "r"), freeValue, {
  maxKeys: 3,
  noNullPrototype: true,
});

function fieldsValue(properties: Readonly<Record<string, JsonObject>>, loose: boolean): fc.Arbitrary<JsonObject> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([key, schema]) => [key, schemaValue(schema, loose)]),
  );
  return fc.record(fields, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<JsonObject>;
}

function listValue(schema: JsonObject, loose: boolean): fc.Arbitrary<JsonValue> {
  const items = schema["items"] as JsonObject;
  const list = fc.array(schemaValue(items, loose), { maxLength: 4 });
  const keys = schema["x-kubernetes-list-map-keys"] as string[] | undefined;
  if (schema["x-kubernetes-list-type"] === "set")
    return loose ? list : list.map(distinct((item) => JSON.stringify(item)));
  if (keys === undefined) return list;
  const properties = items["properties"] as Record<string, JsonObject>;
  const hasDefault = keys.every((key) => properties[key]?.["default"] !== undefined);
  const required = fc.record({ k: fittingValue(properties["k"] as JsonObject, false) });
  const keyed = hasDefault
    ? list
    : fc
        .array(fc.tuple(fittingValue(items, loose), required), { maxLength: 4 })
        .map((pairs) => pairs.map(([item, key]) => ({ ...(item as JsonObject), ...key }) as JsonValue));
  if (loose) return keyed;
  return keyed.map(
    distinct((item) =>
      JSON.stringify(keys.map((key) => (item as JsonObject)[key] ?? properties[key]?.["default"] ?? null)),
    ),
  );
}

function distinct(keyOf: (item: JsonValue) => string): (list: JsonValue[]) => JsonValue[] {
  return (list) => [...new Map(list.map((item) => [keyOf(item), item])).values()];
}

const metadataValue: fc.Arbitrary<JsonObject> = fc.record(
  {
    labels: fc.dictionary(fc.constantFrom("x", "y"), fc.constantFrom("1", "2"), { noNullPrototype: true }),
    annotations: fc.dictionary(fc.constantFrom("n/x", "y"), fc.constantFrom("1", "2"), { noNullPrototype: true }),
    finalizers: fc.uniqueArray(fc.constantFrom("f/1", "f/2", "f/3")),
    ownerReferences: fc.uniqueArray(
      fc.record({
        apiVersion: fc.constant("v1"),
        kind: fc.constant("Pod"),
        name: fc.constantFrom("p", "q"),
        uid: fc.constantFrom("1", "2"),
      }),
      { selector: (owner) => owner.uid, maxLength: 2 },
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

const rootSchema: fc.Arbitrary<JsonObject> = fc
  .record({ spec: objectSchema(schemaOf(3)), status: objectSchema(schemaOf(1)) })
  .map((properties) => ({ type: "object", properties }));

/** Turns some lists and maps of a schema into another kind. */
function changed(schema: JsonObject, flips: readonly boolean[]): JsonObject {
  let next = 0;
  const visit = (node: JsonObject): JsonObject => {
    const out: JsonObject = { ...node };
    const flip = flips[next++ % flips.length] === true;
    if (flip && node["type"] === "array") {
      if (node["x-kubernetes-list-type"] === undefined || node["x-kubernetes-list-type"] === "atomic") {
        const kind = (node["items"] as JsonObject)["type"];
        if (kind === "string" || kind === "integer") out["x-kubernetes-list-type"] = "set";
      } else {
        out["x-kubernetes-list-type"] = "atomic";
        delete out["x-kubernetes-list-map-keys"];
      }
    }
    if (flip && node["type"] === "object" && node["properties"] !== undefined) {
      out["x-kubernetes-map-type"] = node["x-kubernetes-map-type"] === "atomic" ? "granular" : "atomic";
    }
    if (node["items"] !== undefined) out["items"] = visit(node["items"] as JsonObject);
    if (typeof node["additionalProperties"] === "object") {
      out["additionalProperties"] = visit(node["additionalProperties"] as JsonObject);
    }
    const properties = node["properties"] as Record<string, JsonObject> | undefined;
    if (properties !== undefined) {
      out["properties"] = Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, visit(inner)]));
    }
    return out;
  };
  const properties = schema["properties"] as Record<string, JsonObject>;
  const inner = Object.fromEntries(Object.entries(properties).map(([key, node]) => [key, visit(node)]));
  return { ...schema, properties: inner };
}

const managers = ["alice", "bob", "kubectl", "carol"];
const manyManagers = [...managers, ..."defghijklmno"];

function stepOf(schema: JsonObject, versions: readonly string[], crowd: readonly string[]): fc.Arbitrary<Step> {
  const properties = schema["properties"] as Record<string, JsonObject>;
  const object = (loose: boolean) =>
    fc.tuple(fieldsValue(properties, loose), metadataValue).map(([fields, metadata]) => ({ fields, metadata }));
  const common = fc.record({
    version: fc.constantFrom(...versions),
    manager: fc.constantFrom(...crowd),
    subresource: fc.constantFrom("", "", "", "status"),
    definition: fc.constantFrom(0, 0, 0, 1),
    force: fc.boolean(),
    loose: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
    verb: fc.constantFrom<Step["verb"]>("apply", "apply", "apply", "update", "patch", "patch"),
  });
  return common.chain(({ loose, verb, ...rest }) => {
    // An update's value that doesn't fit can't come this far; what it does to managedFields can.
    const isLoose = loose && verb !== "patch";
    const given =
      verb === "apply" ? fc.constant(undefined) : fc.option(givenEntries(versions), { nil: undefined, freq: 8 });
    return fc
      .tuple(object(isLoose), given, fc.integer({ min: 0, max: 5 }))
      .map(([{ fields, metadata }, managedFields, die]) => ({
        ...rest,
        verb,
        object: {
          ...(verb === "patch" ? (withoutNullsInLists(fields) as JsonObject) : fields),
          ...(verb === "patch" ? {} : typeMeta(rest.version)),
          metadata: {
            ...(die === 0 ? withLastApplied(metadata, { ...typeMeta(rest.version), ...fields }) : metadata),
            ...(verb === "patch" ? {} : { name: "w", namespace: "default" }),
            ...(verb === "update" ? { uid: "3f1e" } : {}),
            ...(managedFields === undefined ? {} : { managedFields }),
          },
        },
      }));
  });
}

const typeMeta = (version: string) => ({ apiVersion: `example.com/${version}`, kind: "Widget" });

function withLastApplied(metadata: JsonObject, applied: JsonObject): JsonObject {
  const annotation = { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(applied) };
  return { ...metadata, annotations: { ...(metadata["annotations"] as JsonObject | undefined), ...annotation } };
}

/** managedFields that a client sends: resets, sets in other forms than ours, and what can't be read. */
function givenEntries(versions: readonly string[]): fc.Arbitrary<JsonArray> {
  const entry = fc.record({
    manager: fc.constantFrom(...managers),
    operation: fc.constantFrom("Apply", "Update"),
    apiVersion: fc.constantFrom(...versions).map((version) => `example.com/${version}`),
    fieldsType: fc.constantFrom("FieldsV1", "FieldsV1", "FieldsV1", "FieldsV1", ""),
    fieldsV1: fc.constantFrom<JsonObject>(
      { "f:spec": { "f:a": {} } },
      { "f:spec": { ".": {}, "f:b": { 'k:{"l": "x", "k":1.0}': { ".": {} }, 'k:{"k":"x"}': { "f:a": {} } } } },
      { "f:spec": { "f:c": { 'v:"x"': {}, "v:1": {}, "x:unknown": {} } }, "f:metadata": { "f:labels": { "f:x": {} } } },
      { "f:spec": { "x:unknown": {} } },
      { "f:metadata": { "f:name": {}, "f:finalizers": { 'v:"f/1"': {} } } },
      { "f:spec": { f: {} } },
      {},
    ),
    time: fc.constantFrom("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
  });
  return fc.oneof(fc.constantFrom<JsonArray>([], [{}]), fc.array(entry, { maxLength: 4 }) as fc.Arbitrary<JsonArray>);
}

/** A merge patch's lists are values, but Go's library prunes them. */
function withoutNullsInLists(value: JsonValue, isInList = false): JsonValue {
  if (Array.isArray(value)) return value.map((item) => withoutNullsInLists(item, true));
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => !isInList || inner !== null);
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNullsInLists(inner, isInList)]));
}

/** A step whose object has the names of its version. */
function renamedStep(step: Step): Step {
  const { version = "v1", object } = step;
  const { spec } = object;
  return isJsonObject(spec) ? { ...step, object: { ...object, spec: specIn(version, spec, "v1") } } : step;
}

/** Scenarios with two definitions: the second one has other kinds of lists and maps. */
export const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    schema: rootSchema,
    flips: fc.array(fc.boolean(), { minLength: 4, maxLength: 9 }),
    versionFlips: fc.array(
      fc.integer({ min: 0, max: 4 }).map((one) => one === 0),
      { minLength: 4, maxLength: 9 },
    ),
    isCrowded: fc.integer({ min: 0, max: 19 }).map((one) => one === 0),
    status: fc.boolean(),
    served: fc.constantFrom(
      { versions: ["v1"], converts: false },
      { versions: ["v1"], converts: false },
      { versions: ["v1", "v2"], converts: false },
      { versions: ["v1", "v2"], converts: true },
      { versions: ["v1", "v2", "v3"], converts: true },
    ),
  })
  .chain(({ schema, flips, versionFlips, isCrowded, status, served: { versions, converts } }) => {
    const definition = (base: JsonObject) =>
      widgetDefinition(
        Object.fromEntries(versions.map((name) => [name, name === "v1" ? base : changed(base, versionFlips)])),
        { status, converts },
      );
    const steps = fc.array(stepOf(schema, versions, isCrowded ? manyManagers : managers), {
      minLength: isCrowded ? 14 : 2,
      maxLength: isCrowded ? 24 : 8,
    });
    return steps.map((made) => ({
      definitions: [definition(schema), definition(changed(schema, flips))],
      steps: converts ? made.map(renamedStep) : made,
    }));
  });
