/**
 * Reads the keywords of one schema object.
 *
 * null stands for an absent keyword, as it does for Go's decoder. The readers give the empty value
 * for what is ill-typed: formFaults has named it before anyone reads.
 * Source: apiextensions-apiserver pkg/apis/apiextensions/v1 JSONSchemaProps.
 */
import { encodeJson, isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { maxSchemaDepth } from "./node.ts";

/** One thing that is wrong with a schema. */
export interface SchemaFault {
  /** `properties[spec].items.type`, from the schema's root; `""` is the root. */
  readonly path: string;
  readonly message: string;
}

/** Faults that are collected before the rest is left unsaid: enough to work on, short enough for a log line. */
export const maxSchemaFaults = 50;

/** Gives the path of a keyword. */
export function at(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** Gives the path of a named schema inside a keyword, `properties[spec]`. */
export function atKey(path: string, keyword: string, key: string): string {
  return `${at(path, keyword)}[${key}]`;
}

/** Gives a keyword's value; undefined if it is absent. */
export function keyword(source: JsonObject, key: string): JsonValue | undefined {
  const value = source[key];
  return value === null ? undefined : value;
}

export const textOf = (source: JsonObject, key: string): string => {
  const value = source[key];
  return typeof value === "string" ? value : "";
};
export const isSet = (source: JsonObject, key: string): boolean => source[key] === true;
export const numberOf = (source: JsonObject, key: string): number | undefined => {
  const value = source[key];
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined;
};
export const textsOf = (source: JsonObject, key: string): readonly string[] => {
  const value = source[key];
  return Array.isArray(value) ? (value as string[]) : [];
};
export const valuesOf = (source: JsonObject, key: string): readonly JsonValue[] => {
  const value = source[key];
  return Array.isArray(value) ? value : [];
};
export const schemaOf = (source: JsonObject, key: string): JsonObject | undefined => {
  const value = source[key];
  return isJsonObject(value) ? value : undefined;
};
export const schemasOf = (source: JsonObject, key: string): readonly JsonObject[] => {
  const value = source[key];
  return Array.isArray(value) ? (value as JsonObject[]) : [];
};

/** Gives the schemas under a keyword by their names, sorted. */
export function namedSchemas(source: JsonObject, key: string): readonly (readonly [string, JsonObject])[] {
  const value = source[key];
  if (!isJsonObject(value)) return [];
  return Object.keys(value)
    .sort()
    .map((name) => [name, value[name] as JsonObject] as const);
}

/** Whether a keyword says anything: Go can't tell an empty one from a missing one. */
export function isSpecified(source: JsonObject, key: string): boolean {
  const value = keyword(source, key);
  if (value === undefined || value === false || value === "") return false;
  if (Array.isArray(value)) return value.length > 0;
  return key !== "properties" || Object.keys(value as JsonObject).length > 0;
}

type Form = "text" | "flag" | "number" | "integer" | "texts" | "list" | "schema" | "schemas" | "named" | "either";

const forms: Readonly<Record<string, Form>> = {
  type: "text",
  format: "text",
  title: "text",
  description: "text",
  pattern: "text",
  id: "text",
  $schema: "text",
  $ref: "text",
  "x-kubernetes-list-type": "text",
  "x-kubernetes-map-type": "text",
  nullable: "flag",
  exclusiveMaximum: "flag",
  exclusiveMinimum: "flag",
  uniqueItems: "flag",
  "x-kubernetes-preserve-unknown-fields": "flag",
  "x-kubernetes-embedded-resource": "flag",
  "x-kubernetes-int-or-string": "flag",
  maximum: "number",
  minimum: "number",
  multipleOf: "number",
  maxLength: "integer",
  minLength: "integer",
  maxItems: "integer",
  minItems: "integer",
  maxProperties: "integer",
  minProperties: "integer",
  required: "texts",
  "x-kubernetes-list-map-keys": "texts",
  enum: "list",
  "x-kubernetes-validations": "list",
  allOf: "schemas",
  anyOf: "schemas",
  oneOf: "schemas",
  not: "schema",
  items: "either",
  additionalProperties: "either",
  additionalItems: "either",
  properties: "named",
  patternProperties: "named",
  definitions: "named",
};

const wanted: Readonly<Record<Form, string>> = {
  text: "a string",
  flag: "a boolean",
  number: "a number",
  integer: "an integer",
  texts: "a list of strings",
  list: "a list",
  schema: "a schema object",
  schemas: "a list of schema objects",
  named: "a map of schema objects",
  either: "a schema object",
};

interface Pending {
  readonly source: JsonObject;
  readonly path: string;
  readonly depth: number;
}

/**
 * Finds keywords whose values don't have the JSON type that Go's decoder wants, and schemas that are
 * nested too deep. Whoever reads the schema after no fault was found may trust both.
 */
export function formFaults(root: JsonObject): SchemaFault[] {
  const faults: SchemaFault[] = [];
  const stack: Pending[] = [{ source: root, path: "", depth: 0 }];
  for (let next = stack.pop(); next !== undefined && faults.length < maxSchemaFaults; next = stack.pop()) {
    const { source, path, depth } = next;
    if (depth > maxSchemaDepth) {
      faults.push({ path, message: `Forbidden: must not be nested deeper than ${maxSchemaDepth} levels` });
      continue;
    }
    for (const key of Object.keys(source)) {
      const form = Object.hasOwn(forms, key) ? forms[key] : undefined;
      const value = keyword(source, key);
      if (form === undefined || value === undefined) continue;
      if (!hasForm(key, form, value)) {
        faults.push({ path: at(path, key), message: `Invalid value: ${shown(value)}: must be ${wanted[form]}` });
        continue;
      }
      for (const [innerPath, inner] of innerSchemas(at(path, key), form, value))
        stack.push({ source: inner, path: innerPath, depth: depth + 1 });
    }
  }
  return faults;
}

function hasForm(key: string, form: Form, value: JsonValue): boolean {
  switch (form) {
    case "text":
      return typeof value === "string";
    case "flag":
      return typeof value === "boolean";
    case "number":
      return typeof value === "number" || typeof value === "bigint";
    case "integer":
      return typeof value === "bigint" || Number.isInteger(value);
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "list":
      return Array.isArray(value);
    case "schema":
      return isJsonObject(value);
    case "schemas":
      return Array.isArray(value) && value.every(isJsonObject);
    case "named":
      return isJsonObject(value) && Object.keys(value).every((name) => isJsonObject(value[name]));
    case "either":
      if (isJsonObject(value)) return true;
      return key === "items" ? Array.isArray(value) && value.every(isJsonObject) : typeof value === "boolean";
  }
}

function innerSchemas(path: string, form: Form, value: JsonValue): (readonly [string, JsonObject])[] {
  if (form === "named") {
    const named = value as JsonObject;
    return Object.keys(named).map((name) => [`${path}[${name}]`, named[name] as JsonObject] as const);
  }
  if (form === "schema" || form === "either") {
    if (isJsonObject(value)) return [[path, value]];
  } else if (form !== "schemas") return [];
  return Array.isArray(value) ? value.map((inner, index) => [`${path}[${index}]`, inner as JsonObject] as const) : [];
}

/** The largest value that a message shows: more would hide the message. */
const maxShown = 200;

function shown(value: JsonValue): string {
  const text = encodeJson(value);
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}
