/**
 * Removes what the schema doesn't know, as a walk with its own stack.
 *
 * apiVersion, kind and metadata survive at the root and in embedded resources. Below a node that
 * preserves unknown fields only specified fields are pruned inside.
 * Source: apiextensions-apiserver pkg/apiserver/schema/pruning/algorithm.go.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { Steps } from "../apimachinery/steps.ts";
import { childPath, type Schema, type SchemaNode } from "./node.ts";

/** Unknown fields that are named: more would only fill the answer. */
const maxUnknown = 1000;
const resourceFields = new Set(["apiVersion", "kind", "metadata"]);

interface Pending {
  readonly value: JsonObject | JsonValue[];
  /** Undefined: nothing is known here. */
  readonly node: SchemaNode | undefined;
  readonly path: string;
  readonly isResource: boolean;
}

/** Prunes an object in place. A unit is one object or list. The paths are sorted. */
export function pruneSteps(
  schema: Schema,
  object: JsonObject,
  options: { readonly trackUnknown: boolean },
): Steps<{ readonly unknown: readonly string[] }> {
  const unknown: string[] = [];
  const stack: Pending[] = [{ value: object, node: schema.root, path: "", isResource: true }];

  function push(value: JsonValue | undefined, node: SchemaNode | undefined, path: string): void {
    if (typeof value !== "object" || value === null) return;
    // What a node preserves and does not describe is nobody's to look into.
    if (
      node?.preserveUnknown &&
      node.properties.size === 0 &&
      node.items === undefined &&
      node.additional === undefined
    )
      return;
    stack.push({ value, node, path, isResource: node?.embedded === true });
  }

  function pruneObject(value: JsonObject, { node, path, isResource }: Pending): void {
    for (const key of Object.keys(value)) {
      if (isResource && resourceFields.has(key)) continue;
      const property = node?.properties.get(key);
      const inner = options.trackUnknown ? childPath(path, key) : "";
      if (property !== undefined) push(value[key], property, inner);
      else if (node?.additional !== undefined) {
        if (node.additional !== true) push(value[key], node.additional, inner);
        else push(value[key], undefined, inner);
      } else if (!node?.preserveUnknown) {
        delete value[key];
        if (options.trackUnknown && unknown.length < maxUnknown) unknown.push(inner);
      }
    }
  }

  function pruneList(value: JsonValue[], { node, path }: Pending): void {
    if (node?.preserveUnknown && node.items === undefined) return;
    value.forEach((item, index) => {
      push(item, node?.items, options.trackUnknown ? `${path}[${index}]` : "");
    });
  }

  return {
    step(units) {
      for (let left = units; left > 0; left--) {
        const next = stack.pop();
        if (next === undefined) return true;
        if (isJsonObject(next.value)) pruneObject(next.value, next);
        else pruneList(next.value as JsonValue[], next);
      }
      return stack.length === 0;
    },
    result: () => ({ unknown: unknown.sort() }),
  };
}
