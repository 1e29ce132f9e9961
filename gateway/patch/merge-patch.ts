/** JSON merge patch, RFC 7386: null removes, objects merge, anything else replaces. */
import { cloneJson, isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { badRequest } from "../apimachinery/status.ts";

/**
 * Gives the merged document. What the patch doesn't touch is shared with the input.
 * @throws StatusError 400 if the patch is no object: there would be no object left.
 */
export function applyMergePatch(document: JsonObject, patch: JsonValue): JsonObject {
  if (!isJsonObject(patch)) throw badRequest("error decoding patch: Invalid JSON Patch");
  const root = copyOf(document);
  const work: { target: JsonObject; patch: JsonObject }[] = [{ target: root, patch }];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    for (const key of Object.keys(next.patch)) {
      const value = next.patch[key] as JsonValue;
      if (value === null) {
        delete next.target[key];
        continue;
      }
      if (!isJsonObject(value)) {
        next.target[key] = cloneJson(value);
        continue;
      }
      const present = next.target[key];
      const target = isJsonObject(present) ? copyOf(present) : newJsonObject();
      next.target[key] = target;
      work.push({ target, patch: value });
    }
  }
  return root;
}

function copyOf(object: JsonObject): JsonObject {
  const copy = newJsonObject();
  for (const key of Object.keys(object)) copy[key] = object[key] as JsonValue;
  return copy;
}
