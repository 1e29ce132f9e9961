/**
 * One step of a path into an object, as fieldsV1 writes it.
 *
 *   f:replicas            the field of a map          .replicas
 *   k:{"name":"http"}     an item of a list, by keys  [name="http"]
 *   v:"blue"              an item of a set            [="blue"]
 *   i:3                   an item by its index        [3]
 *
 * The text is the element: two are the same if their texts are. That holds as long as numbers and
 * keys are written in one way only, which is why whatever comes from a client goes through
 * `readElement` first. Source: structured-merge-diff fieldpath/{element,serialize-pe}.go.
 */
import { formatGoFloat, goQuote } from "../apimachinery/go-text.ts";
import {
  encodeJson,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
  sortedKeys,
} from "../apimachinery/json.ts";

/** Gives the element of a field. */
export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** Gives the element of an item that its keys tell apart. */
export function keyElement(keys: JsonObject): string {
  return `k:${encodeJson(keys)}`;
}

/** Gives the element of an item of a set. */
export function valueElement(value: JsonValue): string {
  return `v:${encodeJson(value)}`;
}

/**
 * Gives an element as we write it, undefined for one of a kind that we don't know.
 * @throws Error if it can't be read.
 */
export function readElement(text: string): string | undefined {
  if (text.length < 2) throw new Error("key must be 2 characters long:");
  if (text[1] !== ":") throw new Error(`missing colon: ${text}`);
  const rest = text.slice(2);
  switch (text[0]) {
    case "f":
      return text;
    case "v":
      return valueElement(asFloats(parseJson(rest)));
    case "k": {
      const keys = parseJson(rest);
      if (!isJsonObject(keys)) throw new Error(`no object: ${text}`);
      return keyElement(asFloats(keys));
    }
    case "i":
      if (!/^[+-]?[0-9]+$/.test(rest)) throw new Error(`strconv.Atoi: parsing ${goQuote(rest)}: invalid syntax`);
      return `i:${BigInt(rest.replace(/^\+/, ""))}`;
    default:
      return undefined;
  }
}

/** Numbers in elements are floats to Kubernetes: integers above 2^53 lose their last digits. */
function asFloats<T extends JsonValue>(value: T): T {
  if (typeof value === "bigint") return Number(value) as T;
  if (Array.isArray(value)) return value.map(asFloats) as T;
  if (!isJsonObject(value)) return value;
  for (const key of Object.keys(value)) (value as JsonObject)[key] = asFloats((value as JsonObject)[key] as JsonValue);
  return value;
}

/** Gives an element as messages show it: `.replicas`, `[name="http",port=80]`, `[="blue"]`, `[3]`. */
export function formatElement(text: string): string {
  const rest = text.slice(2);
  switch (text[0]) {
    case "f":
      return `.${rest}`;
    case "k": {
      const keys = parseJson(rest) as JsonObject;
      return `[${sortedKeys(keys)
        .map((key) => `${key}=${formatValue(keys[key] as JsonValue)}`)
        .join(",")}]`;
    }
    case "v":
      return `[=${formatValue(parseJson(rest))}]`;
    default:
      return `[${rest}]`;
  }
}

/** Gives a path as messages show it. */
export function formatPath(path: readonly string[]): string {
  return path.map(formatElement).join("");
}

function formatValue(value: JsonValue): string {
  if (typeof value === "string") return goQuote(value);
  if (typeof value === "number" || typeof value === "bigint") return formatGoFloat(Number(value));
  if (Array.isArray(value)) return `[${value.map(formatValue).join(",")}]`;
  if (isJsonObject(value)) {
    return sortedKeys(value)
      .map((key) => `${key}=${formatValue(value[key] as JsonValue)}`)
      .join("");
  }
  return String(value);
}

const kindOrder = "fkvi";

/** Orders elements: fields, keys, values, indexes; fields by their bytes, the others by what they hold. */
export function compareElements(a: string, b: string): number {
  if (a === b) return 0;
  if (a[0] !== b[0]) return kindOrder.indexOf(a[0] as string) - kindOrder.indexOf(b[0] as string);
  switch (a[0]) {
    case "f":
      return compareText(a, b);
    case "k":
      return compareKeys(parseJson(a.slice(2)) as JsonObject, parseJson(b.slice(2)) as JsonObject);
    case "v":
      return compareValues(parseJson(a.slice(2)), parseJson(b.slice(2)));
    default:
      return Number(a.slice(2)) - Number(b.slice(2));
  }
}

function compareKeys(a: JsonObject, b: JsonObject): number {
  const [left, right] = [sortedKeys(a), sortedKeys(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [mine, theirs] = [left[index] as string, right[index] as string];
    const order = compareText(mine, theirs) || compareValues(a[mine] as JsonValue, b[theirs] as JsonValue);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Orders texts by their bytes. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  // Where there are surrogates, the order of UTF-16 is another one.
  if (surrogate.test(a) || surrogate.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}

const surrogate = /[\ud800-\udfff]/;

/** Orders scalars: numbers, strings, booleans, null. What else a client calls a key comes last. */
function compareValues(a: JsonValue, b: JsonValue): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  if (left !== right) return left - right;
  if (typeof a === "string") return compareText(a, b as string);
  if (left === 0 || left === 2) return Number(a) - Number(b);
  return compareText(encodeJson(a), encodeJson(b));
}

function rankOf(value: JsonValue): number {
  if (typeof value === "number" || typeof value === "bigint") return 0;
  if (typeof value === "string") return 1;
  if (typeof value === "boolean") return 2;
  if (Array.isArray(value)) return 3;
  return value === null ? 5 : 4;
}
