/**
 * JSON patch, RFC 6902, as kube-apiserver applies it.
 *
 * Its own ways: negative indices count from the end, a replace of a missing key adds it, a copy of a
 * missing key copies null, a test of a missing key passes against null, and what copies may add is
 * bounded. Not taken over: it compares texts, so that 1.0 is not 1 and "<" never equals itself.
 * Source: gopkg.in/evanphx/json-patch.v4 v4.13; apiserver pkg/endpoints/handlers/patch.go.
 */
import {
  cloningJson,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  jsonEqualSteps,
} from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { finish, type Steps, stepsFrom } from "../apimachinery/steps.ts";
import type { JsonPatchOperation } from "./json-patch-operations.ts";
import { measuring, nestingTooDeep } from "./measure.ts";

/** kube-apiserver's bound on the bytes that the copies of one patch may add. */
const maxCopiedBytes = 3 * 1024 * 1024;
/** Elements of a list that one unit of work moves. */
const elementsPerUnit = 500;
/** Pairs of values that one unit of work compares. */
const pairsPerUnit = 8;

/**
 * Gives the patched document; the input stays as it is.
 * @throws StatusError 422 if an operation can't be applied or a test fails; it doesn't say which, as kube-apiserver.
 */
export function applyJsonPatch(document: JsonValue, operations: readonly JsonPatchOperation[]): JsonValue {
  return finish(jsonPatchSteps(document, operations));
}

/** Does applyJsonPatch's work step by step; a unit is a few values, or the moving of a few list elements. */
export function jsonPatchSteps(document: JsonValue, operations: readonly JsonPatchOperation[]): Steps<JsonValue> {
  return stepsFrom(patching(document, operations));
}

function* patching(document: JsonValue, operations: readonly JsonPatchOperation[]): Generator<undefined, JsonValue> {
  let root = yield* cloningJson(document);
  let copiedBytes = 0;
  for (const operation of operations) {
    const { op, path } = operation;
    yield;
    switch (op) {
      case "add":
        yield* inserting(placeOf(root, path), yield* givenValue(operation));
        break;
      case "remove":
        yield* removing(placeOf(root, path));
        break;
      case "replace":
        if (path === "") root = wholeOf(yield* givenValue(operation));
        else replace(placeOf(root, path), yield* givenValue(operation));
        break;
      case "move": {
        const from = placeOf(root, operation.from);
        const moved = valueAt(from);
        yield* removing(from);
        yield* inserting(placeOf(root, path), moved);
        break;
      }
      case "copy": {
        const value = valueAt(placeOf(root, operation.from));
        const to = placeOf(root, path);
        if (value !== null) copiedBytes += yield* measuring(value);
        if (copiedBytes > maxCopiedBytes) throw rejected();
        yield* inserting(to, yield* cloningJson(value));
        break;
      }
      case "test": {
        const found = path === "" ? root : valueAt(placeOf(root, path));
        const comparing = jsonEqualSteps(found, operation.value ?? null);
        while (!comparing.step(pairsPerUnit)) yield;
        if (!comparing.result()) throw rejected();
        break;
      }
      default:
        throw rejected();
    }
  }
  if (yield* nestingTooDeep(root)) throw rejected();
  return root;
}

/** Finds the container of the last segment. As Go's, it doesn't ask what stands before the first slash. */
function placeOf(root: JsonValue, path: string | undefined): Place {
  const parts = path?.split("/") ?? [];
  if (parts.length < 2) throw rejected();
  let container = root;
  for (let index = 1; index < parts.length - 1; index++) {
    if (typeof container !== "object" || container === null) throw rejected();
    container = valueAt({ container, key: decodeKey(parts[index] as string) });
  }
  if (typeof container !== "object" || container === null) throw rejected();
  return { container, key: decodeKey(parts[parts.length - 1] as string) };
}

function* inserting({ container, key }: Place, value: JsonValue): Generator<undefined, void> {
  if (!Array.isArray(container)) container[key] = value;
  else if (key === "-") container.push(value);
  else {
    container.splice(indexOf(key, container.length + 1), 0, value);
    yield* movedElements(container);
  }
}

function* removing({ container, key }: Place): Generator<undefined, void> {
  if (Array.isArray(container)) {
    container.splice(indexOf(key, container.length), 1);
    yield* movedElements(container);
  } else if (container[key] === undefined) throw rejected();
  else delete container[key];
}

/** Counts what a change inside a list cost. */
function* movedElements(list: JsonArray): Generator<undefined, void> {
  for (let moved = elementsPerUnit; moved <= list.length; moved += elementsPerUnit) yield;
}

interface Place {
  readonly container: JsonObject | JsonArray;
  readonly key: string;
}

/** The value at a place; null where an object has no such key, as Go's map gives. */
function valueAt({ container, key }: Place): JsonValue {
  const value = Array.isArray(container) ? container[indexOf(key, container.length)] : container[key];
  return value ?? null;
}

function replace({ container, key }: Place, value: JsonValue): void {
  if (Array.isArray(container)) container[indexOf(key, container.length)] = value;
  else container[key] = value;
}

/** Reads an index below `count`; a negative one counts back from it. */
function indexOf(key: string, count: number): number {
  if (!/^[+-]?[0-9]+$/.test(key)) throw rejected();
  const number = Number(key);
  const index = number < 0 ? number + count : number;
  if (index < 0 || index >= count) throw rejected();
  return index;
}

/** What an operation is given, as a copy: the patch may be applied again. */
function givenValue(operation: JsonPatchOperation): Generator<undefined, JsonValue> {
  return cloningJson(operation.value ?? null);
}

function wholeOf(value: JsonValue): JsonValue {
  if (!isJsonObject(value) && !Array.isArray(value)) throw rejected();
  return value;
}

function decodeKey(part: string): string {
  return part.includes("~") ? part.replaceAll(/~[01]/g, (escaped) => (escaped === "~1" ? "/" : "~")) : part;
}

function rejected(): StatusError {
  return new StatusError({
    code: 422,
    reason: "Invalid",
    message: "the server rejected our request due to an error in our request",
    details: {},
  });
}
