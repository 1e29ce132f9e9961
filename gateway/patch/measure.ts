/** How large and how deep a JSON value is, found without recursion. */
import { encodeJson, isJsonObject, type JsonValue } from "../apimachinery/json.ts";

/** A deeper document could not be read again: the limit of the parser, and of Go's. */
const maxDepth = 10_000;
/** Values that are looked at as one unit of work. */
const valuesPerUnit = 8;

/** Gives the bytes that the value takes when it is encoded, step by step; a unit is a few values. */
export function* measuring(root: JsonValue): Generator<undefined, number> {
  let looked = 0;
  let bytes = 0;
  const work: JsonValue[] = [root];
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    if (++looked % valuesPerUnit === 0) yield;
    if (typeof value !== "object" || value === null) {
      bytes += scalarSize(value);
      continue;
    }
    if (Array.isArray(value)) {
      bytes += Math.max(2, value.length + 1);
      for (const element of value) work.push(element);
      continue;
    }
    const keys = Object.keys(value);
    bytes += Math.max(2, 2 * keys.length + 1);
    for (const key of keys) {
      bytes += scalarSize(key);
      work.push(value[key] as JsonValue);
    }
  }
  return bytes;
}

function scalarSize(value: JsonValue): number {
  return Buffer.byteLength(encodeJson(value));
}

/** Tells whether containers stand in each other deeper than a parser goes; a unit is a few containers. */
export function* nestingTooDeep(root: JsonValue): Generator<undefined, boolean> {
  let looked = 0;
  const work: JsonValue[] = [];
  const depths: number[] = [];
  const push = (value: JsonValue, depth: number) => {
    if (typeof value !== "object" || value === null) return;
    work.push(value);
    depths.push(depth);
  };
  push(root, 1);
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    if (++looked % valuesPerUnit === 0) yield;
    const depth = depths.pop() as number;
    if (depth > maxDepth) return true;
    if (Array.isArray(value)) for (const element of value) push(element, depth + 1);
    else if (isJsonObject(value)) for (const key of Object.keys(value)) push(value[key] as JsonValue, depth + 1);
  }
  return false;
}
