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

/** What pruning found. */
export interface Pruned {
  /** Paths of what was removed, sorted: `spec.ports[0].foo`. Empty unless asked for. */
  readonly unknown: readonly string[];
}

interface Pending {
  readonly value: JsonObject | JsonValue[];
  /** Undefined: nothing is known here. */
  readonly node: SchemaNode | undefined;
  readonly path: string;
  readonly isResource: boolean;
  /** Whether fields that the node doesn't know stay. */
  readonly keeps: boolean;
  /** A list's item to go on with. */
  next: number;
}

/** Items of a list that are looked at as one unit of work. */
const itemsPerUnit = 16;

/** Prunes an object in place. A unit is one object or some items of a list. */
export function pruneSteps(
  schema: Schema,
  object: JsonObject,
  options: { readonly trackUnknown: boolean },
): Steps<Pruned> {
  return pruneValueSteps(schema.root, object, { ...options, isResource: true });
}

/** Prunes a value in place. `isResource`: apiVersion, kind and metadata of the value itself survive. */
export function pruneValueSteps(
  root: SchemaNode,
  whole: JsonValue,
  options: { readonly trackUnknown: boolean; readonly isResource: boolean },
): Steps<Pruned> {
  const unknown: string[] = [];
  const stack: Pending[] = [];
  push(whole, root, "", options.isResource, false);

  function push(
    value: JsonValue | undefined,
    node: SchemaNode | undefined,
    path: string,
    isResource: boolean,
    isKept: boolean,
  ): void {
    if (typeof value !== "object" || value === null) return;
    const keeps = isKept || node?.preserveUnknown === true;
    // What is kept and not described is nobody's to look into.
    if (keeps && (node === undefined || isBlank(node))) return;
    stack.push({ value, node, path, isResource: isResource || node?.embedded === true, keeps, next: 0 });
  }

  function pruneObject(value: JsonObject, { node, path, isResource, keeps }: Pending): void {
    for (const key of Object.keys(value)) {
      if (isResource && resourceFields.has(key)) continue;
      const property = node?.properties.get(key);
      if (property === undefined && node?.additional === undefined) {
        if (keeps) continue;
        delete value[key];
        if (options.trackUnknown && unknown.length < maxUnknown) unknown.push(childPath(path, key));
        continue;
      }
      const inner = value[key];
      if (typeof inner !== "object" || inner === null) continue;
      const innerPath = options.trackUnknown ? childPath(path, key) : "";
      const { additional } = node as SchemaNode;
      push(inner, property ?? (typeof additional === "object" ? additional : undefined), innerPath, false, false);
    }
  }

  function pruneList(value: JsonValue[], pending: Pending): void {
    const { node, path, keeps, next } = pending;
    pending.next = Math.min(next + itemsPerUnit, value.length);
    if (pending.next < value.length) stack.push(pending);
    for (let index = next; index < pending.next; index++) {
      const item = value[index];
      if (typeof item !== "object" || item === null) continue;
      push(item, node?.items, options.trackUnknown ? `${path}[${index}]` : "", false, keeps);
    }
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
    result: () => ({ unknown: sortedByBytes(unknown) }),
  };
}

function isBlank(node: SchemaNode): boolean {
  return node.properties.size === 0 && node.items === undefined && node.additional === undefined;
}

/** Sorts as Go does, by bytes of UTF-8: beyond the basic plane that isn't JavaScript's order. */
export function sortedByBytes(texts: string[]): string[] {
  if (texts.length < 2) return texts;
  return texts
    .map((text) => ({ text, bytes: Buffer.from(text) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ text }) => text);
}
