/**
 * Values as Go prints them in errors: with `%v`, `%#v` and `%T`.
 *
 * All numbers are 64-bit floats there: the patch was read without a type. Source: Go fmt.
 */
import { formatGoFloat, goQuote } from "../apimachinery/go-text.ts";
import { isJsonObject, type JsonObject, type JsonValue, sortedKeys } from "../apimachinery/json.ts";

/** Gives `%v`: `map[a:1 b:[x y]]`, `<nil>`. */
export function goPlain(value: JsonValue): string {
  if (typeof value === "string") return value;
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goPlain).join(" ")}]`;
  if (isJsonObject(value)) return `map[${fieldsOf(value, (key, field) => `${key}:${goPlain(field)}`).join(" ")}]`;
  return goScalar(value);
}

/** Gives `%#v`: `map[string]interface {}{"a":1}`, `interface {}(nil)`. */
export function goSyntax(value: JsonValue): string {
  if (typeof value === "string") return goQuote(value);
  if (value === null) return "interface {}(nil)";
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  if (isJsonObject(value)) {
    return `map[string]interface {}{${fieldsOf(value, (key, field) => `${goQuote(key)}:${goSyntax(field)}`).join(", ")}}`;
  }
  return goScalar(value);
}

/** Gives `%T`. */
export function goType(value: JsonValue): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  if (isJsonObject(value)) return "map[string]interface {}";
  if (typeof value === "boolean") return "bool";
  return typeof value === "string" ? "string" : "float64";
}

function goScalar(value: boolean | number | bigint): string {
  return typeof value === "boolean" ? String(value) : formatGoFloat(Number(value));
}

function fieldsOf(object: JsonObject, format: (key: string, value: JsonValue) => string): string[] {
  return sortedKeys(object).map((key) => format(key, object[key] as JsonValue));
}
