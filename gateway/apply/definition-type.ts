/**
 * The type of a resource's objects, from the OpenAPI v3 schema of its definition.
 *
 * Unlike in pruning, x-kubernetes-preserve-unknown-fields holds for everything below it.
 * Source: kube-openapi pkg/schemaconv/openapi.go; apiextensions-apiserver
 * pkg/controller/openapi/builder/builder.go (what is added to the root and to embedded resources).
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import {
  type ApplyType,
  deduced,
  fieldTypes,
  type ListType,
  type MapType,
  type ScalarType,
  scalarType,
  untypedAtomic,
} from "./apply-type.ts";
import { objectFields } from "./metadata-type.ts";

/** Gives the type of objects under a schema, which must be structural; without one, that of any object. */
export function typeOfDefinition(schema: JsonObject | undefined): ApplyType {
  return schema === undefined ? deduced : typeOfSchema({ ...schema, "x-kubernetes-embedded-resource": true }, false);
}

function typeOfSchema(schema: JsonObject, inherited: boolean): ApplyType {
  const preserve = inherited || schema["x-kubernetes-preserve-unknown-fields"] === true;
  switch (schema["type"]) {
    case "object":
      return { scalar: undefined, list: undefined, map: mapType(schema, preserve), isOpen: false };
    case "array":
      return { scalar: undefined, list: listTypeOf(schema, preserve), map: undefined, isOpen: false };
    case "integer":
    case "number":
      return scalarType("numeric");
    case "boolean":
      return scalarType("boolean");
    case "string":
      return scalarType(isPlainText(schema["format"]) ? "string" : "untyped");
    default: {
      const [list, map] = [listTypeOf(schema, preserve), mapType(schema, preserve)];
      return { scalar: "untyped" as ScalarType, list, map, isOpen: isOpen(list, map) };
    }
  }
}

/** A format makes a string any scalar, but for the one that stands for bytes. */
function isPlainText(format: JsonValue | undefined): boolean {
  return format === undefined || format === null || format === "" || format === "byte";
}

function isOpen(list: ListType, map: MapType): boolean {
  return list.isAtomic && list.items.isOpen && map.fields.size === 0 && map.further?.isOpen === true;
}

function listTypeOf(schema: JsonObject, preserve: boolean): ListType {
  const items = schema["items"];
  const itemType = isJsonObject(items) ? typeOfSchema(items, preserve) : untypedAtomic;
  const kind = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"];
  const names = kind === "map" && Array.isArray(keys) ? keys.filter((key) => typeof key === "string") : [];
  const keyDefaults = new Map<string, JsonValue>();
  for (const name of names) {
    const value = defaultOf(items, name);
    if (value !== undefined && value !== null) keyDefaults.set(name, value);
  }
  return { isAtomic: kind !== "map" && kind !== "set", keys: names, keyDefaults, items: itemType };
}

function defaultOf(items: JsonValue | undefined, key: string): JsonValue | undefined {
  const properties = isJsonObject(items) ? items["properties"] : undefined;
  const property = isJsonObject(properties) ? properties[key] : undefined;
  return isJsonObject(property) ? property["default"] : undefined;
}

function mapType(schema: JsonObject, preserve: boolean): MapType {
  const properties = isJsonObject(schema["properties"]) ? schema["properties"] : {};
  const declared = Object.keys(properties).map(
    (name) => [name, typeOfSchema(properties[name] as JsonObject, preserve)] as const,
  );
  // Metadata is what Kubernetes says, whatever the schema does.
  const isEmbedded = schema["x-kubernetes-embedded-resource"] === true;
  const fields = fieldTypes(isEmbedded ? [...declared, ...Object.entries(objectFields)] : declared);
  const further = furtherType(schema, fields.size === 0, preserve);
  return {
    isAtomic: schema["x-kubernetes-map-type"] === "atomic",
    fields,
    further,
    isDeduced: fields.size === 0 && further?.scalar === "untyped",
  };
}

function furtherType(schema: JsonObject, declaresNothing: boolean, preserve: boolean): ApplyType | undefined {
  const additional = schema["additionalProperties"];
  if (isJsonObject(additional)) return typeOfSchema(additional, preserve);
  if (additional === true) return deduced;
  if (additional === false) return undefined;
  return preserve || declaresNothing ? deduced : undefined;
}
