/**
 * Tells two answers apart, place by place.
 */
import { isJsonObject, type JsonValue } from "../../gateway/apimachinery/json.ts";
import type { Seen } from "./seen.ts";

/** One place where two answers differ: `status`, `header warning`, `body.details.causes[0].field`. */
export interface Difference {
  readonly at: string;
  readonly expected: JsonValue | undefined;
  readonly found: JsonValue | undefined;
}

/** Beyond these an answer is another one altogether, and more of them tell nothing. */
const maxDifferences = 30;

/** Gives every place where the second answer isn't the first. */
export function compare(expected: Seen, found: Seen): Difference[] {
  const differences: Difference[] = [];
  const names = new Set([...Object.keys(expected.headers), ...Object.keys(found.headers)]);
  compareValues("status", expected.status, found.status, differences);
  for (const name of names) {
    compareValues(`header ${name}`, joined(expected.headers[name]), joined(found.headers[name]), differences);
  }
  compareValues("form", expected.form, found.form, differences);
  compareValues("body", expected.body, found.body, differences);
  return differences;
}

function joined(values: readonly string[] | undefined): string | undefined {
  return values?.join("\n");
}

function compareValues(
  at: string,
  expected: JsonValue | undefined,
  found: JsonValue | undefined,
  differences: Difference[],
): void {
  if (expected === found || differences.length >= maxDifferences) return;
  if (Array.isArray(expected) && Array.isArray(found)) {
    const length = Math.max(expected.length, found.length);
    for (let index = 0; index < length; index++)
      compareValues(`${at}[${index}]`, expected[index], found[index], differences);
    return;
  }
  if (isJsonObject(expected) && isJsonObject(found)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(found)]))
      compareValues(`${at}.${key}`, expected[key], found[key], differences);
    return;
  }
  differences.push({ at, expected, found });
}
