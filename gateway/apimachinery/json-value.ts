/**
 * JSON values as Kubernetes has them, and what is done with them whatever their text was: compared
 * and copied, without recursion.
 *
 * A 64-bit integer outside the safe range is a bigint, `__proto__` is an ordinary key, `undefined`
 * stands in no value. The door is json.ts.
 */
import { finish, stepsFrom } from "./steps.ts";

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
  const stack: (JsonValue | undefined)[] = [a, b];
  while (stack.length > 0) {
    const right = stack.pop();
    const left = stack.pop();
    if (left === right) continue;
    if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
      if (isSameInteger(left, right)) continue;
      return false;
    }
    if (Array.isArray(left)) {
      if (!Array.isArray(right) || left.length !== right.length) return false;
      for (let index = 0; index < left.length; index++) stack.push(left[index], right[index]);
      continue;
    }
    if (Array.isArray(right)) return false;
    const keys = Object.keys(left);
    if (keys.length !== Object.keys(right).length) return false;
    for (const key of keys) {
      const other = right[key];
      if (other === undefined) return false;
      stack.push(left[key], other);
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

/** Copies step by step; a unit is one array or object. */
export function* cloningJson<T extends JsonValue>(value: T): Generator<undefined, T> {
  if (typeof value !== "object" || value === null) return value;
  const root = emptyLike(value);
  const stack: [JsonObject | JsonArray, JsonObject | JsonArray][] = [[value as JsonObject, root]];
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const [from, to] = pair;
    const copy = (child: JsonValue): JsonValue => {
      if (typeof child !== "object" || child === null) return child;
      const empty = emptyLike(child);
      stack.push([child, empty]);
      return empty;
    };
    if (Array.isArray(from)) for (const child of from) (to as JsonArray).push(copy(child));
    else for (const key of Object.keys(from)) (to as JsonObject)[key] = copy(from[key] as JsonValue);
    yield;
  }
  return root as T;
}

function emptyLike(value: JsonValue): JsonObject | JsonArray {
  return Array.isArray(value) ? [] : newJsonObject();
}
