/**
 * Removes nulls that mean nothing and fills in defaults, as a walk with its own stack.
 *
 * A null for a field that is not nullable is dropped, or becomes the default if there is one.
 * Source: apiextensions-apiserver pkg/apiserver/schema/defaulting/{algorithm,prune}.go.
 */
import { cloneJson, isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";
import type { Schema, SchemaNode } from "./node.ts";

interface Pending {
  readonly value: JsonObject | JsonValue[];
  readonly node: SchemaNode;
}

/** Defaults an object in place. A unit is one object or list. */
export function defaultSteps(schema: Schema, object: JsonObject): Steps<void> {
  const stack: Pending[] = [{ value: object, node: schema.root }];

  function push(value: JsonValue | undefined, node: SchemaNode | true | undefined): void {
    if (typeof value !== "object" || value === null || node === undefined || node === true) return;
    stack.push({ value, node });
  }

  function defaultObject(value: JsonObject, node: SchemaNode): void {
    for (const [key, property] of node.properties) {
      const present = value[key];
      const isMissing = present === undefined || (present === null && !property.nullable);
      if (isMissing && property.defaultValue !== undefined) value[key] = cloneJson(property.defaultValue);
      else if (present === null && !property.nullable) delete value[key];
      push(value[key], property);
    }
    if (node.additional === undefined || node.additional === true) return;
    const { additional } = node;
    for (const key of Object.keys(value)) {
      if (node.properties.has(key)) continue;
      if (value[key] === null && !additional.nullable) {
        if (additional.defaultValue === undefined) {
          delete value[key];
          continue;
        }
        value[key] = cloneJson(additional.defaultValue);
      }
      push(value[key], additional);
    }
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const next = stack.pop();
        if (next === undefined) return true;
        const { value, node } = next;
        if (isJsonObject(value)) defaultObject(value, node);
        else if (node.items !== undefined) {
          const { items } = node;
          (value as JsonValue[]).forEach((item, index, list) => {
            if (item === null && !items.nullable && items.defaultValue !== undefined)
              list[index] = cloneJson(items.defaultValue);
            push(list[index], items);
          });
        }
      }
      return stack.length === 0;
    },
    result: () => undefined,
  };
}
