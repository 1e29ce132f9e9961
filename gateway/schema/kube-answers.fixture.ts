/**
 * What kube-apiserver answers to objects under a schema: its own words, taken from the packages of
 * v1.36 with the same input. Where Kubernetes goes through a map at random the answers are sorted.
 */

/** One object, and the faults that kube-apiserver finds. */
export interface Answer {
  readonly about: string;
  /** The schema of `spec`, unless the case brings a whole one. */
  readonly spec?: object;
  readonly schema?: object;
  readonly object: object;
  readonly old?: object;
  /** `field: message`. */
  readonly faults: readonly string[];
}

const field = (x: object) => ({ type: "object", properties: { x } });
const ports = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["name"],
  items: {
    type: "object",
    required: ["name"],
    properties: { name: { type: "string" }, port: { type: "integer", maximum: 10 } },
  },
};
const pairs = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["a", "b"],
  items: {
    type: "object",
    required: ["a"],
    properties: { a: { type: "string" }, b: { type: "integer", default: 1 } },
  },
};
const pod = {
  type: "object",
  "x-kubernetes-embedded-resource": true,
  "x-kubernetes-preserve-unknown-fields": true,
};

/** Objects that are created. */
export const createAnswers: readonly Answer[] = [
  {
    about: "a type",
    spec: field({ type: "integer" }),
    object: { spec: { x: "a" } },
    faults: ['spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'],
  },
  {
    about: "a null",
    spec: field({ type: "string" }),
    object: { spec: { x: null } },
    faults: ['spec.x: Invalid value: "null": spec.x in body must be of type string: "null"'],
  },
  {
    about: "a fraction for an integer",
    spec: field({ type: "integer" }),
    object: { spec: { x: 1.5 } },
    faults: [
      'spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"',
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.x',
    ],
  },
  {
    about: "neither integer nor text",
    spec: field({ "x-kubernetes-int-or-string": true }),
    object: { spec: { x: true } },
    faults: ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'],
  },
  {
    about: "a format of text",
    spec: field({ type: "string", format: "email" }),
    object: { spec: { x: 'z"z' } },
    faults: ['spec.x: Invalid value: "z\\"z": spec.x in body must be of type email: "z\\"z"'],
  },
  {
    about: "a format of numbers",
    spec: field({ type: "integer", format: "int32" }),
    object: { spec: { x: 3000000000 } },
    faults: ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x'],
  },
  {
    about: "a fraction under a format of integers",
    spec: field({ type: "integer", format: "int32" }),
    object: { spec: { x: 1.5 } },
    faults: [
      'spec.x: Invalid value: "float64": spec.x in body must be of type int32: "float64"',
      '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x',
    ],
  },
  {
    about: "a format that isn't one of its type",
    spec: field({ type: "string", format: "int32" }),
    object: { spec: { x: true } },
    faults: ['spec.x: Invalid value: "boolean": spec.x in body must be of type string: "boolean"'],
  },
  {
    about: "what is required",
    schema: { type: "object", required: ["spec"], properties: { spec: { type: "object", required: ["b", "a"] } } },
    object: { spec: {} },
    faults: ["spec.b: Required value", "spec.a: Required value"],
  },
  {
    about: "what the root requires",
    schema: { type: "object", required: ["spec"], minProperties: 9, properties: { spec: { type: "object" } } },
    object: {},
    faults: ["<nil>: Invalid value: 3:  in body should have at least 9 properties", "spec: Required value"],
  },
  {
    about: "an enumeration",
    spec: field({ type: "string", enum: ["b", "a"] }),
    object: { spec: { x: "c" } },
    faults: ['spec.x: Unsupported value: "c": supported values: "b", "a"'],
  },
  {
    about: "an enumeration of numbers and a null",
    spec: field({ type: "integer", nullable: true, enum: [1, null] }),
    object: { spec: { x: null } },
    faults: ['spec.x: Unsupported value: null: supported values: "1", "null"'],
  },
  {
    about: "lengths in characters",
    spec: { type: "object", properties: { x: { type: "string", maxLength: 2 }, y: { type: "string", minLength: 2 } } },
    object: { spec: { x: "😀😀😀", y: "😀" } },
    faults: [
      "spec.x: Too long: may not be more than 2 bytes",
      'spec.y: Invalid value: "😀": spec.y in body should be at least 2 chars long',
    ],
  },
  {
    about: "sizes",
    spec: {
      type: "object",
      properties: {
        a: { type: "array", maxItems: 1, items: { type: "integer" } },
        b: { type: "array", minItems: 1, items: { type: "integer" } },
        c: { type: "object", maxProperties: 1, additionalProperties: { type: "integer" } },
        d: { type: "object", minProperties: 1, additionalProperties: { type: "integer" } },
      },
    },
    object: { spec: { a: [1, 2], b: [], c: { x: 1, y: 2 }, d: {} } },
    faults: [
      "spec.a: Too many: 2: must have at most 1 item",
      "spec.b: Invalid value: 0: spec.b in body should have at least 1 items",
      "spec.c: Too many: 2: must have at most 1 item",
      "spec.d: Invalid value: 0: spec.d in body should have at least 1 properties",
    ],
  },
  {
    about: "a pattern",
    spec: field({ type: "string", pattern: "^a+$" }),
    object: { spec: { x: "b" } },
    faults: [`spec.x: Invalid value: "b": spec.x in body should match '^a+$'`],
  },
  {
    about: "bounds",
    spec: {
      type: "object",
      properties: {
        a: { type: "integer", minimum: 0 },
        b: { type: "integer", maximum: 10, exclusiveMaximum: true },
        c: { type: "number", minimum: 3000000000 },
        d: { type: "number", multipleOf: 0.5 },
      },
    },
    object: { spec: { a: -1, b: 10, c: 0.5, d: 0.7 } },
    faults: [
      "spec.a: Invalid value: -1: spec.a in body should be greater than or equal to 0",
      "spec.b: Invalid value: 10: spec.b in body should be less than 10",
      "spec.c: Invalid value: 0.5: spec.c in body should be greater than or equal to 3e+09",
      "spec.d: Invalid value: 0.7: spec.d in body should be a multiple of 0.5",
    ],
  },
  {
    about: "a bound that its own type can't hold",
    spec: field({ type: "integer", format: "int64", maximum: 2 ** 63 }),
    object: { spec: { x: 1 } },
    faults: ['<nil>: Invalid value: "": Maximum boundary value must be of type integer with format int64 in spec.x'],
  },
  {
    about: "a multiple that is cut to nothing",
    spec: field({ type: "number", multipleOf: 0.5 }),
    object: { spec: { x: 2 } },
    faults: ["spec.x: Invalid value: 0: factor MultipleOf declared for spec.x must be positive: 0"],
  },
  {
    about: "further keys",
    spec: { type: "object", additionalProperties: { type: "integer" } },
    object: { spec: { "a.b": "x" } },
    faults: ['spec.a.b: Invalid value: "string": spec.a.b in body must be of type integer: "string"'],
  },
  {
    about: "no further keys",
    spec: { type: "object", additionalProperties: false },
    object: { spec: { k: 1 } },
    faults: ['spec: Invalid value: "k": spec.k in body is a forbidden property'],
  },
  {
    about: "none of several, with the faults of the nearest",
    spec: field({
      type: "object",
      properties: { a: { type: "string" }, b: { type: "string" } },
      anyOf: [{ required: ["a", "b"] }, { required: ["a"], properties: { a: { minLength: 5 } } }],
    }),
    object: { spec: { x: { a: "b" } } },
    faults: [
      '<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)',
      'spec.x.a: Invalid value: "b": spec.x.a in body should be at least 5 chars long',
    ],
  },
  {
    about: "two of one",
    spec: field({ type: "integer", oneOf: [{ minimum: 1 }, { minimum: 2 }, { minimum: 30 }] }),
    object: { spec: { x: 5 } },
    faults: [
      '<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
  },
  {
    about: "not one of all",
    spec: field({ type: "string", allOf: [{ minLength: 3 }, { pattern: "^b" }] }),
    object: { spec: { x: "a" } },
    faults: [
      'spec.x: Invalid value: "a": spec.x in body should be at least 3 chars long',
      "spec.x: Invalid value: \"a\": spec.x in body should match '^b'",
      '<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf). None validated',
    ],
  },
  {
    about: "what must not be, and nothing said twice",
    spec: field({ type: "integer", not: { minimum: 5 }, allOf: [{ maximum: 1 }, { maximum: 1 }] }),
    object: { spec: { x: 9 } },
    faults: [
      "spec.x: Invalid value: 9: spec.x in body should be less than or equal to 1",
      '<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf). None validated',
      '<nil>: Invalid value: "": "spec.x" must not validate the schema (not)',
    ],
  },
  {
    about: "kind and metadata by their own schemas",
    schema: {
      type: "object",
      properties: {
        kind: { type: "string", enum: ["L"] },
        metadata: { type: "object", properties: { name: { type: "string", maxLength: 1 } } },
      },
    },
    object: {},
    faults: [
      'kind: Unsupported value: "K": supported values: "L"',
      "metadata.name: Too long: may not be more than 1 byte",
    ],
  },
  {
    about: "a set",
    spec: field({ type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } }),
    object: { spec: { x: ["a", "b", "a", "a", "b"] } },
    faults: ['spec.x[2]: Duplicate value: "a"', 'spec.x[4]: Duplicate value: "b"'],
  },
  {
    about: "a list by keys",
    spec: { type: "object", properties: { pairs, ports } },
    object: {
      spec: {
        pairs: [
          { a: "x", b: 1 },
          { a: "x", b: 2 },
          { b: 1, a: "x" },
        ],
        ports: [{ name: "a" }, { name: "a" }],
      },
    },
    faults: ['spec.pairs[2]: Duplicate value: {"a":"x","b":1}', 'spec.ports[1]: Duplicate value: {"name":"a"}'],
  },
  {
    about: "a list by keys inside a map",
    spec: { type: "object", additionalProperties: ports },
    object: { spec: { m: [{ name: "a" }, { name: "a" }] } },
    faults: ['spec[m][1]: Duplicate value: {"name":"a"}'],
  },
  {
    about: "an embedded resource",
    spec: { type: "object", additionalProperties: pod },
    object: { spec: { p: {} } },
    faults: ["spec[p].apiVersion: Required value", "spec[p].kind: Required value"],
  },
  {
    about: "an embedded resource's words",
    spec: field(pod),
    object: { spec: { x: { apiVersion: "a/b/c", kind: "A_b" } } },
    faults: [
      'spec.x.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
      `spec.x.kind: Invalid value: "A_b": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
    ],
  },
];

const short = { type: "string", maxLength: 1 };

/** Objects that are updated. */
export const updateAnswers: readonly Answer[] = [
  {
    about: "a value that is the same",
    spec: { type: "object", required: ["z"], properties: { a: short, b: short } },
    object: { spec: { a: "xx", b: "yy" } },
    old: { spec: { a: "xx", b: "y" } },
    faults: ["spec.b: Too long: may not be more than 1 byte", "spec.z: Required value"],
  },
  {
    about: "an object that is the same",
    spec: { type: "object", required: ["z"], properties: { a: short } },
    object: { spec: { a: "xx" }, metadata: { name: "abc", labels: { a: "b" } } },
    old: { spec: { a: "xx" } },
    faults: [],
  },
  {
    about: "an object with fields that the schema doesn't describe",
    spec: { type: "object", required: ["z"], "x-kubernetes-preserve-unknown-fields": true },
    object: { spec: { a: 1 } },
    old: { spec: { a: 1 } },
    faults: ["spec.z: Required value"],
  },
  {
    about: "items by their keys, whatever the order",
    spec: field(ports),
    object: {
      spec: {
        x: [
          { name: "b", port: 11 },
          { name: "a", port: 12 },
        ],
      },
    },
    old: {
      spec: {
        x: [
          { name: "a", port: 11 },
          { name: "b", port: 11 },
        ],
      },
    },
    faults: ["spec.x[1].port: Invalid value: 12: spec.x[1].port in body should be less than or equal to 10"],
  },
  {
    about: "a list by keys in another order",
    spec: field({ ...ports, maxItems: 1 }),
    object: { spec: { x: [{ name: "b" }, { name: "a" }] } },
    old: { spec: { x: [{ name: "a" }, { name: "b" }] } },
    faults: [],
  },
  {
    about: "items of any other list",
    spec: field({ type: "array", items: short }),
    object: { spec: { x: ["xx", "a"] } },
    old: { spec: { x: ["xx"] } },
    faults: ["spec.x[0]: Too long: may not be more than 1 byte"],
  },
  {
    about: "combinations without the old value",
    spec: field({
      type: "object",
      properties: { a: short, b: short },
      anyOf: [{ properties: { a: { minLength: 1 } } }],
    }),
    object: { spec: { x: { a: "", b: "b" } } },
    old: { spec: { x: { a: "" } } },
    faults: [
      '<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)',
      'spec.x.a: Invalid value: "": spec.x.a in body should be at least 1 chars long',
    ],
  },
  {
    about: "kind, which is never the same",
    schema: { type: "object", properties: { kind: { type: "string", enum: ["L"] } } },
    object: {},
    old: {},
    faults: ['kind: Unsupported value: "K": supported values: "L"'],
  },
  {
    about: "lists with duplicates, of which there were some before",
    spec: { type: "object", properties: { ports, pairs } },
    object: { spec: { ports: [{ name: "a" }, { name: "a" }] } },
    old: { spec: { pairs: [{ a: "x" }, { a: "x" }] } },
    faults: [],
  },
  {
    about: "embedded resources, whatever they were before",
    spec: field(pod),
    object: { spec: { x: {} } },
    old: { spec: { x: {} } },
    faults: ["spec.x.apiVersion: Required value", "spec.x.kind: Required value"],
  },
];

const status = {
  type: "object",
  required: ["phase"],
  properties: { phase: short, count: { type: "integer" }, kind: short, ports },
};
const withStatus = { type: "object", required: ["spec"], properties: { spec: { type: "object" }, status } };

/** Objects whose status alone is updated. */
export const statusAnswers: readonly Answer[] = [
  {
    about: "faults below status, whose texts begin there",
    schema: withStatus,
    object: { status: { phase: "xx", count: "a" } },
    old: {},
    faults: [
      "status.phase: Too long: may not be more than 1 byte",
      'status.count: Invalid value: "string": count in body must be of type integer: "string"',
    ],
  },
  {
    about: "status itself",
    schema: withStatus,
    object: { status: "a" },
    old: {},
    faults: ['status: Invalid value: "string":  in body must be of type object: "string"'],
  },
  {
    about: "what is the same",
    schema: withStatus,
    object: { status: { phase: "xx", count: 2 } },
    old: { status: { phase: "xx", count: 1 } },
    faults: [],
  },
  {
    about: "duplicates",
    schema: withStatus,
    object: { status: { phase: "x", ports: [{ name: "a" }, { name: "a" }] } },
    old: { status: {} },
    faults: ['status.ports[1]: Duplicate value: {"name":"a"}'],
  },
  { about: "no status", schema: withStatus, object: {}, old: {}, faults: [] },
];

/** Gives the whole schema of a case. */
export function wholeSchema({ spec, schema }: Answer): object {
  return schema ?? { type: "object", properties: { spec } };
}

/** Gives a whole object: with apiVersion, kind and a name. */
export function wholeObject(object: object): object {
  return { apiVersion: "annex.example.com/v1", kind: "K", metadata: { name: "abc" }, ...object };
}
