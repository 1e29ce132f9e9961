/**
 * JSON values as Kubernetes has them, and what is done with them whatever their text was: compared
 * and copied, without recursion.
 *
 * A 64-bit integer outside the safe range is a bigint, `__proto__` is an ordinary key, `undefined`
 * stands in no value. The door is json.ts.
 */
import { finish, type Steps, stepsFrom } from "./steps.ts";

/** A JSON value. An integer outside the safe range is a bigint, every other number a number. */
export type JsonValue = null | boolean | number | bigint | string | JsonArray | JsonObject;
/** A JSON array. */
export type JsonArray = JsonValue[];
/** A JSON object. One whose keys a user chose has no prototype: see newJsonObject. */
export interface JsonObject {
  [key: string]: JsonValue;
}

// A constructor whose prototype has no prototype: V8 keeps such objects in fast shapes, which it
// does not for Object.create(null).
const Bare = function Bare() {} as unknown as new () => JsonObject;
(Bare as { prototype: object }).prototype = Object.create(null);

/** Makes an object in which every key, `__proto__` too, is an ordinary one. */
export function newJsonObject(): JsonObject {
  return new Bare();
}

/** Tells an object from the other values. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two values are the same: numbers by value, objects whatever the order of their keys. */
export function jsonEqual(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  const isContainer = typeof a === "object" && a !== null && typeof b === "object" && b !== null;
  return isContainer ? finish(jsonEqualSteps(a, b)) : isSameScalar(a, b);
}

/** Two lists of one length, or two objects with as many fields. */
interface Pair {
  readonly first: JsonArray | JsonObject;
  readonly second: JsonArray | JsonObject;
  /** The first's fields; undefined: lists. */
  readonly keys: readonly string[] | undefined;
  readonly size: number;
  next: number;
}

/** Does jsonEqual's work step by step; a unit is a pair of values. */
export function jsonEqualSteps(a: JsonValue | undefined, b: JsonValue | undefined): Steps<boolean> {
  const stack: Pair[] = [];
  let isEqual = compare(a, b);

  /** Compares two values as far as that is done at once; what is in containers comes later. */
  function compare(first: JsonValue | undefined, second: JsonValue | undefined): boolean {
    if (typeof first !== "object" || typeof second !== "object" || first === null || second === null)
      return isSameScalar(first, second);
    if (first === second) return true;
    if (Array.isArray(first) !== Array.isArray(second)) return false;
    const keys = Array.isArray(first) ? undefined : Object.keys(first);
    const size = keys?.length ?? (first as JsonArray).length;
    const other = Array.isArray(second) ? second.length : Object.keys(second).length;
    if (size !== other) return false;
    stack.push({ first, second, keys, size, next: 0 });
    return true;
  }

  function compareNext({ first, second, keys, next }: Pair): boolean {
    if (keys === undefined) return compare((first as JsonArray)[next], (second as JsonArray)[next]);
    const key = keys[next] as string;
    const other = (second as JsonObject)[key];
    return other !== undefined && compare((first as JsonObject)[key], other);
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const pair = stack.at(-1);
        if (pair === undefined || !isEqual) return true;
        if (pair.next === pair.size) stack.pop();
        else {
          isEqual = compareNext(pair);
          pair.next++;
        }
      }
      return stack.length === 0 || !isEqual;
    },
    result: () => isEqual,
  };
}

/** The same integer may stand as a number on one side and as a bigint on the other. */
function isSameScalar(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
  if (left === right) return true;
  if (typeof left === "bigint" && typeof right === "number") return left >= right && left <= right;
  if (typeof left === "number" && typeof right === "bigint") return left >= right && left <= right;
  return false;
}

/** Gives a copy that shares nothing. */
export function cloneJson<T extends JsonValue>(value: T): T {
  return typeof value !== "object" || value === null ? value : finish(stepsFrom(cloningJson(value)));
}

/** Values that are copied as one unit of work: one list may hold all there is. */
const valuesOfAUnit = 8;

/** Copies step by step; a unit is an array or object, or a part of a long one. */
export function* cloningJson<T extends JsonValue>(value: T): Generator<undefined, T> {
  if (typeof value !== "object" || value === null) return value;
  const root = emptyLike(value);
  const stack: [JsonObject | JsonArray, JsonObject | JsonArray][] = [[value as JsonObject, root]];
  const copy = (child: JsonValue): JsonValue => {
    if (typeof child !== "object" || child === null) return child;
    const empty = emptyLike(child);
    stack.push([child, empty]);
    return empty;
  };
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const [from, to] = pair;
    let copied = 0;
    if (Array.isArray(from)) {
      for (const child of from) {
        (to as JsonArray).push(copy(child));
        if (++copied % valuesOfAUnit === 0) yield;
      }
    } else {
      for (const key of Object.keys(from)) {
        (to as JsonObject)[key] = copy(from[key] as JsonValue);
        if (++copied % valuesOfAUnit === 0) yield;
      }
    }
    yield;
  }
  return root as T;
}

function emptyLike(value: JsonValue): JsonObject | JsonArray {
  return Array.isArray(value) ? [] : newJsonObject();
}
