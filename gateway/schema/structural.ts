/**
 * Whether a schema is structural: every value it speaks of has a known place and type.
 *
 * Inside allOf, anyOf, oneOf and not there are only value validations. Faults come sorted by their
 * text, as kube-apiserver's do. Expects a schema without form faults.
 * Source: apiextensions-apiserver pkg/apiserver/schema/{convert,validation,complete}.go.
 */
import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  formatFieldError,
} from "../apimachinery/field-error.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import { checkComplete, checkValues, type Found, isChoiceOfTypes } from "./combination-rules.ts";
import {
  at,
  atKey,
  isSet,
  isSpecified,
  keyword,
  namedSchemas,
  schemaOf,
  schemasOf,
  textOf,
  valuesOf,
} from "./keywords.ts";
import type { PatternMemo } from "./pattern.ts";

type Level = "root" | "field" | "item";

const preserve = "x-kubernetes-preserve-unknown-fields";
const embedded = "x-kubernetes-embedded-resource";
const intOrString = "x-kubernetes-int-or-string";
const combinations = ["allOf", "anyOf", "oneOf"] as const;

/** Gives what is not structural about a schema. */
export function structuralFaults(source: JsonObject, patterns: PatternMemo): FieldError[] {
  const found: Found = { faults: [], patterns };
  checkInvariants(source, "root", "", found);
  checkComplete(source, source, "", "", found.faults);
  return found.faults
    .map((fault) => ({ fault, text: formatFieldError(fault) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ fault }) => fault);
}

function checkInvariants(source: JsonObject, level: Level, path: string, found: Found): void {
  const { faults } = found;
  const items = schemaOf(source, "items");
  if (textOf(source, "type") === "array" && items === undefined)
    faults.push(fieldRequired(at(path, "items"), "must be specified"));
  if (items !== undefined) checkInvariants(items, "item", at(path, "items"), found);
  for (const [key, inner] of namedSchemas(source, "properties"))
    checkInvariants(inner, "field", atKey(path, "properties", key), found);
  if (keyword(source, "additionalProperties") !== undefined) {
    const place = at(path, "additionalProperties");
    if (level === "root") faults.push(fieldForbidden(place, "must not be used at the root"));
    const inner = schemaOf(source, "additionalProperties");
    if (inner !== undefined) checkInvariants(inner, "field", place, found);
  }
  if (isSet(source, intOrString)) {
    for (const key of [preserve, embedded])
      if (isSet(source, key))
        faults.push(fieldInvalid(at(path, key), true, "must be false if x-kubernetes-int-or-string is true"));
  }
  checkValues(
    source,
    path,
    isChoiceOfTypes(source, "anyOf"),
    isChoiceOfTypes(schemasOf(source, "allOf")[0], "anyOf"),
    found,
  );
  checkType(source, level, path, faults);
  checkResource(source, level, path, faults);
}

function checkType(source: JsonObject, level: Level, path: string, faults: FieldError[]): void {
  const type = textOf(source, "type");
  const place = at(path, "type");
  if (isSet(source, embedded)) {
    const detail = "must be object if x-kubernetes-embedded-resource is true";
    if (type === "") faults.push(fieldRequired(place, detail));
    else if (type !== "object") faults.push(fieldInvalid(place, type, detail));
    if (keyword(source, "additionalProperties") !== undefined)
      faults.push(
        fieldForbidden(at(path, "additionalProperties"), "must not be used if x-kubernetes-embedded-resource is set"),
      );
  }
  if (type === "" && !isSet(source, embedded) && !isSet(source, intOrString) && !isSet(source, preserve)) {
    const where = { root: "at the root", item: "for specified array items", field: "for specified object fields" }[
      level
    ];
    faults.push(fieldRequired(place, `must not be empty ${where}`));
  }
  if (level === "root" && type !== "" && type !== "object")
    faults.push(fieldInvalid(place, type, "must be object at the root"));
}

/** apiVersion, kind and metadata, at the root and in embedded resources. */
function checkResource(source: JsonObject, level: Level, path: string, faults: FieldError[]): void {
  const isResource = level === "root" || isSet(source, embedded);
  const properties = schemaOf(source, "properties");
  for (const key of ["kind", "apiVersion"]) {
    const inner = properties === undefined ? undefined : schemaOf(properties, key);
    if (isResource && inner !== undefined && textOf(inner, "type") !== "string")
      faults.push(fieldInvalid(at(atKey(path, "properties", key), "type"), textOf(inner, "type"), "must be string"));
  }
  const metadata = properties === undefined ? undefined : schemaOf(properties, "metadata");
  if (metadata !== undefined) {
    const place = atKey(path, "properties", "metadata");
    if (isResource && textOf(metadata, "type") !== "object")
      faults.push(fieldInvalid(at(place, "type"), textOf(metadata, "type"), "must be object"));
    if (level === "root" && !namesOnly(metadata)) {
      faults.push(
        fieldForbidden(
          place,
          "must not specify anything other than name and generateName, but metadata is implicitly specified",
        ),
      );
    }
  }
  if (isSet(source, embedded) && !isSet(source, preserve) && namedSchemas(source, "properties").length === 0) {
    faults.push(
      fieldRequired(
        at(path, "properties"),
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
  }
}

/** Whether the root's metadata says no more than its type and what holds for names. */
function namesOnly(metadata: JsonObject): boolean {
  for (const key of Object.keys(metadata)) {
    if (key === "type" || key === "default" || !isSpecified(metadata, key)) continue;
    if (key !== "properties") return false;
    for (const [name] of namedSchemas(metadata, key)) if (name !== "name" && name !== "generateName") return false;
  }
  return true;
}

/**
 * Gives why a schema can't be made structural at all, or undefined. Such a schema is judged by the
 * rules of custom resource definitions alone, which name the place.
 */
export function unconvertible(source: JsonObject): string | undefined {
  const stack: JsonObject[] = [source];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    for (const [key, word] of unsupported) {
      if (key === "additionalItems" ? keyword(next, key) !== undefined : isFilled(next, key))
        return `OpenAPIV3Schema '${word}' is not supported`;
    }
    if (next[preserve] === false) return `internal error: '${preserve}' must be true or undefined`;
    if (valuesOf(next, "items").length > 0) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
    for (const key of combinations) stack.push(...schemasOf(next, key));
    for (const [, inner] of namedSchemas(next, "properties")) stack.push(inner);
    for (const key of ["not", "items", "additionalProperties"]) {
      const inner = schemaOf(next, key);
      if (inner !== undefined) stack.push(inner);
    }
  }
  return undefined;
}

const unsupported: readonly (readonly [string, string])[] = [
  ["id", "id"],
  ["$schema", "schema"],
  ["$ref", "$ref"],
  ["patternProperties", "patternProperties"],
  ["dependencies", "dependencies"],
  ["additionalItems", "additionalItems"],
  ["definitions", "definitions"],
];

function isFilled(source: JsonObject, key: string): boolean {
  const value = keyword(source, key);
  if (value === undefined || value === "") return false;
  return typeof value !== "object" || Object.keys(value as JsonObject).length > 0;
}
