/**
 * The checks of one value against one node, its children left out: those that come before the
 * children, and those that come after.
 *
 * The order is Kubernetes': type, combinations, text, format, number, list, enumeration, object. In a
 * combination each alternative is validated whole and without the old value, by a recursion that is
 * as deep as the schema.
 * Source: kube-openapi pkg/validation/validate/{schema,schema_props,slice_validator,object_validator}.go.
 */
import { goQuote } from "../apimachinery/go-text.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { nodeOfKey, type SchemaNode } from "./node.ts";
import { checkNumber } from "./number-rules.ts";
import type { Outcome } from "./outcome.ts";
import { checkEnum, checkText, checkType } from "./scalar-rules.ts";

/** Checks what comes before a value's children. True: it can't have any, and all is checked. */
export function checkChildless(node: SchemaNode, value: JsonValue, name: string, out: Outcome): boolean {
  checkType(node, value, name, out);
  if (value === null) {
    checkEnum(node, value, name, out);
    return true;
  }
  checkCombinations(node, value, name, out);
  if (Array.isArray(value)) return false;
  if (typeof value === "string") checkText(node, value, name, out);
  else if (typeof value === "number" || typeof value === "bigint") checkNumber(node, value, name, out);
  checkEnum(node, value, name, out);
  out.matches++;
  if (isJsonObject(value)) {
    checkKeys(node, value, name, out);
    return false;
  }
  out.matches++;
  return true;
}

/** Checks what comes after the children of an object or a list. */
export function checkClosing(node: SchemaNode, value: JsonValue, name: string, out: Outcome): void {
  if (Array.isArray(value)) {
    checkItemCount(node, value.length, name, out);
    out.matches += 2;
    checkEnum(node, value, name, out);
  } else if (isJsonObject(value)) {
    for (const key of node.required) if (value[key] === undefined) out.required(`${name}.${key}`);
  }
  out.matches += 2;
}

function checkItemCount(node: SchemaNode, count: number, name: string, out: Outcome): void {
  if (node.itemCount === undefined) return;
  const { min, max } = node.itemCount;
  if (min !== undefined && count < min) out.invalid(name, count, `should have at least ${min} items`);
  if (max !== undefined && count > max) out.tooMany(name, count, max);
}

function checkKeys(node: SchemaNode, value: JsonObject, name: string, out: Outcome): void {
  if (node.propertyCount !== undefined) {
    const count = Object.keys(value).length;
    const { min, max } = node.propertyCount;
    if (min !== undefined && count < min) out.invalid(name, count, `should have at least ${min} properties`);
    if (max !== undefined && count > max) out.tooMany(name, count, max);
  }
  if (node.additional !== false) return;
  for (const key of Object.keys(value).sort())
    if (!node.properties.has(key)) out.invalidText(name, key, `${name}.${key} in body is a forbidden property`);
}

/** Gives the name of a field: further keys of a nameless value begin with a dot in messages. */
export function childName(node: SchemaNode, name: string, key: string): string {
  return name === "" && node.properties.has(key) ? key : `${name}.${key}`;
}

/** Checks the combinations of a node. */
function checkCombinations(node: SchemaNode, value: JsonValue, name: string, out: Outcome): void {
  if (node.hasCombinations) {
    if (node.anyOf.length > 0) checkAnyOf(node.anyOf, value, name, out);
    if (node.oneOf.length > 0) checkOneOf(node.oneOf, value, name, out);
    if (node.allOf.length > 0) checkAllOf(node.allOf, value, name, out);
    if (node.not !== undefined && outcomeOf(node.not, value, name, out).faults.length === 0)
      out.general(`${goQuote(name)} must not validate the schema (not)`);
  }
  out.matches += 2;
}

function checkAnyOf(choices: readonly SchemaNode[], value: JsonValue, name: string, out: Outcome): void {
  let best: Outcome | undefined;
  for (const choice of choices) {
    const outcome = outcomeOf(choice, value, name, out);
    if (outcome.faults.length === 0) return out.merge(outcome);
    if (best === undefined || outcome.matches > best.matches) best = outcome;
  }
  out.general(`${goQuote(name)} must validate at least one schema (anyOf)`);
  if (best !== undefined) out.merge(best);
}

function checkOneOf(choices: readonly SchemaNode[], value: JsonValue, name: string, out: Outcome): void {
  let best: Outcome | undefined;
  let first: Outcome | undefined;
  let valid = 0;
  for (const choice of choices) {
    const outcome = outcomeOf(choice, value, name, out);
    if (outcome.faults.length === 0) {
      valid++;
      first ??= outcome;
    } else if (best === undefined || outcome.matches > best.matches) best = outcome;
  }
  if (valid === 1 && first !== undefined) return out.merge(first);
  const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
  out.general(`${goQuote(name)} must validate one and only one schema (oneOf). ${found}`);
  if (valid === 0 && best !== undefined) out.merge(best);
}

function checkAllOf(parts: readonly SchemaNode[], value: JsonValue, name: string, out: Outcome): void {
  let valid = 0;
  for (const part of parts) {
    const outcome = outcomeOf(part, value, name, out);
    if (outcome.faults.length === 0) valid++;
    out.merge(outcome);
  }
  if (valid < parts.length)
    out.general(`${goQuote(name)} must validate all the schemas (allOf)${valid === 0 ? ". None validated" : ""}`);
}

/** Validates a value whole. */
export function outcomeOf(node: SchemaNode, value: JsonValue, name: string, like: Outcome): Outcome {
  const out = like.fork();
  validateWhole(node, value, name, out);
  return out;
}

function validateWhole(node: SchemaNode, value: JsonValue, name: string, out: Outcome): void {
  if (checkChildless(node, value, name, out)) return;
  if (Array.isArray(value)) {
    const { items } = node;
    if (items !== undefined)
      for (let index = 0; index < value.length; index++)
        validateWhole(items, value[index] as JsonValue, `${name}[${index}]`, out);
  } else if (isJsonObject(value)) {
    for (const key of Object.keys(value)) {
      const inner = nodeOfKey(node, key);
      if (inner !== undefined) validateWhole(inner, value[key] as JsonValue, childName(node, name, key), out);
    }
  }
  checkClosing(node, value, name, out);
}
