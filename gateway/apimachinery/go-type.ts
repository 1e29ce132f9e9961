/**
 * JSON values as Go's messages name and print them.
 *
 * Source: Go encoding/json UnmarshalTypeError; Go fmt (`%T`, `%v`).
 */
import { formatGoFloat } from "./go-text.ts";
import { isJsonObject, type JsonValue } from "./json.ts";

/** Gives the Go type of a decoded value: `map[string]interface {}`, `int64`. */
export function goTypeOf(value: JsonValue): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  if (typeof value === "object") return "map[string]interface {}";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return isGoInteger(value) ? "int64" : "float64";
}

/** Prints a decoded value: `map[a:1 b:[x y]]`. */
export function goValueText(value: JsonValue): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goValueText).join(" ")}]`;
  if (!isJsonObject(value))
    return typeof value === "number" && !isGoInteger(value) ? formatGoFloat(value) : String(value);
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${goValueText(value[key] ?? null)}`).join(" ")}]`;
}

function isGoInteger(value: number | bigint): boolean {
  return typeof value === "bigint" || Number.isInteger(value);
}

/** Gives `object`, `array`, `string`, `number`, `bool` or `null`. */
export function goTypeWord(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "number";
    default:
      return typeof value;
  }
}
