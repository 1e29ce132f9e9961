/**
 * The checks of a single value: type, text, format, enumeration.
 *
 * Source: kube-openapi pkg/validation/validate/{type,validator,values,formats}.go.
 */
import { encodeJson, isJsonObject, type JsonValue, jsonEqual } from "../apimachinery/json.ts";
import type { SchemaNode } from "./node.ts";
import { isJsonInteger } from "./number-rules.ts";
import type { Outcome } from "./outcome.ts";

/** Checks the type. A null passes where the node is nullable or says no type. */
export function checkType(node: SchemaNode, value: JsonValue, name: string, out: Outcome): void {
  const { types, format } = node;
  if (value === null) {
    if (types.length > 0 && !node.nullable) out.wrongType(name, types.join(","), "null");
    else out.matches++;
    return;
  }
  if (format === "" && (types.length === 0 || (types.length === 1 && isPlainly(types[0], value)))) {
    if (types.length > 0) out.matches += 2;
    return;
  }
  const [type, valueFormat] = typeOf(value);
  const isKnown =
    types.includes(type) ||
    (type === "number" && types.includes("integer") && isJsonInteger(value as number)) ||
    (type === "integer" && types.includes("number"));
  const isTextOrList = type === "string" || type === "array";
  if (!isTextOrList && format !== "" && !isKnown && valueFormat !== format) out.wrongType(name, format, valueFormat);
  // A format of text stands for a type that lists keep too.
  else if (isTextOrList && format !== "" && !types.includes("number") && !types.includes("integer")) out.matches++;
  else if (isKnown) out.matches++;
  else out.wrongType(name, types.join(","), type);
  out.matches++;
}

/** The common case: the one type, and no format that could say otherwise. */
function isPlainly(type: string | undefined, value: JsonValue): boolean {
  switch (type) {
    case "object":
      return isJsonObject(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isSafeInteger(value) || typeof value === "bigint";
    default:
      return typeof value === type;
  }
}

function typeOf(value: JsonValue): readonly [type: string, format: string] {
  if (Array.isArray(value)) return ["array", ""];
  switch (typeof value) {
    case "string":
      return ["string", ""];
    case "boolean":
      return ["boolean", ""];
    case "bigint":
      return ["integer", "int64"];
    case "number":
      return Number.isSafeInteger(value) ? ["integer", "int64"] : ["number", "float64"];
    default:
      return ["object", ""];
  }
}

/** Checks length, pattern and format of a text: of the first two only what fails first is told. */
export function checkText(node: SchemaNode, value: string, name: string, out: Outcome): void {
  checkLengthAndPattern(node, value, name, out);
  out.matches++;
  if (node.formatCheck === undefined) return;
  if (!node.formatCheck(value)) out.wrongType(name, node.format, value);
  out.matches++;
}

function checkLengthAndPattern(node: SchemaNode, value: string, name: string, out: Outcome): void {
  if (node.length !== undefined) {
    const { min, max } = node.length;
    // Code points are at most as many as code units: most strings need no count.
    if (max !== undefined && value.length > max && countRunes(value) > max) return out.tooLong(name, max);
    if (min !== undefined && countRunes(value) < min)
      return out.invalid(name, value, `should be at least ${min} chars long`);
  }
  if (node.pattern !== undefined && !node.pattern.test(value))
    out.invalid(name, value, `should match '${node.pattern.source}'`);
}

function countRunes(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xfc00) === 0xdc00) count--;
  return count;
}

/** Checks the enumeration. A null is never in one; a fraction is cut to compare it with an integer, as Go does. */
export function checkEnum(node: SchemaNode, value: JsonValue, name: string, out: Outcome): void {
  const allowed = node.enumeration;
  if (allowed === undefined) return;
  if (value !== null) {
    const whole = typeof value === "number" && !Number.isInteger(value) ? Math.trunc(value) : value;
    for (const one of allowed) if (one === whole || jsonEqual(one, value)) return;
  }
  out.notSupported(
    name,
    value,
    allowed.map((one) => (typeof one === "string" ? one : encodeJson(one))),
  );
}
