/**
 * Whether the defaults of a schema hold: each must be valid and must not say what would be pruned.
 * Else an object that nobody touched could not be written.
 *
 * Defaults below additionalProperties are not looked at, as in Kubernetes.
 * Source: apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go.
 */
import { type FieldError, fieldInvalid } from "../apimachinery/field-error.ts";
import { cloneJson, jsonEqual } from "../apimachinery/json.ts";
import { finish } from "../apimachinery/steps.ts";
import { validateEmbedded } from "./embedded.ts";
import { at, atKey } from "./keywords.ts";
import type { SchemaNode } from "./node.ts";
import { pruneValueSteps } from "./prune.ts";
import { validateNow } from "./validate.ts";

const resourceFields = new Set(["apiVersion", "kind", "metadata"]);

/** Gives what is wrong with the defaults of a schema whose structure is sound. */
export function defaultFaults(root: SchemaNode): FieldError[] {
  const faults: FieldError[] = [];
  check(root, "", true, false, faults);
  return faults;
}

function check(node: SchemaNode, path: string, isRoot: boolean, insideMeta: boolean, faults: FieldError[]): void {
  const inMeta = insideMeta && !node.embedded;
  if (node.defaultValue !== undefined) checkDefault(node, at(path, "default"), inMeta, faults);
  if (node.items !== undefined) check(node.items, at(path, "items"), false, inMeta, faults);
  const isResource = isRoot || node.embedded;
  for (const [key, inner] of node.properties)
    check(inner, atKey(path, "properties", key), false, inMeta || (isResource && resourceFields.has(key)), faults);
}

function checkDefault(node: SchemaNode, path: string, insideMeta: boolean, faults: FieldError[]): void {
  const value = node.defaultValue;
  if (value === undefined) return;
  if (!insideMeta) {
    const pruned = cloneJson(value);
    finish(pruneValueSteps(node, pruned, { trackUnknown: false, isResource: node.embedded }));
    if (!jsonEqual(pruned, value)) faults.push(fieldInvalid(path, value, "must not have unknown fields"));
    const before = faults.length;
    validateEmbedded(node, value, path, faults);
    if (faults.length > before) return;
  }
  faults.push(...validateNow(node, value, path));
}
