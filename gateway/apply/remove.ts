/**
 * Takes a set of fields and items out of a value.
 *
 * What is emptied by it is null: a map or list that loses all that is in it doesn't become an empty
 * one. Source: structured-merge-diff typed/remove.go.
 */
import { isJsonObject, type JsonArray, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { type ApplyType, type ListType, type MapType, treatedAs, typeOfKey } from "./apply-type.ts";
import { elementOfAnyItem } from "./list-items.ts";
import { fieldElement } from "./path-element.ts";
import { below, isEmpty, isMember, type PathSet } from "./path-set.ts";

/** Gives the value without the members of the set. Changes nothing; the result shares parts. */
export function removeItems(type: ApplyType, value: JsonValue, set: PathSet): JsonValue {
  return isEmpty(set) ? value : remove(type, value, set);
}

function remove(type: ApplyType, value: JsonValue, set: PathSet): JsonValue {
  switch (treatedAs(type, value)) {
    case "map":
      return isJsonObject(value) ? removeFields(type.map as MapType, value, set) : null;
    case "list":
      return Array.isArray(value) ? removeFromList(type.list as ListType, value, set) : null;
    default:
      return value;
  }
}

function removeFields(map: MapType, value: JsonObject, set: PathSet): JsonObject | null {
  if (map.isAtomic) return null;
  const out = newJsonObject();
  for (const key of Object.keys(value)) {
    const node = below(set, fieldElement(key));
    const inner = value[key] as JsonValue;
    if (node === undefined) out[key] = inner;
    else if (!isMember(node)) {
      const type = typeOfKey(map, key);
      out[key] = type === undefined ? inner : remove(type, inner, node);
    }
  }
  return isEmpty(out) ? null : out;
}

function removeFromList(list: ListType, items: JsonArray, set: PathSet): JsonArray | null {
  if (list.isAtomic) return null;
  const out: JsonArray = [];
  for (const item of items) {
    const node = below(set, elementOfAnyItem(list, item));
    if (node === undefined) out.push(item);
    else if (!isMember(node)) out.push(remove(list.items, item, node));
  }
  return out.length > 0 ? out : null;
}
