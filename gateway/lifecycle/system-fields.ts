/**
 * Metadata as lifecycle reads and writes it: typed reads that never fail, and copies to write on.
 *
 * An ill-typed field reads as a missing one, as in Go's unstructured accessors.
 */
import { isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf, metadataString } from "../apimachinery/object.ts";
import { parseTime } from "../apimachinery/time.ts";

/**
 * Faults that are told of one field at most. kube-apiserver tells all, but a request of 3 MiB can hold
 * some 300,000, of which each takes a hundred times its own length to explain.
 */
export const maxFieldFaults = 100;

/** A copy of an object whose own fields and metadata's fields may be set; everything below is shared. */
export interface Draft {
  readonly object: KubeObject;
  readonly metadata: JsonObject;
}

/** Gives a draft of an object. The object itself stays as it is. */
export function draftOf(object: KubeObject): Draft {
  const copy = shallowCopy(object);
  const metadata = shallowCopy(metadataOf(object));
  copy["metadata"] = metadata;
  return { object: copy, metadata };
}

/** Sets a field; undefined and `""` remove it, as Go's setters do. */
export function setField(object: JsonObject, field: string, value: JsonValue | undefined): void {
  if (value === undefined || value === "") delete object[field];
  else object[field] = value;
}

/** Gives an integer of metadata, undefined if it is missing or no integer. */
export function metadataInteger(object: KubeObject, field: string): number | bigint | undefined {
  const value = metadataOf(object)?.[field];
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isInteger(value) ? value : undefined;
}

/** Gives the generation, 0 if there is none. */
export function generationOf(object: KubeObject): number | bigint {
  return metadataInteger(object, "generation") ?? 0;
}

/** Gives the next generation: it stays exact beyond 2^53. */
export function nextGeneration(generation: number | bigint): number | bigint {
  const next = BigInt(generation) + 1n;
  return next <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(next) : next;
}

/** Gives a time of metadata, undefined if it is missing or no time. */
export function metadataTime(object: KubeObject, field: string): Date | undefined {
  return parseTime(metadataString(object, field));
}

/** Gives the keys and values of a map of metadata whose values are strings, in the order in which they were sent. */
export function* metadataEntries(object: KubeObject, field: string): Generator<readonly [key: string, value: string]> {
  const map = metadataOf(object)?.[field];
  if (!isJsonObject(map)) return;
  for (const key of Object.keys(map)) {
    const value = map[key];
    if (typeof value === "string") yield [key, value];
  }
}

/** Gives the objects of a list of metadata. */
export function metadataObjects(object: KubeObject, field: string): readonly JsonObject[] {
  const list = metadataOf(object)?.[field];
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}

/** Gives a string of an object, `""` if it is missing or no string. */
export function stringOf(object: JsonObject, field: string): string {
  const value = object[field];
  return typeof value === "string" ? value : "";
}

function shallowCopy(object: JsonObject | undefined): JsonObject {
  const copy = newJsonObject();
  if (object === undefined) return copy;
  for (const key of Object.keys(object)) copy[key] = object[key] as JsonValue;
  return copy;
}
