/**
 * What is the same as before, on an update.
 *
 * A field's old value is the one under its key, a list item's the one with the same keys in a list of
 * type map; items of other lists have none. A list of type map may change its order and is still the
 * same. Whatever the schema doesn't describe is never the same. Recursion is as deep as the schema.
 * Source: apiserver pkg/cel/common/{equality,maplist}.go; apiextensions-apiserver
 * pkg/apiserver/validation/ratcheting.go.
 */
import { comparableText, isJsonObject, type JsonObject, type JsonValue, jsonEqual } from "../apimachinery/json.ts";
import { finish, type Steps } from "../apimachinery/steps.ts";
import { nodeOfKey, type SchemaNode } from "./node.ts";

/** Gives the old value of a field, or undefined if there is none to compare with. */
export function oldField(old: JsonValue | undefined, key: string): JsonValue | undefined {
  return isJsonObject(old) ? old[key] : undefined;
}

/** Gives the old value of a list's item, or undefined if there is none to compare with. */
export type FindOldItem = (item: JsonValue) => JsonValue | undefined;

/** Reads a list's old items step by step, so that each is found by its keys; a unit is an old item. */
export function oldItems(node: SchemaNode, old: JsonValue | undefined): Steps<FindOldItem> {
  const items = node.listType === "map" && node.listMapKeys.length > 0 && Array.isArray(old) ? old : [];
  const known = new Map<string, JsonValue>();
  let at = 0;
  return {
    step(units) {
      for (const end = Math.min(items.length, at + units); at < end; at++) {
        const before = items[at] as JsonValue;
        const key = itemKey(node, before);
        // Of several with the same keys the first counts.
        if (key !== undefined && !known.has(key)) known.set(key, before);
      }
      return at === items.length;
    },
    result: () => (item) => {
      const key = known.size === 0 ? undefined : itemKey(node, item);
      return key === undefined ? undefined : known.get(key);
    },
  };
}

function itemKey(node: SchemaNode, item: JsonValue): string | undefined {
  if (!isJsonObject(item)) return undefined;
  let text = "";
  for (const name of node.listMapKeys) {
    const key = item[name];
    if (key === undefined || key === null || typeof key === "object") return undefined;
    text += `${comparableText(key)},`;
  }
  return text;
}

/** Whether a value is the same as the old one, so that what is wrong with it is not held against the update. */
export function isUnchangedValue(node: SchemaNode, value: JsonValue, old: JsonValue | undefined): boolean {
  if (old === undefined) return false;
  if (Array.isArray(value) && Array.isArray(old)) return isSameList(node, value, old);
  if (isJsonObject(value) && isJsonObject(old)) return isSameObject(node, value, old);
  return jsonEqual(value, old);
}

function isSameObject(node: SchemaNode, value: JsonObject, old: JsonObject): boolean {
  const keys = Object.keys(value);
  if (keys.length !== Object.keys(old).length) return false;
  return keys.every((key) => {
    const inner = nodeOfKey(node, key);
    return inner !== undefined && isUnchangedValue(inner, value[key] as JsonValue, old[key]);
  });
}

function isSameList(node: SchemaNode, value: readonly JsonValue[], old: readonly JsonValue[]): boolean {
  if (value.length !== old.length) return false;
  const { items } = node;
  if (node.listType !== "map" || items === undefined) return jsonEqual(value as JsonValue[], old as JsonValue[]);
  const oldItem = finish(oldItems(node, old as JsonValue[]));
  return value.every((item) => isUnchangedValue(items, item, oldItem(item)));
}
