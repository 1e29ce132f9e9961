/**
 * JSON text in the order of a Go struct: the types of meta.k8s.io list their fields in the order in
 * which they are declared, while what lies below them is sorted as everything else.
 *
 * Source: apimachinery pkg/apis/meta/v1/types.go.
 */
import { encodeJson, isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";

const metadataFields = [
  "name",
  "generateName",
  "namespace",
  "selfLink",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
  "managedFields",
] as const;
const ownerFields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"] as const;
const managedFields = ["manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"] as const;

/** Gives an object's metadata as PartialObjectMetadata, as JSON text. `version` is that of meta.k8s.io. */
export function partialJson(value: JsonObject, version: string): string {
  const metadata = isJsonObject(value["metadata"]) ? value["metadata"] : {};
  return `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${version}","metadata":${metadataJson(metadata)}}`;
}

/** A list's metadata in JSON text; what is empty is left out. */
export function listMetadataJson(metadata: {
  readonly resourceVersion: string;
  readonly continueToken: string;
  readonly remainingItemCount: bigint | undefined;
}): string {
  const { resourceVersion, continueToken, remainingItemCount } = metadata;
  const parts: string[] = [];
  if (resourceVersion !== "") parts.push(`"resourceVersion":${encodeJson(resourceVersion)}`);
  if (continueToken !== "") parts.push(`"continue":${encodeJson(continueToken)}`);
  if (remainingItemCount !== undefined) parts.push(`"remainingItemCount":${remainingItemCount}`);
  return `{${parts.join(",")}}`;
}

function metadataJson(metadata: JsonObject): string {
  return structJson(metadata, metadataFields, (field, value) => {
    if (isEmpty(value) && field !== "deletionGracePeriodSeconds") return undefined;
    if (field === "ownerReferences") return listJson(value, ownerFields);
    if (field === "managedFields") return listJson(value, managedFields);
    return encodeJson(value);
  });
}

function listJson(value: JsonValue, fields: readonly string[]): string {
  if (!Array.isArray(value)) return encodeJson(value);
  const items = value.map((item) =>
    isJsonObject(item) ? structJson(item, fields, (_, field) => encodeJson(field)) : encodeJson(item),
  );
  return `[${items.join(",")}]`;
}

function structJson(
  value: JsonObject,
  fields: readonly string[],
  write: (field: string, value: JsonValue) => string | undefined,
): string {
  const parts: string[] = [];
  for (const field of fields) {
    const found = value[field];
    const text = found === undefined || found === null ? undefined : write(field, found);
    if (text !== undefined) parts.push(`"${field}":${text}`);
  }
  return `{${parts.join(",")}}`;
}

function isEmpty(value: JsonValue): boolean {
  if (value === "" || value === 0) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.keys(value).length === 0;
}
