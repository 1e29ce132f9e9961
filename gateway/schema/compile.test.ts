import assert from "node:assert/strict";
import { test } from "node:test";
import { compiled, compiledSpec, faultsOf } from "./schema.fixture.ts";

const text = { type: "string" };

/** Gives the faults of a schema for `spec`. */
function specFaults(spec: object): string[] {
  return faultsOf({ type: "object", properties: { spec } });
}

test("compileSchema() keeps the schema and what hot passes need of it", () => {
  const source = {
    type: "object",
    properties: {
      a: { type: "string", default: "x" },
      b: { type: "array", "x-kubernetes-list-type": "set", items: text },
      c: { type: "object", "x-kubernetes-validations": [{ rule: "true" }], additionalProperties: text },
    },
  };
  const { root, source: kept } = compiled(source);
  assert.equal(JSON.stringify(kept), JSON.stringify(source));
  assert.deepEqual([...root.properties.keys()], ["a", "b", "c"]);
  assert.deepEqual(
    root.defaulted.map(([key]) => key),
    ["a"],
  );
  assert.deepEqual(
    root.listTyped.map(([key]) => key),
    ["b"],
  );
  assert.deepEqual([root.hasListTypes, root.hasEmbedded], [true, false]);
  assert.equal(root.properties.get("c")?.rules.length, 1);
});

test("compileSchema() takes null and empty keywords for missing ones", () => {
  compiledSpec({ type: "object", default: null, required: null, pattern: "", format: "", enum: [], properties: null });
});

test("compileSchema() wants a type for every field and item", () => {
  assert.deepEqual(faultsOf({}), ["type: Required value: must not be empty at the root"]);
  assert.deepEqual(faultsOf({ type: "array", items: text }), [
    'type: Invalid value: "array": must be object at the root',
  ]);
  assert.deepEqual(specFaults({}), [
    "properties[spec].type: Required value: must not be empty for specified object fields",
  ]);
  assert.deepEqual(specFaults({ type: "array" }), ["properties[spec].items: Required value: must be specified"]);
  assert.deepEqual(specFaults({ type: "array", items: {} }), [
    "properties[spec].items.type: Required value: must not be empty for specified array items",
  ]);
  assert.deepEqual(specFaults({ type: "text" }), [
    'properties[spec].type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"',
  ]);
  assert.deepEqual(specFaults({ type: "null" }), [
    'properties[spec].type: Unsupported value: "null": supported values: "array", "boolean", "integer", "number", "object", "string"',
    "properties[spec].type: Forbidden: type cannot be set to null, use nullable as an alternative",
  ]);
  assert.deepEqual(specFaults({ "x-kubernetes-preserve-unknown-fields": true }), []);
  assert.deepEqual(specFaults({ "x-kubernetes-int-or-string": true }), []);
});

test("compileSchema() refuses keywords that Kubernetes doesn't take", () => {
  const at = "properties[spec]";
  const refused: readonly (readonly [object, string])[] = [
    [{ $ref: "#/definitions/x" }, `${at}.$ref: Forbidden: $ref is not supported`],
    [{ id: "x" }, `${at}.id: Forbidden: id is not supported`],
    [{ patternProperties: { a: text } }, `${at}.patternProperties: Forbidden: patternProperties is not supported`],
    [{ definitions: { a: text } }, `${at}.definitions: Forbidden: definitions is not supported`],
    [{ dependencies: { a: ["b"] } }, `${at}.dependencies: Forbidden: dependencies is not supported`],
    [{ additionalItems: true }, `${at}.additionalItems: Forbidden: additionalItems is not supported`],
    [
      { uniqueItems: true },
      `${at}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
    ],
  ];
  for (const [keywords, fault] of refused) assert.deepEqual(specFaults({ type: "object", ...keywords }), [fault]);
  assert.deepEqual(specFaults({ type: "object", $schema: "x" }), [
    ": Invalid value: \"\": OpenAPIV3Schema 'schema' is not supported",
  ]);
  assert.deepEqual(specFaults({ type: "array", items: [text] }), [
    `${at}.items: Forbidden: items must be a schema object and not an array`,
  ]);
  assert.deepEqual(specFaults({ type: "object", "x-kubernetes-preserve-unknown-fields": false }), [
    `${at}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined`,
  ]);
  assert.deepEqual(faultsOf({ type: "object", nullable: true }), [
    "nullable: Forbidden: nullable cannot be true at the root",
  ]);
});

test("compileSchema() keeps properties and further keys apart", () => {
  assert.deepEqual(faultsOf({ type: "object", additionalProperties: true }), [
    "additionalProperties: Forbidden: must not be used at the root",
  ]);
  const both = (additionalProperties: unknown) =>
    specFaults({ type: "object", properties: { a: text }, additionalProperties });
  const fault =
    "properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive";
  assert.deepEqual(both(false), [fault]);
  assert.deepEqual(both(text), [fault]);
  assert.deepEqual(both(true), []);
  assert.deepEqual(specFaults({ type: "object", additionalProperties: false }), []);
});

test("compileSchema() allows only value validations inside combinations", () => {
  const inside = (keywords: object) => specFaults({ type: "object", anyOf: [{ ...keywords }] });
  const at = "properties[spec].anyOf[0]";
  assert.deepEqual(inside({ type: "object" }), [`${at}.type: Forbidden: must be empty to be structural`]);
  assert.deepEqual(inside({ default: 1, nullable: true, title: "t", description: "d", additionalProperties: {} }), [
    `${at}.additionalProperties: Forbidden: must be undefined to be structural`,
    `${at}.default: Forbidden: must be undefined to be structural`,
    `${at}.description: Forbidden: must be empty to be structural`,
    `${at}.nullable: Forbidden: must be false to be structural`,
    `${at}.title: Forbidden: must be empty to be structural`,
  ]);
  assert.deepEqual(inside({ "x-kubernetes-validations": [{ rule: "true" }] }), [
    `${at}.x-kubernetes-validations: Forbidden: must be empty to be structural`,
  ]);
  assert.deepEqual(inside({ properties: { metadata: {} } }), [
    `${at}.properties[metadata]: Forbidden: must not be specified in a nested context`,
  ]);
  assert.deepEqual(inside({ required: ["a"], minProperties: 1, not: { enum: [1] } }), []);
});

test("compileSchema() lets a choice of integer and string stand", () => {
  const choice = [{ type: "integer" }, { type: "string" }];
  const intOrString = { "x-kubernetes-int-or-string": true };
  assert.deepEqual(specFaults({ ...intOrString, anyOf: choice }), []);
  assert.deepEqual(specFaults({ ...intOrString, allOf: [{ anyOf: choice }, { pattern: "a" }] }), []);
  assert.deepEqual(specFaults({ ...intOrString, anyOf: [...choice].reverse() }), [
    "properties[spec].anyOf[0].type: Forbidden: must be empty to be structural",
    "properties[spec].anyOf[1].type: Forbidden: must be empty to be structural",
  ]);
});

test("compileSchema() wants what the root's combinations speak of to exist outside", () => {
  const schema = {
    type: "object",
    properties: { a: { type: "array", items: text } },
    allOf: [{ properties: { b: { minLength: 1 }, a: { items: { properties: { c: {} } } } } }],
  };
  assert.deepEqual(faultsOf(schema), [
    "properties[a].items.properties[c]: Required value: because it is defined in openAPIV3Schema.allOf[0].properties[a].items.properties[c]",
    "properties[b]: Required value: because it is defined in openAPIV3Schema.allOf[0].properties[b]",
  ]);
});

test("compileSchema() holds metadata to name and generateName", () => {
  const root = (metadata: object) => faultsOf({ type: "object", properties: { metadata } });
  assert.deepEqual(root({ type: "object", properties: { name: { type: "string", maxLength: 9 } } }), []);
  const fault =
    "properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified";
  assert.deepEqual(root({ type: "object", properties: { labels: { type: "object" } } }), [fault]);
  assert.deepEqual(root({ type: "object", description: "x" }), [fault]);
  assert.deepEqual(root({ type: "object", properties: { name: { type: "string", default: "x" } } }), [
    "properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata",
  ]);
});

test("compileSchema() checks embedded resources", () => {
  const embedded = { "x-kubernetes-embedded-resource": true };
  const at = "properties[spec]";
  assert.deepEqual(specFaults({ ...embedded, "x-kubernetes-preserve-unknown-fields": true }), [
    `${at}.type: Required value: must be object if x-kubernetes-embedded-resource is true`,
  ]);
  assert.deepEqual(specFaults({ ...embedded, type: "object" }), [
    `${at}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields`,
  ]);
  assert.deepEqual(specFaults({ ...embedded, type: "object", properties: { kind: { type: "integer" } } }), [
    `${at}.properties[kind].type: Invalid value: "integer": must be string`,
  ]);
});

test("compileSchema() checks lists of type set and map", () => {
  const list = (keywords: object, items: object = text) => specFaults({ type: "array", items, ...keywords });
  const at = "properties[spec]";
  const key = { type: "object", properties: { name: text } };
  assert.deepEqual(list({ "x-kubernetes-list-type": "bag" }), [
    `${at}.x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "set", "map"`,
  ]);
  assert.deepEqual(list({ "x-kubernetes-list-type": "map" }), [
    `${at}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
    `${at}.items.type: Invalid value: "string": must be object if parent array's x-kubernetes-list-type is map`,
  ]);
  const map = { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] };
  assert.deepEqual(list(map, key), [
    `${at}.items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
  ]);
  assert.deepEqual(list(map, { ...key, required: ["name"] }), []);
  assert.deepEqual(list({ ...map, "x-kubernetes-list-map-keys": ["other"] }, key), [
    `${at}.x-kubernetes-list-map-keys: Invalid value: ["other"]: entries must all be names of item properties`,
  ]);
  assert.deepEqual(list({ "x-kubernetes-list-type": "set" }, { type: "object", properties: { a: text } }), [
    `${at}.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set`,
  ]);
  assert.deepEqual(list({ "x-kubernetes-list-type": "set" }, { ...text, nullable: true }), [
    `${at}.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is set`,
  ]);
});

test("compileSchema() wants defaults that are valid and known", () => {
  const at = "properties[spec].default";
  assert.deepEqual(specFaults({ type: "integer", default: "x" }), [
    `${at}: Invalid value: "string":  in body must be of type integer: "string"`,
  ]);
  const object = { type: "object", properties: { a: { type: "integer", maximum: 5 } } };
  assert.deepEqual(specFaults({ ...object, default: { a: 6 } }), [
    `${at}.a: Invalid value: 6: a in body should be less than or equal to 5`,
  ]);
  assert.deepEqual(specFaults({ ...object, default: { b: 1 } }), [
    `${at}: Invalid value: {"b":1}: must not have unknown fields`,
  ]);
});

test("compileSchema() refuses a pattern that is none, with Go's words", () => {
  assert.deepEqual(specFaults({ type: "string", pattern: "a(" }), [
    'properties[spec].pattern: Invalid value: "a(": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ): `a(`',
  ]);
});

test("compileSchema() names keywords of the wrong JSON type", () => {
  assert.deepEqual(
    specFaults({
      type: 5,
      required: "a",
      properties: { a: 1 },
      anyOf: {},
      maxLength: 1.5,
      nullable: "yes",
      items: "x",
    }).sort(),
    [
      "properties[spec].anyOf: Invalid value: {}: must be a list of schema objects",
      'properties[spec].items: Invalid value: "x": must be a schema object',
      "properties[spec].maxLength: Invalid value: 1.5: must be an integer",
      'properties[spec].nullable: Invalid value: "yes": must be a boolean',
      'properties[spec].properties: Invalid value: {"a":1}: must be a map of schema objects',
      'properties[spec].required: Invalid value: "a": must be a list of strings',
      "properties[spec].type: Invalid value: 5: must be a string",
    ],
  );
});

test("compileSchema() bounds depth and the number of faults", () => {
  let deep: object = { type: "string" };
  for (let level = 0; level < 300; level++) deep = { type: "array", items: deep };
  const [fault, ...more] = specFaults(deep);
  assert.match(fault ?? "", /: Forbidden: must not be nested deeper than 200 levels$/);
  assert.deepEqual(more, []);
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`p${index}`, {}]));
  assert.equal(faultsOf({ type: "object", properties: many }).length, 50);
});
