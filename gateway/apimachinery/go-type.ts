/** Names the kinds of JSON values as Go's decoding errors do. Source: Go encoding/json UnmarshalTypeError. */
import type { JsonValue } from "./json.ts";

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
