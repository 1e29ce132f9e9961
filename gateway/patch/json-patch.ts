/**
 * JSON patch, RFC 6902, as kube-apiserver applies it.
 *
 * Its own ways: negative indices count from the end, a replace of a missing key adds it, a copy of a
 * missing key copies null, a test of a missing key passes against null, and what copies may add is
 * bounded. Not taken over: it compares texts, so that 1.0 is not 1 and "<" never equals itself.
 * Source: gopkg.in/evanphx/json-patch.v4 v4.13; apiserver pkg/endpoints/handlers/patch.go.
 */
import {
  cloneJson,
  cloningJson,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  jsonEqual,
} from "../apimachinery/json.ts";
import { StatusError } from "../apimachinery/status.ts";
import { finish, type Steps, stepsFrom } from "../apimachinery/steps.ts";
import type { JsonPatchOperation } from "./json-patch-operations.ts";
import { isNestedTooDeep, jsonSize } from "./measure.ts";

/** kube-apiserver's bound on the bytes that the copies of one patch may add. */
const maxCopiedBytes = 3 * 1024 * 1024;
/** Elements of a list that one unit of work moves. */
const elementsPerUnit = 500;

/**
 * Gives the patched document; the input stays as it is.
 * @throws StatusError 422 if an operation can't be applied or a test fails; it doesn't say which, as kube-apiserver.
 */
export function applyJsonPatch(document: JsonValue, operations: readonly JsonPatchOperation[]): JsonValue {
  return finish(jsonPatchSteps(document, operations));
}

/** Does applyJsonPatch's work step by step; a unit is an operation, or the moving of a few list elements. */
export function jsonPatchSteps(document: JsonValue, operations: readonly JsonPatchOperation[]): Steps<JsonValue> {
  return new JsonPatchRun(document, operations);
}

class JsonPatchRun implements Steps<JsonValue> {
  readonly #operations: readonly JsonPatchOperation[];
  readonly #copying: Steps<JsonValue>;
  #root: JsonValue = null;
  #isCopied = false;
  #next = 0;
  #copiedBytes = 0;
  /** Units that the last operation took beyond its own. */
  #extraUnits = 0;

  constructor(document: JsonValue, operations: readonly JsonPatchOperation[]) {
    this.#copying = stepsFrom(cloningJson(document));
    this.#operations = operations;
  }

  result(): JsonValue {
    return this.#root;
  }

  step(units: number): boolean {
    if (!this.#isCopied) {
      this.#isCopied = this.#copying.step(units);
      if (!this.#isCopied) return false;
      this.#root = this.#copying.result();
    }
    for (let left = units; left > 0; left -= 1 + this.#extraUnits) {
      const operation = this.#operations[this.#next++];
      if (operation === undefined) {
        if (isNestedTooDeep(this.#root)) throw rejected();
        return true;
      }
      this.#extraUnits = 0;
      this.#apply(operation);
    }
    return false;
  }

  #apply(operation: JsonPatchOperation): void {
    const { op, path } = operation;
    switch (op) {
      case "add":
        return this.#insert(this.#placeOf(path), givenValue(operation));
      case "remove":
        return this.#remove(this.#placeOf(path));
      case "replace":
        if (path === "") this.#root = wholeOf(operation);
        else replace(this.#placeOf(path), givenValue(operation));
        return;
      case "move": {
        const from = this.#placeOf(operation.from);
        const moved = valueAt(from);
        this.#remove(from);
        return this.#insert(this.#placeOf(path), moved);
      }
      case "copy":
        return this.#copy(valueAt(this.#placeOf(operation.from)), this.#placeOf(path));
      case "test": {
        const found = path === "" ? this.#root : valueAt(this.#placeOf(path));
        if (!jsonEqual(found, operation.value ?? null)) throw rejected();
        return;
      }
      default:
        throw rejected();
    }
  }

  #copy(value: JsonValue, to: Place): void {
    if (value !== null) this.#copiedBytes += jsonSize(value);
    if (this.#copiedBytes > maxCopiedBytes) throw rejected();
    this.#insert(to, cloneJson(value));
  }

  /** Finds the container of the last segment. As Go's, it doesn't ask what stands before the first slash. */
  #placeOf(path: string | undefined): Place {
    const parts = path?.split("/") ?? [];
    if (parts.length < 2) throw rejected();
    let container = this.#root;
    for (let index = 1; index < parts.length - 1; index++) {
      if (typeof container !== "object" || container === null) throw rejected();
      container = valueAt({ container, key: decodeKey(parts[index] as string) });
    }
    if (typeof container !== "object" || container === null) throw rejected();
    return { container, key: decodeKey(parts[parts.length - 1] as string) };
  }

  #insert({ container, key }: Place, value: JsonValue): void {
    if (!Array.isArray(container)) container[key] = value;
    else if (key === "-") container.push(value);
    else {
      container.splice(indexOf(key, container.length + 1), 0, value);
      this.#extraUnits += container.length / elementsPerUnit;
    }
  }

  #remove({ container, key }: Place): void {
    if (Array.isArray(container)) {
      container.splice(indexOf(key, container.length), 1);
      this.#extraUnits += container.length / elementsPerUnit;
    } else if (container[key] === undefined) throw rejected();
    else delete container[key];
  }
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

function givenValue(operation: JsonPatchOperation): JsonValue {
  return cloneJson(operation.value ?? null);
}

function wholeOf(operation: JsonPatchOperation): JsonValue {
  const value = givenValue(operation);
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
