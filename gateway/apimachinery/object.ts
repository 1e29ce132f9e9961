/**
 * Reads of an object's metadata, and the label and field view that selectors see.
 *
 * An object is a JSON value whose shape nobody has vouched for: each accessor gives the empty value
 * for what is missing or ill-typed.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";

/** An object of the API: apiVersion, kind, metadata and whatever else its schema says. */
export type KubeObject = JsonObject;

/** Gives metadata, or undefined if it is no object. */
export function metadataOf(object: KubeObject): JsonObject | undefined {
  const metadata = object["metadata"];
  return isJsonObject(metadata) ? metadata : undefined;
}

/** Gives a string of metadata, `""` if it is missing or no string. */
export function metadataString(object: KubeObject, field: string): string {
  const value = metadataOf(object)?.[field];
  return typeof value === "string" ? value : "";
}

/** Gives metadata.name, `""` if there is none. */
export const nameOf = (object: KubeObject): string => metadataString(object, "name");
/** Gives metadata.namespace. */
export const namespaceOf = (object: KubeObject): string => metadataString(object, "namespace");
/** Gives metadata.uid. */
export const uidOf = (object: KubeObject): string => metadataString(object, "uid");

/** Gives the labels that are strings. */
export function labelsOf(object: KubeObject): Readonly<Record<string, string>> {
  return stringMap(metadataOf(object)?.["labels"]);
}

/** Gives the finalizers that are strings. */
export function finalizersOf(object: KubeObject): readonly string[] {
  const list = metadataOf(object)?.["finalizers"];
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}

/** Whether a deletion of the object has begun. */
export function isDeleting(object: KubeObject): boolean {
  const stamp = metadataOf(object)?.["deletionTimestamp"];
  return stamp !== undefined && stamp !== null;
}

function stringMap(value: JsonValue | undefined): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  if (!isJsonObject(value)) return out;
  for (const key of Object.keys(value)) {
    const entry = value[key];
    if (typeof entry === "string") out[key] = entry;
  }
  return out;
}

/**
 * An object as clients see it: its final JSON, with its resourceVersion, encoded as Go would and
 * without a newline. The bytes are parsed only when somebody asks for a field.
 */
export interface ObjectView {
  readonly json: Uint8Array;
  /** The parsed object; parsed on first use. Never changed by whoever reads it. */
  readonly value: KubeObject;
  /** As labelsOf(value), where they are known without parsing. */
  readonly labels?: Readonly<Record<string, string>>;
}
