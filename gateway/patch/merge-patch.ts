/**
 * JSON merge patch, RFC 7386, as kube-apiserver applies it: null removes, objects merge, anything
 * else replaces.
 *
 * Its own way: where a new value stands in no object's place, nulls vanish from objects inside its
 * lists too. Source: gopkg.in/evanphx/json-patch.v4 merge.go; apiserver pkg/endpoints/handlers/patch.go.
 */
import { goTypeWord } from "../apimachinery/go-type.ts";
import {
  cloneJson,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  newJsonObject,
} from "../apimachinery/json.ts";
import { badRequest } from "../apimachinery/status.ts";

/**
 * Gives the merged document; the input stays as it is. What the patch doesn't touch is shared with it.
 * @throws StatusError 400 if the patch is no object.
 */
export function applyMergePatch(document: JsonObject, patch: JsonValue): JsonObject {
  assertMergePatch(patch);
  const root = copyOf(document);
  const work: { target: JsonObject; patch: JsonObject }[] = [{ target: root, patch }];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const { target } = next;
    for (const key of Object.keys(next.patch)) {
      const value = next.patch[key] as JsonValue;
      const present = target[key];
      if (value === null) delete target[key];
      else if (!isJsonObject(present)) target[key] = withoutNulls(value);
      else if (!isJsonObject(value)) target[key] = cloneJson(value);
      else {
        const merged = copyOf(present);
        target[key] = merged;
        work.push({ target: merged, patch: value });
      }
    }
  }
  return root;
}

/** @throws StatusError 400 if the patch is no object. */
export function assertMergePatch(patch: JsonValue): asserts patch is JsonObject {
  if (isJsonObject(patch)) return;
  if (patch === null) throw badRequest("Invalid JSON Patch");
  throw badRequest(
    `error decoding patch: json: cannot unmarshal ${goTypeWord(patch)} into Go value of type map[string]interface {}`,
  );
}

function copyOf(object: JsonObject): JsonObject {
  const copy = newJsonObject();
  for (const key of Object.keys(object)) copy[key] = object[key] as JsonValue;
  return copy;
}

/** Gives a copy without the fields that are null; elements of lists that are null stay. */
function withoutNulls(root: JsonValue): JsonValue {
  const copy = cloneJson(root);
  const work: JsonValue[] = [copy];
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    if (Array.isArray(value)) pushContainers(work, value);
    else if (isJsonObject(value)) {
      for (const key of Object.keys(value)) if (value[key] === null) delete value[key];
      pushContainers(work, Object.values(value));
    }
  }
  return copy;
}

function pushContainers(work: JsonValue[], values: JsonArray): void {
  for (const value of values) if (typeof value === "object" && value !== null) work.push(value);
}
