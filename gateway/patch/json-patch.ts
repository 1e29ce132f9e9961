/**
 * JSON patch, RFC 6902, as kube-apiserver applies it: negative indices count from the end, a replace
 * of a missing key adds it, and what copies may add is bounded.
 *
 * Source: gopkg.in/evanphx/json-patch.v4; apiserver pkg/endpoints/handlers/patch.go.
 */
import {
  cloneJson,
  encodeJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonEqual,
} from "../apimachinery/json.ts";
import { badRequest, requestEntityTooLarge, StatusError } from "../apimachinery/status.ts";

/** One operation. `value` is undefined if the patch gave none. */
export interface JsonPatchOperation {
  readonly op: string;
  readonly path: string | undefined;
  readonly from: string | undefined;
  readonly value: JsonValue | undefined;
}

/** kube-apiserver's bounds: on the number of operations, and on the bytes that copies may add. */
const maxOperations = 10_000;
const maxCopiedBytes = 3 * 1024 * 1024;

/**
 * Reads a patch.
 * @throws StatusError 400 if it is no list of objects, 413 if it is too long.
 */
export function parseJsonPatch(value: JsonValue): readonly JsonPatchOperation[] {
  if (value === null) return [];
  if (!Array.isArray(value)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${goType(value)} into Go value of type jsonpatch.Patch`,
    );
  }
  if (value.length > maxOperations) {
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${value.length}`,
    );
  }
  return value.map((item) => {
    if (item !== null && !isJsonObject(item)) {
      throw badRequest(
        `error decoding patch: json: cannot unmarshal ${goType(item)} into Go value of type jsonpatch.Operation`,
      );
    }
    const text = (field: string) => (typeof item?.[field] === "string" ? item[field] : undefined);
    return { op: text("op") ?? "unknown", path: text("path"), from: text("from"), value: item?.["value"] };
  });
}

/**
 * Gives the patched document.
 * @throws StatusError 422 if an operation can't be applied or a test fails; it doesn't say which, as kube-apiserver.
 */
export function applyJsonPatch(document: JsonValue, operations: readonly JsonPatchOperation[]): JsonValue {
  const holder = { root: cloneJson(document) };
  let copiedBytes = 0;
  for (const operation of operations) {
    switch (operation.op) {
      case "add":
        insert(containerOf(holder.root, operation.path), givenValue(operation));
        break;
      case "remove":
        remove(containerOf(holder.root, operation.path));
        break;
      case "replace":
        if (operation.path === "") holder.root = wholeOf(operation);
        else replace(containerOf(holder.root, operation.path), givenValue(operation));
        break;
      case "move": {
        const from = containerOf(holder.root, operation.from);
        const moved = existing(from);
        remove(from);
        insert(containerOf(holder.root, operation.path), moved);
        break;
      }
      case "copy": {
        const copied = cloneJson(existing(containerOf(holder.root, operation.from)));
        copiedBytes += Buffer.byteLength(encodeJson(copied));
        if (copiedBytes > maxCopiedBytes) throw rejected();
        insert(containerOf(holder.root, operation.path), copied);
        break;
      }
      case "test":
        if (
          !jsonEqual(
            operation.path === "" ? holder.root : found(containerOf(holder.root, operation.path)),
            operation.value ?? null,
          )
        ) {
          throw rejected();
        }
        break;
      default:
        throw rejected();
    }
  }
  return holder.root;
}

interface Place {
  readonly container: JsonObject | JsonValue[];
  readonly key: string;
}

function containerOf(root: JsonValue, path: string | undefined): Place {
  const parts = path?.split("/") ?? [];
  if (parts.length < 2) throw rejected();
  let container: JsonValue = root;
  for (const part of parts.slice(1, -1)) {
    const next = childOf(container, decodeKey(part));
    if (next === undefined || next === null || typeof next !== "object") throw rejected();
    container = next;
  }
  if (typeof container !== "object" || container === null) throw rejected();
  return { container, key: decodeKey(parts[parts.length - 1] as string) };
}

function childOf(container: JsonValue, key: string): JsonValue | undefined {
  if (Array.isArray(container)) return container[indexOf(key, container.length, container.length - 1)];
  return isJsonObject(container) ? container[key] : undefined;
}

/** The value at a place; null where an object has no such key, as Go's map gives. */
function found({ container, key }: Place): JsonValue {
  return childOf(container, key) ?? null;
}

function existing(place: Place): JsonValue {
  const value = childOf(place.container, place.key);
  if (value === undefined) throw rejected();
  return value;
}

function insert({ container, key }: Place, value: JsonValue): void {
  if (!Array.isArray(container)) container[key] = value;
  else if (key === "-") container.push(value);
  else container.splice(indexOf(key, container.length + 1, container.length), 0, value);
}

function replace({ container, key }: Place, value: JsonValue): void {
  if (Array.isArray(container)) container[indexOf(key, container.length, container.length - 1)] = value;
  else container[key] = value;
}

function remove({ container, key }: Place): void {
  if (Array.isArray(container)) container.splice(indexOf(key, container.length, container.length - 1), 1);
  else if (container[key] === undefined) throw rejected();
  else delete container[key];
}

/** Reads an index; a negative one counts back from `count`. */
function indexOf(key: string, count: number, last: number): number {
  if (!/^[+-]?[0-9]+$/.test(key)) throw rejected();
  const number = Number(key);
  const index = number < 0 ? number + count : number;
  if (index < 0 || index > last) throw rejected();
  return index;
}

function givenValue(operation: JsonPatchOperation): JsonValue {
  return cloneJson(operation.value ?? null);
}

function wholeOf(operation: JsonPatchOperation): JsonValue {
  const value = givenValue(operation);
  if (typeof value !== "object" || value === null) throw rejected();
  return value;
}

function decodeKey(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function rejected(): StatusError {
  return new StatusError({
    code: 422,
    reason: "Invalid",
    message: "the server rejected our request due to an error in our request",
    details: {},
  });
}

function goType(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return typeof value === "object" ? "object" : "number";
}
