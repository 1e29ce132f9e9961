/**
 * The fields that a value names: what its applier wants to own.
 *
 * Leaves, items of associative lists, keys that aren't declared. A declared field that holds a map or a
 * list is named by what is in it. Source: structured-merge-diff typed/tofieldset.go.
 */
import { type JsonArray, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { type ApplyType, type ListType, type MapType, treatedAs } from "./apply-type.ts";
import { elementOfAnyItem } from "./list-items.ts";
import { fieldElement } from "./path-element.ts";
import { asMember, emptySet, leaf, nodeOf, type PathSet } from "./path-set.ts";

/** Gives the fields of a value that fits its type. */
export function fieldSetOf(type: ApplyType, value: JsonValue): PathSet {
  const node = fieldsOf(type, value);
  return node === undefined || node === leaf ? emptySet : node;
}

/** The node of what the value names; undefined if it names nothing. */
function fieldsOf(type: ApplyType, value: JsonValue): PathSet | undefined {
  switch (treatedAs(type, value)) {
    case "list":
      return fieldsOfList(type.list as ListType, value as JsonArray | null);
    case "map":
      return fieldsOfMap(type.map as MapType, value as JsonObject | null);
    default:
      return leaf;
  }
}

function fieldsOfList(list: ListType, items: JsonArray | null): PathSet | undefined {
  if (list.isAtomic) return leaf;
  if (items === null) return undefined;
  const children = newJsonObject();
  for (const item of items) {
    const element = elementOfAnyItem(list, item);
    // What is there twice is named as one thing.
    const isDuplicate = children[element] !== undefined;
    const node = isDuplicate ? undefined : fieldsOf(list.items, item);
    children[element] = node === undefined ? leaf : asMember(node);
  }
  return nodeOf(false, children);
}

function fieldsOfMap(map: MapType, value: JsonObject | null): PathSet | undefined {
  if (map.isAtomic) return leaf;
  if (value === null) return undefined;
  const children = newJsonObject();
  for (const key of Object.keys(value)) {
    const field = map.fields.get(key);
    const type = field?.type ?? map.further;
    if (type === undefined) continue;
    const inner = value[key] as JsonValue;
    const node = fieldsOf(type, inner);
    if (field === undefined || isNullOrEmptyMap(inner)) children[fieldElement(key)] = asMember(node ?? leaf);
    else if (node !== undefined) children[field.element] = node;
  }
  return nodeOf(false, children);
}

function isNullOrEmptyMap(value: JsonValue): boolean {
  if (value === null) return true;
  return typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0;
}
