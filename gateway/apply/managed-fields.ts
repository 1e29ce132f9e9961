/**
 * metadata.managedFields as owners, and back.
 *
 * What comes from the store was written here: its sets are taken as they are. What a client sends is
 * read with care. Source: apimachinery pkg/util/managedfields/internal/managedfields.go.
 */

import { goQuote } from "../apimachinery/go-text.ts";
import {
  encodeJson,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  newJsonObject,
} from "../apimachinery/json.ts";
import { type KubeObject, metadataOf } from "../apimachinery/object.ts";
import { parseTime } from "../apimachinery/time.ts";
import { ApplyError } from "./apply-error.ts";
import type { Owner, Owners } from "./ownership.ts";
import { compareText } from "./path-element.ts";
import { emptySet, type PathSet, readPathSet } from "./path-set.ts";

/** What tells an owner from the others: an applier is the same one in each version. */
export function ownerId(owner: Pick<Owner, "manager" | "operation" | "apiVersion" | "subresource">): string {
  const { manager, operation, apiVersion, subresource } = owner;
  let id = manager === "" ? "{" : `{"manager":${quoted(manager)},`;
  id += `"operation":"${operation}"`;
  if (operation === "Update" && apiVersion !== "") id += `,"apiVersion":${quoted(apiVersion)}`;
  if (subresource !== "") id += `,"subresource":${quoted(subresource)}`;
  return `${id}}`;
}

function quoted(text: string): string {
  return /^[\w./: -]*$/.test(text) ? `"${text}"` : encodeJson(text);
}

/** Gives the entries of an object, undefined if it has no list of them. */
export function entriesOf(object: KubeObject): readonly JsonValue[] | undefined {
  const list = metadataOf(object)?.["managedFields"];
  return Array.isArray(list) && list.every(isJsonObject) ? list : undefined;
}

/** Whether an object says who manages it. What can't be read as entries says nothing. */
export function namesManagers(object: KubeObject): boolean {
  const list = metadataOf(object)?.["managedFields"];
  return Array.isArray(list) && list.every((entry) => isJsonObject(entry) && isEntry(entry));
}

function isEntry(entry: JsonObject): boolean {
  const texts = ["manager", "operation", "apiVersion", "fieldsType", "subresource"].map((field) => entry[field] ?? "");
  const time = entry["time"] ?? undefined;
  return (
    texts.every((text) => typeof text === "string") &&
    (time === undefined || (typeof time === "string" && parseTime(time) !== undefined))
  );
}

/**
 * Reads entries. Of two with the same identity the later one counts.
 * @param readSet how a set is read: as it is, or with care.
 * @throws ApplyError in Kubernetes' words if one can't be read.
 */
export function readOwners(
  entries: readonly JsonValue[] | undefined,
  readSet: (fields: JsonValue) => PathSet,
): Map<string, Owner> {
  const owners = new Map<string, Owner>();
  for (const [index, entry] of (entries ?? []).entries()) {
    const owner = readOwner(entry as JsonObject, index, readSet);
    owners.set(ownerId(owner), owner);
  }
  return owners;
}

/** Takes a set as it is: it comes from the store. */
export function trustedSet(fields: JsonValue): PathSet {
  return isJsonObject(fields) ? fields : emptySet;
}

/** Reads a set that a client sent. @throws ApplyError if it can't be read. */
export function sentSet(fields: JsonValue): PathSet {
  try {
    return readPathSet(fields);
  } catch (error) {
    throw new ApplyError(`error decoding set: ${(error as Error).message}`, { cause: error });
  }
}

function readOwner(entry: JsonObject, index: number, readSet: (fields: JsonValue) => PathSet): Owner {
  const { operation, time } = entry;
  if (operation !== "Apply" && operation !== "Update") throw new ApplyError("operation must be `Apply` or `Update`");
  const apiVersion = textOf(entry, "apiVersion");
  if (apiVersion === "") throw new ApplyError("apiVersion must not be empty");
  const fieldsType = textOf(entry, "fieldsType");
  if (fieldsType === "") throw new ApplyError(`missing fieldsType in managed fields entry ${index}`);
  if (fieldsType !== "FieldsV1") {
    throw new ApplyError(`invalid fieldsType ${goQuote(fieldsType)} in managed fields entry ${index}`);
  }
  return {
    manager: textOf(entry, "manager"),
    operation,
    apiVersion,
    subresource: textOf(entry, "subresource"),
    time: typeof time === "string" ? time : undefined,
    set: readSet(entry["fieldsV1"] ?? {}),
  };
}

function textOf(entry: JsonObject, field: string): string {
  const value = entry[field];
  return typeof value === "string" ? value : "";
}

/** Gives the entries of owners in Kubernetes' order; undefined for none. */
export function entriesFrom(owners: Owners): JsonArray | undefined {
  if (owners.size === 0) return undefined;
  return [...owners.values()].sort(compareOwners).map(entryFrom);
}

function entryFrom({ manager, operation, apiVersion, subresource, time, set }: Owner): JsonObject {
  const entry = newJsonObject();
  entry["apiVersion"] = apiVersion;
  entry["fieldsType"] = "FieldsV1";
  entry["fieldsV1"] = set;
  if (manager !== "") entry["manager"] = manager;
  entry["operation"] = operation;
  if (subresource !== "") entry["subresource"] = subresource;
  if (time !== undefined) entry["time"] = time;
  return entry;
}

function compareOwners(a: Owner, b: Owner): number {
  return (
    compareText(a.operation, b.operation) ||
    compareTimes(a, b) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

/** Orders owners by their last change: those of whom it isn't known first, as if it were 1970. */
export function compareTimes(a: Owner, b: Owner): number {
  const [left, right] = [a.time ?? epoch, b.time ?? epoch];
  return left === right ? 0 : left < right ? -1 : 1;
}

const epoch = "1970-01-01T00:00:00Z";

/** Gives the object with other entries, or none. Nothing but metadata is copied. */
export function withEntries(object: KubeObject, entries: JsonArray | undefined): KubeObject {
  const metadata = metadataOf(object);
  if (entries === undefined && metadata?.["managedFields"] === undefined) return object;
  const [next, nextMetadata] = [shallowCopy(object), shallowCopy(metadata ?? {})];
  if (entries === undefined) delete nextMetadata["managedFields"];
  else nextMetadata["managedFields"] = entries;
  next["metadata"] = nextMetadata;
  return next;
}

/** Gives a copy that shares its values. */
export function shallowCopy(object: JsonObject): JsonObject {
  const copy = newJsonObject();
  for (const key of Object.keys(object)) copy[key] = object[key] as JsonValue;
  return copy;
}
