/**
 * What a custom resource definition may not say in a schema, structural or not.
 *
 * Expects a schema without form faults. CEL rules are not compiled here.
 * Source: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go
 * (ValidateCustomResourceDefinitionOpenAPISchema).
 */
import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
} from "../apimachinery/field-error.ts";
import { isJsonObject, type JsonObject } from "../apimachinery/json.ts";
import { at, atKey, isSet, keyword, namedSchemas, schemaOf, schemasOf, textOf, textsOf, valuesOf } from "./keywords.ts";

const knownTypes = ["array", "boolean", "integer", "number", "object", "string"];
const resourceFields = new Set(["metadata", "kind", "apiVersion"]);

/** What holds for a part of the schema because of where it stands. */
interface Surroundings {
  /** Undefined: defaults are allowed; else why not. */
  readonly noDefaults: string | undefined;
  readonly insideMeta: boolean;
}

/** Gives what a definition may not say. */
export function definitionFaults(source: JsonObject): FieldError[] {
  const faults: FieldError[] = [];
  check(source, "", true, { noDefaults: undefined, insideMeta: false }, faults);
  return faults;
}

function check(source: JsonObject, path: string, isRoot: boolean, around: Surroundings, faults: FieldError[]): void {
  checkDialect(source, path, around, faults);
  if (isSet(source, "uniqueItems")) {
    faults.push(
      fieldForbidden(
        at(path, "uniqueItems"),
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ),
    );
  }
  checkAdditional(source, path, around, faults);
  const isResource = isRoot || isSet(source, "x-kubernetes-embedded-resource");
  for (const [key, inner] of namedSchemas(source, "properties")) {
    const isMeta = isResource && resourceFields.has(key);
    const below = {
      insideMeta: around.insideMeta || isMeta,
      noDefaults: isMeta && isRoot ? `in top-level ${key}` : around.noDefaults,
    };
    check(inner, atKey(path, "properties", key), false, below, faults);
  }
  const not = schemaOf(source, "not");
  if (not !== undefined) check(not, at(path, "not"), false, around, faults);
  for (const key of ["allOf", "oneOf", "anyOf"]) {
    for (const [index, inner] of schemasOf(source, key).entries())
      check(inner, `${at(path, key)}[${index}]`, false, around, faults);
  }
  const items = schemaOf(source, "items");
  if (items !== undefined) check(items, at(path, "items"), false, around, faults);
  checkExtensions(source, path, faults);
}

/** Keywords of JSON Schema that Kubernetes doesn't take. */
function checkDialect(source: JsonObject, path: string, around: Surroundings, faults: FieldError[]): void {
  const type = textOf(source, "type");
  if (type !== "" && !knownTypes.includes(type)) faults.push(fieldNotSupported(at(path, "type"), type, knownTypes));
  if (keyword(source, "default") !== undefined && around.noDefaults !== undefined)
    faults.push(fieldForbidden(at(path, "default"), `must not be set ${around.noDefaults}`));
  const refuse = (key: string) => faults.push(fieldForbidden(at(path, key), `${key} is not supported`));
  if (textOf(source, "id") !== "") refuse("id");
  if (keyword(source, "additionalItems") !== undefined) refuse("additionalItems");
  for (const key of ["patternProperties", "definitions"]) if (namedSchemas(source, key).length > 0) refuse(key);
  for (const key of ["dependencies", "$ref"]) if (keyword(source, key) !== undefined) refuse(key);
  if (type === "null")
    faults.push(fieldForbidden(at(path, "type"), "type cannot be set to null, use nullable as an alternative"));
  if (valuesOf(source, "items").length > 0)
    faults.push(fieldForbidden(at(path, "items"), "items must be a schema object and not an array"));
  if (around.insideMeta && isSet(source, "x-kubernetes-embedded-resource"))
    faults.push(fieldForbidden(at(path, "x-kubernetes-embedded-resource"), "must not be used inside of resource meta"));
}

function checkAdditional(source: JsonObject, path: string, around: Surroundings, faults: FieldError[]): void {
  const additional = keyword(source, "additionalProperties");
  if (additional === undefined) return;
  const place = at(path, "additionalProperties");
  if (additional !== true && namedSchemas(source, "properties").length > 0)
    faults.push(fieldForbidden(place, "additionalProperties and properties are mutual exclusive"));
  if (!isJsonObject(additional)) return;
  const below = around.insideMeta
    ? { ...around, noDefaults: "inside additionalProperties applying to object metadata" }
    : around;
  check(additional, place, false, below, faults);
}

function checkExtensions(source: JsonObject, path: string, faults: FieldError[]): void {
  const preserve = "x-kubernetes-preserve-unknown-fields";
  if (source[preserve] === false) faults.push(fieldInvalid(at(path, preserve), false, "must be true or undefined"));
  checkKindOf(source, path, "x-kubernetes-map-type", "object", ["atomic", "granular"], faults);
  checkSetItems(source, path, faults);
  checkKindOf(source, path, "x-kubernetes-list-type", "array", ["atomic", "set", "map"], faults);
  const listType = keyword(source, "x-kubernetes-list-type");
  const keys = textsOf(source, "x-kubernetes-list-map-keys");
  if (keys.length > 0 && listType !== "map") {
    const place = at(path, "x-kubernetes-list-type");
    const detail = "must be map if x-kubernetes-list-map-keys is non-empty";
    faults.push(listType === undefined ? fieldRequired(place, detail) : fieldInvalid(place, listType, detail));
  }
  if (listType === "map") checkMapItems(source, keys, path, faults);
  checkKeysAreThere(source, keys, path, faults);
}

function checkKindOf(
  source: JsonObject,
  path: string,
  key: string,
  wanted: string,
  words: readonly string[],
  faults: FieldError[],
): void {
  const word = keyword(source, key);
  if (word === undefined) return;
  const type = textOf(source, "type");
  const detail = `must be ${wanted} if ${key} is specified`;
  if (type === "") faults.push(fieldRequired(at(path, "type"), detail));
  else if (type !== wanted) faults.push(fieldInvalid(at(path, "type"), type, detail));
  if (!words.includes(word as string)) faults.push(fieldNotSupported(at(path, key), word, words));
}

/** A set's items are compared as wholes. */
function checkSetItems(source: JsonObject, path: string, faults: FieldError[]): void {
  const items = schemaOf(source, "items");
  if (source["x-kubernetes-list-type"] !== "set" || textOf(source, "type") !== "array" || items === undefined) return;
  const detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
  const listType = keyword(items, "x-kubernetes-list-type");
  if (textOf(items, "type") === "array" && listType !== undefined && listType !== "atomic")
    faults.push(fieldInvalid(at(path, "items.x-kubernetes-list-type"), listType, detail));
  if (textOf(items, "type") === "object" && items["x-kubernetes-map-type"] !== "atomic")
    faults.push(fieldInvalid(at(path, "items.x-kubernetes-map-type"), listType, detail));
}

function checkMapItems(source: JsonObject, keys: readonly string[], path: string, faults: FieldError[]): void {
  const keysPlace = at(path, "x-kubernetes-list-map-keys");
  if (keys.length === 0) faults.push(fieldRequired(keysPlace, "must not be empty if x-kubernetes-list-type is map"));
  const items = schemaOf(source, "items");
  if (items === undefined) {
    if (keyword(source, "items") === undefined)
      faults.push(fieldRequired(at(path, "items"), "must have a schema if x-kubernetes-list-type is map"));
    return;
  }
  const type = textOf(items, "type");
  if (type !== "object") {
    faults.push(
      fieldInvalid(at(path, "items.type"), type, "must be object if parent array's x-kubernetes-list-type is map"),
    );
    return;
  }
  const properties = schemaOf(items, "properties");
  const seen = new Set<string>();
  for (const key of keys) {
    const property = properties === undefined ? undefined : schemaOf(properties, key);
    if (property === undefined)
      faults.push(fieldInvalid(keysPlace, keys, "entries must all be names of item properties"));
    else if (["array", "object"].includes(textOf(property, "type"))) {
      faults.push(
        fieldInvalid(
          at(atKey(path, "items.properties", key), "type"),
          type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    }
    if (seen.has(key)) faults.push(fieldInvalid(keysPlace, keys, "must not contain duplicate entries"));
    seen.add(key);
  }
}

/** The keys of a map's items can't be missing. */
function checkKeysAreThere(source: JsonObject, keys: readonly string[], path: string, faults: FieldError[]): void {
  const listType = source["x-kubernetes-list-type"];
  const items = schemaOf(source, "items");
  if (items === undefined || (listType !== "set" && listType !== "map")) return;
  if (isSet(items, "nullable"))
    faults.push(
      fieldForbidden(at(path, "items.nullable"), `cannot be nullable when x-kubernetes-list-type is ${listType}`),
    );
  if (listType !== "map") return;
  const properties = schemaOf(items, "properties");
  const required = textsOf(items, "required");
  for (const key of keys) {
    const property = properties === undefined ? undefined : schemaOf(properties, key);
    if (property === undefined) continue;
    const place = atKey(path, "items.properties", key);
    if (!required.includes(key) && keyword(property, "default") === undefined) {
      faults.push(
        fieldRequired(
          at(place, "default"),
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
      );
    }
    if (isSet(property, "nullable")) {
      faults.push(
        fieldForbidden(
          at(place, "nullable"),
          "this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
        ),
      );
    }
  }
}
