/**
 * Removes nulls that mean nothing and fills in defaults, as a walk with its own stack.
 *
 * A null for a field that is not nullable is dropped, or becomes the default if there is one. In a
 * list such a null stays where there is no default: an item can't go without moving the others.
 * Source: apiextensions-apiserver pkg/apiserver/schema/defaulting/{algorithm,prunenulls}.go.
 */
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";
import { nodeOfKey, type Schema, type SchemaNode } from "./node.ts";

interface Pending {
  readonly value: JsonObject | JsonValue[];
  readonly node: SchemaNode;
  /** Whether the value is part of a default, whose own nulls are meant. */
  readonly isDefault: boolean;
  /** A list's item to go on with. */
  next: number;
}

/** Items of a list that are looked at as one unit of work. */
const itemsPerUnit = 16;

/** Which half of it is done. Default: both. */
export interface Defaulting {
  /** Whether nulls that mean nothing and have no default are dropped. */
  readonly dropsNulls?: boolean;
  /** Whether defaults are filled in. */
  readonly fills?: boolean;
}

/** Defaults an object in place. A unit is one object or some items of a list. */
export function defaultSteps(
  schema: Schema,
  object: JsonObject,
  { dropsNulls = true, fills = true }: Defaulting = {},
): Steps<void> {
  const stack: Pending[] = [{ value: object, node: schema.root, isDefault: false, next: 0 }];

  function push(value: JsonValue | undefined, node: SchemaNode, isDefault: boolean): void {
    if (typeof value !== "object" || value === null) return;
    if (node.properties.size === 0 && node.items === undefined && typeof node.additional !== "object") return;
    stack.push({ value, node, isDefault, next: 0 });
  }

  function defaultObject(value: JsonObject, node: SchemaNode, isDefault: boolean): void {
    let filled: Set<string> | undefined;
    const fill = (key: string, content: JsonValue) => {
      value[key] = cloneJson(content);
      filled ??= new Set();
      filled.add(key);
    };
    for (const [key, property] of fills ? node.defaulted : []) {
      const present = value[key];
      if (present === undefined || (present === null && !property.nullable))
        fill(key, property.defaultValue as JsonValue);
    }
    for (const key of Object.keys(value)) {
      const inner = nodeOfKey(node, key);
      if (inner === undefined) continue;
      if (value[key] === null && !inner.nullable) {
        if (inner.defaultValue === undefined) {
          if (dropsNulls && !isDefault) delete value[key];
        } else if (fills) fill(key, inner.defaultValue);
      }
      push(value[key], inner, isDefault || filled?.has(key) === true);
    }
  }

  function defaultList(value: JsonValue[], items: SchemaNode, pending: Pending): void {
    const { isDefault, next } = pending;
    pending.next = Math.min(next + itemsPerUnit, value.length);
    if (pending.next < value.length) stack.push(pending);
    for (let index = next; index < pending.next; index++) {
      const isFilled = fills && value[index] === null && !items.nullable && items.defaultValue !== undefined;
      if (isFilled) value[index] = cloneJson(items.defaultValue as JsonValue);
      push(value[index], items, isDefault || isFilled);
    }
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const pending = stack.pop();
        if (pending === undefined) return true;
        const { value, node, isDefault } = pending;
        if (isJsonObject(value)) defaultObject(value, node, isDefault);
        else if (node.items !== undefined) defaultList(value as JsonValue[], node.items, pending);
      }
      return stack.length === 0;
    },
    result: () => undefined,
  };
}
