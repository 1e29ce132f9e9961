/**
 * Lays an applied value over the live one: the applied value's leaves win, nothing is removed.
 *
 * Lists: items that both have stand in the applied order; an item that only the live list has stays
 * behind what it stood behind. What no one applied is shared with the live value.
 * Source: structured-merge-diff typed/merge.go.
 */
import { isJsonObject, type JsonArray, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { type ApplyType, type ListType, type MapType, treatedAs, typeOfKey } from "./apply-type.ts";
import { elementOfItem } from "./list-items.ts";

/** Merges two values that fit the type. Changes neither; the result shares parts with both. */
export function merge(type: ApplyType, live: JsonValue, applied: JsonValue): JsonValue | undefined {
  const shape = treatedAs(type, applied);
  if (shape === "map" && type.map?.isAtomic === false) {
    const [left, right] = [nonEmptyMap(live), nonEmptyMap(applied)];
    if (left !== undefined && right !== undefined) return mergeMaps(type.map, left, right);
    return left ?? applied;
  }
  if (shape === "list" && type.list?.isAtomic === false) {
    const [left, right] = [nonEmptyList(live), nonEmptyList(applied)];
    if (left !== undefined && right !== undefined) return mergeLists(type.list, left, right);
    return left ?? applied;
  }
  return applied;
}

function nonEmptyMap(value: JsonValue): JsonObject | undefined {
  return isJsonObject(value) && Object.keys(value).length > 0 ? value : undefined;
}

function nonEmptyList(value: JsonValue): JsonArray | undefined {
  return Array.isArray(value) && value.length > 0 ? value : undefined;
}

function mergeMaps(map: MapType, live: JsonObject, applied: JsonObject): JsonObject {
  const out = newJsonObject();
  for (const key of Object.keys(live)) out[key] = live[key] as JsonValue;
  for (const key of Object.keys(applied)) {
    const [mine, theirs] = [live[key], applied[key] as JsonValue];
    const type = typeOfKey(map, key);
    const merged = mine === undefined || type === undefined ? theirs : merge(type, mine, theirs);
    if (merged === undefined) delete out[key];
    else out[key] = merged;
  }
  return out;
}

function mergeLists(list: ListType, live: JsonArray, applied: JsonArray): JsonArray | undefined {
  const [left, right] = [live, applied].map((items) => items.map((item) => elementOfItem(list, item))) as [
    string[],
    string[],
  ];
  const liveItems = new Map<string, JsonValue>();
  // What is there twice isn't merged with what is applied: the applied item replaces it.
  for (const [index, element] of left.entries()) {
    liveItems.set(element, liveItems.has(element) ? null : (live[index] as JsonValue));
  }
  const appliedItems = new Map(right.map((element, index) => [element, applied[index] as JsonValue]));
  const shared = right.filter((element) => liveItems.has(element));
  const done = new Set<string>();
  const out: JsonArray = [];
  const takeApplied = (element: string): void => {
    done.add(element);
    const [mine, theirs] = [liveItems.get(element), appliedItems.get(element) as JsonValue];
    const merged = mine === undefined ? theirs : merge(list.items, mine, theirs);
    if (merged !== undefined) out.push(merged);
  };
  let nextShared = 0;
  for (let l = 0, r = 0; l < left.length || r < right.length; ) {
    const [mine, theirs] = [left[l], right[r]];
    if (mine !== undefined && theirs !== undefined) {
      if (mine === theirs) {
        takeApplied(mine);
        l++;
        r++;
        nextShared++;
        continue;
      }
      const isShared = appliedItems.has(mine);
      if (isShared && shared[nextShared] !== undefined && shared[nextShared] !== mine) {
        // Shared, but not the one whose turn it is.
        l++;
        continue;
      }
    }
    if (mine !== undefined) {
      if (!appliedItems.has(mine)) {
        out.push(live[l] as JsonValue);
        l++;
        continue;
      }
      if (done.has(mine)) l++;
    }
    if (theirs !== undefined) {
      takeApplied(theirs);
      r++;
      if (shared[nextShared] === theirs) nextShared++;
    }
  }
  return out.length > 0 ? out : undefined;
}
