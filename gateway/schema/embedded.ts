/**
 * Objects inside an object: where the schema says `x-kubernetes-embedded-resource`, apiVersion, kind
 * and metadata are checked as a resource's own.
 *
 * Recursion is as deep as the schema. Source: apiextensions-apiserver
 * pkg/apiserver/schema/objectmeta/{algorithm,validation}.go.
 */
import { type FieldError, fieldInvalid, fieldRequired } from "../apimachinery/field-error.ts";
import { parseGroupVersion } from "../apimachinery/gvk.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { dns1035LabelErrors } from "../apimachinery/names.ts";
import { MetadataTypeError, readMetadata } from "./metadata.ts";
import type { Schema, SchemaNode } from "./node.ts";

/** Brings metadata of embedded resources into shape, in place. Gives the paths of unknown fields, sorted. */
export function coerceEmbedded(schema: Schema, object: JsonObject, dropMalformed: boolean): readonly string[] {
  const unknown: string[] = [];
  if (schema.root.hasListTypes) {
    eachEmbedded(schema.root, object, "", (value, path) => {
      const metadata = value["metadata"];
      if (metadata === undefined) return;
      try {
        const read = readMetadata(metadata, dropMalformed);
        value["metadata"] = read.metadata;
        for (const field of read.unknown) unknown.push(`${path}.metadata.${field}`);
      } catch (error) {
        // Validation names what is wrong with it.
        if (!(error instanceof MetadataTypeError)) throw error;
      }
    });
  }
  return unknown.sort();
}

/** Adds what is wrong with embedded resources. */
export function validateEmbedded(root: SchemaNode, object: JsonObject, faults: FieldError[]): void {
  eachEmbedded(root, object, "", (value, path) => {
    const apiVersion = value["apiVersion"];
    if (apiVersion === undefined) faults.push(fieldRequired(`${path}.apiVersion`));
    else if (typeof apiVersion !== "string")
      faults.push(fieldInvalid(`${path}.apiVersion`, apiVersion, "must be a string"));
    else if (apiVersion === "") faults.push(fieldInvalid(`${path}.apiVersion`, apiVersion, "must not be empty"));
    else {
      try {
        parseGroupVersion(apiVersion);
      } catch (error) {
        faults.push(fieldInvalid(`${path}.apiVersion`, apiVersion, (error as Error).message));
      }
    }
    const kind = value["kind"];
    if (kind === undefined) faults.push(fieldRequired(`${path}.kind`));
    else if (typeof kind !== "string") faults.push(fieldInvalid(`${path}.kind`, kind, "must be a string"));
    else if (kind === "") faults.push(fieldInvalid(`${path}.kind`, kind, "must not be empty"));
    else {
      const errors = dns1035LabelErrors(kind.toLowerCase());
      if (errors.length > 0) {
        faults.push(
          fieldInvalid(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${errors.join(",")}`),
        );
      }
    }
    const metadata = value["metadata"];
    if (metadata === undefined) return;
    try {
      readMetadata(metadata, false);
    } catch (error) {
      if (!(error instanceof MetadataTypeError)) throw error;
      faults.push(fieldInvalid(`${path}.metadata`, metadata, error.message));
    }
  });
}

function eachEmbedded(
  node: SchemaNode,
  value: JsonValue,
  path: string,
  found: (value: JsonObject, path: string) => void,
): void {
  if (!node.hasListTypes) return;
  if (Array.isArray(value)) {
    const { items } = node;
    if (items !== undefined)
      for (const [index, item] of value.entries()) eachEmbedded(items, item, `${path}[${index}]`, found);
    return;
  }
  if (!isJsonObject(value)) return;
  if (node.embedded) found(value, path);
  for (const key of Object.keys(value)) {
    const inner = node.properties.get(key) ?? (node.additional === true ? undefined : node.additional);
    if (inner !== undefined) eachEmbedded(inner, value[key] as JsonValue, path === "" ? key : `${path}.${key}`, found);
  }
}
