/**
 * The checks of a number: range of its type and format, bounds, multiples.
 *
 * Kubernetes reads a bound as a 64-bit float and, for a value that is an integer, cuts it to one; a
 * bound that its own type can't hold is told as a fault of each value. Both are kept.
 * Source: kube-openapi pkg/validation/validate/{validator,values}.go; go-openapi/swag convert.go.
 */
import { formatGoFloat } from "../apimachinery/go-text.ts";
import type { NumberRules, SchemaNode } from "./node.ts";
import type { Outcome } from "./outcome.ts";

const minInt32 = -(2 ** 31);
const maxInt32 = 2 ** 31 - 1;
const minInt64 = -(2n ** 63n);
const maxInt64 = 2n ** 63n - 1n;
/** How far from an integer a float may be, relative to its size, to be taken for one. */
const integerTolerance = 1e-9;

/** Checks a number. */
export function checkNumber(node: SchemaNode, value: number | bigint, name: string, out: Outcome): void {
  const type = node.types.length === 1 ? (node.types[0] as string) : "";
  const format = type === "integer" || type === "number" ? node.format : "";
  const fits = (what: string, number: number | bigint): boolean => {
    if (isInRange(type, format, number)) return true;
    out.general(
      `${what} value must be of type ${type} ${format === "" ? "(default format)" : `with format ${format}`} in ${name}`,
    );
    return false;
  };
  fits("Checked", value);
  if (node.number !== undefined) {
    checkMultiple(node.number, value, name, out, fits);
    checkMinimum(node.number, value, name, out, fits);
    checkMaximum(node.number, value, name, out, fits);
  }
  out.matches += 2;
}

type Fits = (what: string, number: number) => boolean;

function checkMultiple(
  { multipleOf }: NumberRules,
  value: number | bigint,
  name: string,
  out: Outcome,
  fits: Fits,
): void {
  if (multipleOf === undefined) return;
  const asInteger = fits("MultipleOf", multipleOf) && isInteger(value);
  const factor = asInteger ? Math.trunc(multipleOf) : multipleOf;
  if (factor <= 0) {
    const text = `factor MultipleOf declared for ${name} must be positive: ${formatGoFloat(factor)}`;
    out.invalidText(name, asInteger ? factor : multipleOf, text);
    return;
  }
  const isMultiple = asInteger ? BigInt(value) % BigInt(factor) === 0n : isFloatMultiple(Number(value), factor);
  if (!isMultiple) tell(name, value, asInteger, out, `should be a multiple of ${shownBound(factor, asInteger)}`);
}

function isFloatMultiple(value: number, factor: number): boolean {
  return isJsonInteger(factor < 1 ? (1 / factor) * value : value / factor);
}

function checkMinimum(rules: NumberRules, value: number | bigint, name: string, out: Outcome, fits: Fits): void {
  if (rules.minimum === undefined) return;
  const asInteger = fits("Minimum boundary", rules.minimum) && isInteger(value);
  const bound = asInteger ? int64(rules.minimum) : rules.minimum;
  if (rules.exclusiveMinimum ? value > bound : value >= bound) return;
  const text = rules.exclusiveMinimum ? "should be greater than" : "should be greater than or equal to";
  tell(name, value, asInteger, out, `${text} ${shownBound(bound, asInteger)}`);
}

function checkMaximum(rules: NumberRules, value: number | bigint, name: string, out: Outcome, fits: Fits): void {
  if (rules.maximum === undefined) return;
  const asInteger = fits("Maximum boundary", rules.maximum) && isInteger(value);
  const bound = asInteger ? int64(rules.maximum) : rules.maximum;
  if (rules.exclusiveMaximum ? value < bound : value <= bound) return;
  const text = rules.exclusiveMaximum ? "should be less than" : "should be less than or equal to";
  tell(name, value, asInteger, out, `${text} ${shownBound(bound, asInteger)}`);
}

function tell(name: string, value: number | bigint, asInteger: boolean, out: Outcome, text: string): void {
  if (asInteger) out.invalid(name, value, text);
  else out.invalidFloat(name, Number(value), text);
}

/** Cuts a float to a 64-bit integer. */
function int64(value: number): number | bigint {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) return whole;
  const exact = BigInt(whole);
  // What is out of range becomes the least integer, as on amd64.
  return exact > maxInt64 || exact < minInt64 ? minInt64 : exact;
}

function shownBound(bound: number | bigint, asInteger: boolean): string {
  return asInteger || typeof bound === "bigint" ? String(bound) : formatGoFloat(bound);
}

/** Whether Go holds the value as an int64. */
function isInteger(value: number | bigint): boolean {
  return typeof value === "bigint" || Number.isSafeInteger(value);
}

function isInRange(type: string, format: string, value: number | bigint): boolean {
  if (type === "integer") {
    if (typeof value === "number" && !Number.isInteger(value)) return false;
    if (format === "int32") return value >= minInt32 && value <= maxInt32;
    const exact = typeof value === "bigint" || !Number.isSafeInteger(value) ? BigInt(value) : undefined;
    return exact === undefined || (exact >= minInt64 && exact <= maxInt64);
  }
  return type !== "number" || format !== "float" || Number.isFinite(Math.fround(Number(value)));
}

/** Whether a float counts as an integer: in the range that floats hold exactly, and near enough to one. */
export function isJsonInteger(value: number): boolean {
  if (!Number.isFinite(value) || value < Number.MIN_SAFE_INTEGER - 1 || value > Number.MAX_SAFE_INTEGER) return false;
  const whole = Math.trunc(value);
  if (value === whole) return true;
  // Go tells a negative float's nearness by an unsigned number: only positive ones can be near.
  if (value < 0 || whole === 0) return false;
  return Math.abs(value - whole) / Math.min(value + whole, Number.MAX_VALUE) < integerTolerance;
}
