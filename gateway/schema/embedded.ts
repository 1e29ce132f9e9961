/**
 * Objects inside an object: where the schema says `x-kubernetes-embedded-resource`, apiVersion, kind
 * and metadata are shaped and checked as a resource's own.
 *
 * Recursion is as deep as the schema. Source: apiextensions-apiserver
 * pkg/apiserver/schema/objectmeta/{algorithm,coerce,validation}.go.
 */
import { type FieldError, fieldInvalid, fieldRequired, formatFieldError } from "../apimachinery/field-error.ts";
import { parseGroupVersion } from "../apimachinery/gvk.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { dns1035LabelErrors } from "../apimachinery/names.ts";
import { cannotBeHandled, MetadataTypeError, readMetadata } from "./metadata.ts";
import { childPath, nodeOfKey, type Schema, type SchemaNode } from "./node.ts";
import { sortedByBytes } from "./prune.ts";

/**
 * Checks the metadata of an embedded resource by the rules of any object's. The name may be missing,
 * and is a path segment; with a namespace the object counts as namespaced. `path` is metadata's own.
 */
export type EmbeddedMetadataCheck = (metadata: JsonObject, path: string) => readonly FieldError[];

/**
 * Brings embedded resources into shape, in place. Gives the paths of unknown metadata fields, sorted.
 *
 * @param dropMalformed true: drop what is ill-typed, for reads. False: throw, for writes.
 * @throws StatusError 400 for what is ill-typed, unless that is dropped.
 */
export function coerceEmbedded(schema: Schema, object: JsonObject, dropMalformed: boolean): readonly string[] {
  const unknown: string[] = [];
  if (!schema.root.hasEmbedded) return unknown;
  eachEmbedded(schema.root, object, "", (value, path) => {
    for (const key of ["apiVersion", "kind"]) {
      const word = value[key];
      if (word === undefined || typeof word === "string") continue;
      if (!dropMalformed) throw refusal(object, fieldInvalid(childPath(path, key), word, "must be a string"));
      delete value[key];
    }
    const metadata = value["metadata"];
    if (metadata === undefined) return;
    const place = childPath(path, "metadata");
    try {
      const read = readMetadata(metadata, dropMalformed);
      value["metadata"] = read.metadata;
      for (const field of read.unknown) unknown.push(`${place}.${field}`);
    } catch (error) {
      if (!(error instanceof MetadataTypeError)) throw error;
      // What isn't even an object is left for validation to name.
      if (!dropMalformed) throw refusal(object, fieldInvalid(place, metadata, error.message));
    }
  });
  return sortedByBytes(unknown);
}

function refusal(object: JsonObject, fault: FieldError): Error {
  const apiVersion = String(object["apiVersion"] ?? "");
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  return cannotBeHandled(String(object["kind"] ?? ""), version, formatFieldError(fault));
}

/** Adds what is wrong with the embedded resources in a value. */
export function validateEmbedded(
  root: SchemaNode,
  whole: JsonValue,
  place: string,
  faults: FieldError[],
  checkMetadata?: EmbeddedMetadataCheck,
): void {
  eachEmbedded(root, whole, place, (value, path) => {
    if (value["apiVersion"] === undefined) faults.push(fieldRequired(childPath(path, "apiVersion")));
    if (value["kind"] === undefined) faults.push(fieldRequired(childPath(path, "kind")));
    validateTypeMeta(value, path, faults);
    const metadata = value["metadata"];
    if (metadata === undefined) return;
    const metadataPath = childPath(path, "metadata");
    try {
      const read = readMetadata(metadata, false).metadata;
      if (checkMetadata !== undefined) faults.push(...checkMetadata(read, metadataPath));
    } catch (error) {
      if (!(error instanceof MetadataTypeError)) throw error;
      faults.push(fieldInvalid(metadataPath, metadata, error.message));
    }
  });
}

function validateTypeMeta(value: JsonObject, path: string, faults: FieldError[]): void {
  for (const key of ["apiVersion", "kind"] as const) {
    const word = value[key];
    if (word === undefined) continue;
    const place = childPath(path, key);
    const detail =
      typeof word !== "string"
        ? "must be a string"
        : word === ""
          ? "must not be empty"
          : key === "kind"
            ? kindFault(word)
            : groupVersionFault(word);
    if (detail !== "") faults.push(fieldInvalid(place, word, detail));
  }
}

function kindFault(kind: string): string {
  const errors = dns1035LabelErrors(kind.toLowerCase());
  return errors.length === 0 ? "" : `may have mixed case, but should otherwise match: ${errors.join(",")}`;
}

function groupVersionFault(apiVersion: string): string {
  try {
    parseGroupVersion(apiVersion);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

function eachEmbedded(
  node: SchemaNode,
  value: JsonValue,
  path: string,
  found: (value: JsonObject, path: string) => void,
): void {
  if (!node.hasEmbedded) return;
  if (Array.isArray(value)) {
    const { items } = node;
    if (items !== undefined)
      for (const [index, item] of value.entries()) eachEmbedded(items, item, `${path}[${index}]`, found);
    return;
  }
  if (!isJsonObject(value)) return;
  if (node.embedded) found(value, path);
  for (const key of Object.keys(value)) {
    const inner = nodeOfKey(node, key);
    if (inner === undefined) continue;
    const innerPath = node.properties.has(key) ? childPath(path, key) : `${path}[${key}]`;
    eachEmbedded(inner, value[key] as JsonValue, innerPath, found);
  }
}
