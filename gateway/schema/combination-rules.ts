/**
 * What may stand inside allOf, anyOf, oneOf and not: value validations of what is described outside,
 * and as the one exception a choice of integer and string.
 *
 * Source: apiextensions-apiserver pkg/apiserver/schema/{validation,complete}.go.
 */
import { type FieldError, fieldForbidden, fieldInvalid, fieldRequired } from "../apimachinery/field-error.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import { at, atKey, isSpecified, keyword, namedSchemas, schemaOf, schemasOf, textOf, valuesOf } from "./keywords.ts";
import type { PatternMemo } from "./pattern.ts";

const combinations = ["allOf", "anyOf", "oneOf"] as const;

/** What a check adds its faults to, and the patterns that it has compiled. */
export interface Found {
  readonly faults: FieldError[];
  readonly patterns: PatternMemo;
}

/** The value validations of a node. `skipAnyOf`: anyOf is a choice of types; `skipFirst`: allOf begins with one. */
export function checkValues(
  source: JsonObject,
  path: string,
  skipAnyOf: boolean,
  skipFirst: boolean,
  found: Found,
): void {
  for (const key of combinations) {
    if (key === "anyOf" && skipAnyOf) continue;
    for (const [index, inner] of schemasOf(source, key).entries()) {
      checkNested(inner, `${at(path, key)}[${index}]`, key === "allOf" && index === 0 && skipFirst, found);
    }
  }
  const not = schemaOf(source, "not");
  if (not !== undefined) checkNested(not, at(path, "not"), false, found);
  const pattern = textOf(source, "pattern");
  if (pattern === "") return;
  try {
    found.patterns.compile(pattern);
  } catch (error) {
    const why = (error as Error).message;
    found.faults.push(
      fieldInvalid(at(path, "pattern"), pattern, `must be a valid regular expression, but isn't: ${why}`),
    );
  }
}

/** What must not be said inside a combination, with the word for its absence. */
const forbiddenInside: readonly (readonly [string, string])[] = [
  ["default", "undefined"],
  ["title", "empty"],
  ["description", "empty"],
  ["nullable", "false"],
  ["x-kubernetes-preserve-unknown-fields", "false"],
  ["x-kubernetes-embedded-resource", "false"],
  ["x-kubernetes-int-or-string", "false"],
  ["x-kubernetes-list-map-keys", "empty"],
  ["x-kubernetes-list-type", "undefined"],
  ["x-kubernetes-map-type", "undefined"],
];

function checkNested(source: JsonObject, path: string, skipAnyOf: boolean, found: Found): void {
  const { faults } = found;
  checkValues(source, path, skipAnyOf, false, found);
  const items = schemaOf(source, "items");
  if (items !== undefined) checkNested(items, at(path, "items"), false, found);
  for (const [key, inner] of namedSchemas(source, "properties"))
    checkNested(inner, atKey(path, "properties", key), false, found);
  if (textOf(source, "type") !== "") faults.push(fieldForbidden(at(path, "type"), "must be empty to be structural"));
  const additional = keyword(source, "additionalProperties");
  if (additional !== undefined && additional !== false)
    faults.push(fieldForbidden(at(path, "additionalProperties"), "must be undefined to be structural"));
  for (const [key, word] of forbiddenInside) {
    const isThere = word === "undefined" ? keyword(source, key) !== undefined : isSpecified(source, key);
    if (isThere) faults.push(fieldForbidden(at(path, key), `must be ${word} to be structural`));
  }
  if (valuesOf(source, "x-kubernetes-validations").length > 0)
    faults.push(fieldForbidden(at(path, "x-kubernetes-validations"), "must be empty to be structural"));
  const properties = schemaOf(source, "properties");
  if (properties !== undefined && schemaOf(properties, "metadata") !== undefined)
    faults.push(fieldForbidden(atKey(path, "properties", "metadata"), "must not be specified in a nested context"));
}

/** Whether a keyword says `integer or string`, the one place where a type may stand inside a combination. */
export function isChoiceOfTypes(source: JsonObject | undefined, key: string): boolean {
  if (source === undefined) return false;
  const choices = schemasOf(source, key);
  return choices.length === 2 && isOnlyType(choices[0], "integer") && isOnlyType(choices[1], "string");
}

function isOnlyType(source: JsonObject | undefined, type: string): boolean {
  if (source === undefined || source["type"] !== type) return false;
  return Object.keys(source).every((key) => key === "type" || !isSpecified(source, key));
}

/** What a combination at the root speaks of must exist outside of it too. */
export function checkComplete(
  source: JsonObject,
  outer: JsonObject,
  outerPath: string,
  path: string,
  faults: FieldError[],
): void {
  const not = schemaOf(source, "not");
  if (not !== undefined) checkCompleteInside(not, outer, outerPath, at(path, "not"), faults);
  for (const key of combinations) {
    for (const [index, inner] of schemasOf(source, key).entries())
      checkCompleteInside(inner, outer, outerPath, `${at(path, key)}[${index}]`, faults);
  }
}

function checkCompleteInside(
  source: JsonObject,
  outer: JsonObject | undefined,
  outerPath: string,
  path: string,
  faults: FieldError[],
): void {
  if (outer === undefined) {
    faults.push(fieldRequired(outerPath, `because it is defined in ${rooted(path)}`));
    return;
  }
  checkComplete(source, outer, outerPath, path, faults);
  const items = schemaOf(source, "items");
  if (items !== undefined)
    checkCompleteInside(items, schemaOf(outer, "items"), at(outerPath, "items"), at(path, "items"), faults);
  const properties = schemaOf(outer, "properties");
  for (const [key, inner] of namedSchemas(source, "properties")) {
    const target = properties === undefined ? undefined : schemaOf(properties, key);
    checkCompleteInside(inner, target, atKey(outerPath, "properties", key), atKey(path, "properties", key), faults);
  }
}

/** Where a path stands in a text, it is a whole one. */
function rooted(path: string): string {
  return `openAPIV3Schema.${path}`;
}
