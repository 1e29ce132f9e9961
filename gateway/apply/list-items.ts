/** Which item of an associative list is which. Source: structured-merge-diff typed/helpers.go. */

import { goQuote } from "../apimachinery/go-text.ts";
import { isJsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { ApplyError } from "./apply-error.ts";
import type { ListType } from "./apply-type.ts";
import { keyElement, valueElement } from "./path-element.ts";

/** An item that can't be told from the others. */
export class ItemError extends ApplyError {
  override readonly name = "ItemError";
}

/** Gives an item's element. @throws ItemError in Kubernetes' words. */
export function elementOfItem(list: ListType, item: JsonValue): string {
  return list.keys.length > 0 ? keyedElement(list, item) : setElement(item);
}

function keyedElement(list: ListType, item: JsonValue): string {
  if (item === null) throw new ItemError("associative list with keys may not have a null element");
  if (!isJsonObject(item)) throw new ItemError("associative list with keys may not have non-map elements");
  const keys = newJsonObject();
  let count = 0;
  for (const key of list.keys) {
    const value = item[key] ?? (key in item ? null : list.keyDefaults.get(key));
    if (value === undefined) continue;
    keys[key] = value;
    count++;
  }
  if (count === 0) {
    throw new ItemError(
      `associative list with keys has an element that omits all key fields [${list.keys.map(goQuote).join(" ")}] ` +
        "(and doesn't have default values for any key fields)",
    );
  }
  return keyElement(keys);
}

function setElement(item: JsonValue): string {
  if (item === null) throw new ItemError("associative list without keys has an element that's an explicit null");
  if (Array.isArray(item)) throw new ItemError("not supported: associative list with lists as elements");
  if (isJsonObject(item)) throw new ItemError("associative list without keys has an element that's a map type");
  return valueElement(item);
}

/** What stands for an item that can't be told from the others. No set that is kept holds it. */
const unknownItem = "?";

/** Gives an item's element. What pruning has emptied has none: a mark. */
export function elementOfAnyItem(list: ListType, item: JsonValue): string {
  try {
    return elementOfItem(list, item);
  } catch (error) {
    if (!(error instanceof ItemError)) throw error;
    return unknownItem;
  }
}
