/**
 * What a write adds, changes and removes, as sets of paths.
 *
 * Only what differs is built. Where one side has nothing, the other side's node counts with all that is
 * below it. Source: structured-merge-diff typed/compare.go.
 */
import {
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  jsonEqual,
  newJsonObject,
} from "../apimachinery/json.ts";
import { type ApplyType, type ListType, type MapType, type Shape, shapeOf, treatedAs } from "./apply-type.ts";
import { elementOfItem } from "./list-items.ts";
import { fieldElement } from "./path-element.ts";
import { emptySet, leaf, nodeOf, type PathSet, union } from "./path-set.ts";

/** The difference of two values. */
export interface Comparison {
  readonly removed: PathSet;
  readonly modified: PathSet;
  readonly added: PathSet;
}

/** What differs at and below one node. */
class Delta {
  removed: PathSet | undefined;
  modified: PathSet | undefined;
  added: PathSet | undefined;
  isModified = false;

  remove(element: string, node: PathSet): void {
    this.removed = put(this.removed, element, node);
  }

  modify(element: string, node: PathSet): void {
    this.modified = put(this.modified, element, node);
  }

  add(element: string, node: PathSet): void {
    this.added = put(this.added, element, node);
  }

  take(element: string, child: Delta): void {
    const modified = nodeOf(child.isModified, child.modified);
    if (child.removed !== undefined) this.remove(element, child.removed);
    if (modified !== undefined) this.modify(element, modified);
    if (child.added !== undefined) this.add(element, child.added);
  }
}

/** Compares two values that fit the type. @throws ItemError if the items of a list can't be told apart. */
export function compare(type: ApplyType, before: JsonValue, after: JsonValue): Comparison {
  const delta = new Delta();
  compareNode(type, before, after, delta);
  return { removed: delta.removed ?? emptySet, modified: delta.modified ?? emptySet, added: delta.added ?? emptySet };
}

function put(set: PathSet | undefined, element: string, node: PathSet): PathSet {
  const out = set ?? newJsonObject();
  const present = out[element] as PathSet | undefined;
  out[element] = present === undefined ? node : union(present, node);
  return out;
}

function compareNode(type: ApplyType, before: JsonValue, after: JsonValue, delta: Delta): void {
  if (before === after) return;
  const [left, right] = [treatedAs(type, before), treatedAs(type, after)];
  if (!isTreatedAlike(type, before, after)) compareAs(left, type, before, after, delta);
  compareAs(right, type, before, after, delta);
}

/** Whether both values are of the same part of the type, or the type has but one. */
function isTreatedAlike(type: ApplyType, before: JsonValue, after: JsonValue): boolean {
  const parts = Number(type.map !== undefined) + Number(type.list !== undefined) + Number(type.scalar !== undefined);
  return parts === 1 || shapeOf(type, before) === shapeOf(type, after);
}

function compareAs(shape: Shape, type: ApplyType, before: JsonValue, after: JsonValue, delta: Delta): void {
  if (shape === "map" && type.map?.isAtomic === false) {
    const [left, right] = [mapOrNull(before), mapOrNull(after)];
    if (left !== undefined || right !== undefined) return compareFields(type.map, left, right, delta);
  } else if (shape === "list" && type.list?.isAtomic === false) {
    const [left, right] = [listOrNull(before), listOrNull(after)];
    if (left !== undefined || right !== undefined) return compareItems(type.list, left ?? [], right ?? [], delta);
  }
  if (!jsonEqual(before, after)) delta.isModified = true;
}

/** A map with fields; what is empty or no map is compared as one thing, so that null and `{}` stay apart. */
function mapOrNull(value: JsonValue): JsonObject | undefined {
  return isJsonObject(value) && Object.keys(value).length > 0 ? value : undefined;
}

function listOrNull(value: JsonValue): JsonArray | undefined {
  return Array.isArray(value) && value.length > 0 ? value : undefined;
}

const noFields = newJsonObject();

function compareFields(map: MapType, before = noFields, after = noFields, delta: Delta): void {
  for (const key of Object.keys(before)) {
    const [left, right] = [before[key] as JsonValue, after[key]];
    if (left === right) continue;
    const field = map.fields.get(key);
    const type = field?.type ?? map.further;
    if (type === undefined) continue;
    const element = field?.element ?? fieldElement(key);
    if (right === undefined) delta.remove(element, wholeNode(type, left));
    else compareBelow(type, left, right, element, delta);
  }
  for (const key of Object.keys(after)) {
    if (before[key] !== undefined) continue;
    const field = map.fields.get(key);
    const type = field?.type ?? map.further;
    if (type !== undefined) delta.add(field?.element ?? fieldElement(key), wholeNode(type, after[key] as JsonValue));
  }
}

function compareBelow(type: ApplyType, before: JsonValue, after: JsonValue, element: string, delta: Delta): void {
  const child = new Delta();
  compareNode(type, before, after, child);
  delta.take(element, child);
}

function compareItems(list: ListType, before: JsonArray, after: JsonArray, delta: Delta): void {
  const [left, right] = [itemsByElement(list, before), itemsByElement(list, after)];
  for (const [element, mine] of left) compareItem(list.items, element, mine, right.get(element) ?? [], delta);
  for (const [element, theirs] of right) if (!left.has(element)) compareItem(list.items, element, [], theirs, delta);
}

function itemsByElement(list: ListType, items: JsonArray): Map<string, JsonArray> {
  const byElement = new Map<string, JsonArray>();
  for (const item of items) {
    const element = elementOfItem(list, item);
    const found = byElement.get(element);
    if (found === undefined) byElement.set(element, [item]);
    else found.push(item);
  }
  return byElement;
}

/** An item that is there more than once counts as one thing. */
function compareItem(type: ApplyType, element: string, before: JsonArray, after: JsonArray, delta: Delta): void {
  const [left, right] = [before[0], after[0]];
  if (before.length <= 1 && after.length <= 1) {
    if (right === undefined) delta.remove(element, wholeNode(type, left as JsonValue));
    else if (left === undefined) delta.add(element, wholeNode(type, right));
    else compareBelow(type, left, right, element, delta);
  } else if (before.length > 1 && after.length > 1) {
    if (!jsonEqual(before, after)) delta.modify(element, leaf);
  } else if (before.length > 1) {
    if (right !== undefined) delta.add(element, wholeNode(type, right));
    delta.remove(element, leaf);
  } else {
    if (left !== undefined) delta.remove(element, wholeNode(type, left));
    delta.add(element, leaf);
  }
}

/** The node of a value that is on one side only, with all that is below it. */
function wholeNode(type: ApplyType, value: JsonValue): PathSet {
  const shape = treatedAs(type, value);
  if (shape === "map" && type.map?.isAtomic === false) return wholeMap(type.map, mapOrNull(value));
  if (shape === "list" && type.list?.isAtomic === false) return wholeList(type.list, listOrNull(value));
  return leaf;
}

function wholeMap(map: MapType, value: JsonObject | undefined): PathSet {
  if (value === undefined) return leaf;
  const children = newJsonObject();
  for (const key of Object.keys(value)) {
    const field = map.fields.get(key);
    const type = field?.type ?? map.further;
    if (type !== undefined) children[field?.element ?? fieldElement(key)] = wholeNode(type, value[key] as JsonValue);
  }
  return nodeOf(true, children) ?? leaf;
}

function wholeList(list: ListType, items: JsonArray | undefined): PathSet {
  if (items === undefined) return leaf;
  const children = newJsonObject();
  for (const [element, found] of itemsByElement(list, items)) {
    children[element] = found.length > 1 ? leaf : wholeNode(list.items, found[0] as JsonValue);
  }
  return nodeOf(true, children) ?? leaf;
}
