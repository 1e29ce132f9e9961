/**
 * JSON merge patch, RFC 7386, as kube-apiserver applies it: null removes, objects merge, anything
 * else replaces.
 *
 * Its own way: where a new value stands in no object's place, nulls vanish from objects inside its
 * lists too. Source: gopkg.in/evanphx/json-patch.v4 merge.go; apiserver pkg/endpoints/handlers/patch.go.
 */
import { goTypeWord } from "../apimachinery/go-type.ts";
import { cloningJson, isJsonObject, type JsonArray, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { badRequest } from "../apimachinery/status.ts";
import { finish, type Steps, stepsFrom } from "../apimachinery/steps.ts";

/**
 * Gives the merged document; it shares nothing with what went in, which stays as it is.
 * @throws StatusError 400 if the patch is no object.
 */
export function applyMergePatch(document: JsonObject, patch: JsonValue): JsonObject {
  return finish(mergePatchSteps(document, patch));
}

/** Does applyMergePatch's work step by step; a unit is one array or object. */
export function mergePatchSteps(document: JsonObject, patch: JsonValue): Steps<JsonObject> {
  return stepsFrom(merging(document, patch));
}

function* merging(document: JsonObject, patch: JsonValue): Generator<undefined, JsonObject> {
  assertMergePatch(patch);
  const root = yield* cloningJson(document);
  const work: { target: JsonObject; patch: JsonObject }[] = [{ target: root, patch }];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const { target } = next;
    for (const key of Object.keys(next.patch)) {
      const value = next.patch[key] as JsonValue;
      const present = target[key];
      if (value === null) delete target[key];
      else if (!isJsonObject(present)) target[key] = yield* cloningWithoutNulls(value);
      else if (!isJsonObject(value)) target[key] = yield* cloningJson(value);
      else work.push({ target: present, patch: value });
    }
    yield;
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

/** Gives a copy without the fields that are null; elements of lists that are null stay. */
function* cloningWithoutNulls(root: JsonValue): Generator<undefined, JsonValue> {
  const copy = yield* cloningJson(root);
  const work: JsonValue[] = [copy];
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    if (Array.isArray(value)) pushContainers(work, value);
    else if (isJsonObject(value)) {
      for (const key of Object.keys(value)) if (value[key] === null) delete value[key];
      pushContainers(work, Object.values(value));
    }
    yield;
  }
  return copy;
}

function pushContainers(work: JsonValue[], values: JsonArray): void {
  for (const value of values) if (typeof value === "object" && value !== null) work.push(value);
}
