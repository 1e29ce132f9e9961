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
  return compareSome([a, b], Number.POSITIVE_INFINITY) === true;
}

/** Does jsonEqual's work step by step; a unit is a pair of values. */
export function jsonEqualSteps(a: JsonValue | undefined, b: JsonValue | undefined): Steps<boolean> {
  const stack = [a, b];
  let outcome: boolean | undefined;
  return {
    step(units) {
      outcome ??= compareSome(stack, units);
      return outcome !== undefined;
    },
    result: () => outcome === true,
  };
}

/** Compares so many pairs from the top of a stack. Undefined: there are more, and all were the same so far. */
function compareSome(stack: (JsonValue | undefined)[], pairs: number): boolean | undefined {
  for (let left = pairs; stack.length > 0; left--) {
    if (left <= 0) return undefined;
    const second = stack.pop();
    const first = stack.pop();
    if (first === second) continue;
    if (typeof first !== "object" || typeof second !== "object" || first === null || second === null) {
      if (isSameInteger(first, second)) continue;
      return false;
    }
    if (Array.isArray(first)) {
      if (!Array.isArray(second) || first.length !== second.length) return false;
      for (let index = 0; index < first.length; index++) stack.push(first[index], second[index]);
      continue;
    }
    if (Array.isArray(second)) return false;
    const keys = Object.keys(first);
    if (keys.length !== Object.keys(second).length) return false;
    for (const key of keys) {
      const other = second[key];
      if (other === undefined) return false;
      stack.push(first[key], other);
    }
  }
  return true;
}

/** The same integer may stand as a number on one side and as a bigint on the other. */
function isSameInteger(left: JsonValue | undefined, right: JsonValue | undefined): boolean {
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
