/**
 * Lists of type set hold nothing twice, lists of type map no two items with the same keys.
 *
 * A walk with its own stack over the parts of an object that hold such lists.
 * Source: apiextensions-apiserver pkg/apiserver/schema/listtype/validation.go.
 */
import { type FieldError, fieldDuplicate, fieldInvalid } from "../apimachinery/field-error.ts";
import { encodeJson, isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";
import { childPath, type SchemaNode } from "./node.ts";

interface Pending {
  readonly value: JsonValue;
  readonly node: SchemaNode;
  readonly path: string;
}

/** Finds duplicates. A unit is one object or list. */
export function listTypeSteps(root: SchemaNode, object: JsonObject, maxFaults: number): Steps<readonly FieldError[]> {
  const faults: FieldError[] = [];
  const stack: Pending[] = root.hasListTypes ? [{ value: object, node: root, path: "" }] : [];

  function pushFields(value: JsonObject, { node, path }: Pending): void {
    const { additional } = node;
    for (const [key, inner] of node.listTyped) {
      const child = value[key];
      if (child !== undefined) stack.push({ value: child, node: inner, path: childPath(path, key) });
    }
    if (typeof additional !== "object" || !additional.hasListTypes) return;
    for (const key of Object.keys(value).sort().reverse()) {
      if (!node.properties.has(key))
        stack.push({ value: value[key] as JsonValue, node: additional, path: `${path}[${key}]` });
    }
  }

  function visit(next: Pending): void {
    const { value, node, path } = next;
    if (isJsonObject(value)) return pushFields(value, next);
    if (!Array.isArray(value)) return;
    if (node.listType === "set") checkDistinct(value, (item) => item, path, faults);
    else if (node.listType === "map") checkMap(node, value, path, faults);
    const { items } = node;
    if (items?.hasListTypes !== true) return;
    for (let index = value.length - 1; index >= 0; index--)
      stack.push({ value: value[index] as JsonValue, node: items, path: `${path}[${index}]` });
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const next = faults.length > maxFaults ? undefined : stack.pop();
        if (next === undefined) return true;
        visit(next);
      }
      return stack.length === 0;
    },
    result: () => faults,
  };
}

function checkMap(node: SchemaNode, value: readonly JsonValue[], path: string, faults: FieldError[]): void {
  for (const [index, item] of value.entries()) {
    if (item === null || isJsonObject(item)) continue;
    faults.push(fieldInvalid(`${path}[${index}]`, item, "must be an object for an array of list-type map"));
    return;
  }
  checkDistinct(value, (item) => keysOf(node, item), path, faults);
}

function keysOf(node: SchemaNode, item: JsonValue): JsonObject {
  const keys: JsonObject = {};
  if (!isJsonObject(item)) return keys;
  for (const key of node.listMapKeys) {
    const found = item[key];
    if (found !== undefined) keys[key] = found;
  }
  return keys;
}

function checkDistinct(
  value: readonly JsonValue[],
  subject: (item: JsonValue) => JsonValue,
  path: string,
  faults: FieldError[],
): void {
  if (value.length < 2) return;
  const seen = new Map<string, number>();
  for (const [index, item] of value.entries()) {
    const text = encodeJson(subject(item));
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    // The second is named, further ones aren't.
    if (times === 1) faults.push(fieldDuplicate(`${path}[${index}]`, subject(item)));
  }
}
