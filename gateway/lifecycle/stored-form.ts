/**
 * The form in which an object lies in its store, and whether a write would change it.
 *
 * Source: apiserver pkg/storage/api_object_versioner.go (PrepareObjectForStorage); apimachinery
 * pkg/util/managedfields (the rule about timestamps), pkg/storage/etcd3/store.go (no-op updates).
 */
import { isJsonObject, type JsonObject, type JsonValue, jsonEqualSteps } from "../apimachinery/json.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import { finish, type Steps } from "../apimachinery/steps.ts";
import { draftOf } from "./system-fields.ts";

/** Gives the object without resourceVersion, which is the store's revision, and without selfLink. */
export function storedForm(object: KubeObject): KubeObject {
  const draft = draftOf(object);
  delete draft.metadata["resourceVersion"];
  delete draft.metadata["selfLink"];
  return draft.object;
}

/** Whether `next` differs in nothing but times in managedFields, which then stay as they were. */
export function isUnchanged(next: KubeObject, current: KubeObject): boolean {
  return finish(unchangedSteps(next, current));
}

/** Does isUnchanged's work step by step. */
export function unchangedSteps(next: KubeObject, current: KubeObject): Steps<boolean> {
  return jsonEqualSteps(comparable(next), comparable(current));
}

function comparable(object: KubeObject): KubeObject {
  const draft = draftOf(object);
  delete draft.metadata["resourceVersion"];
  const managedFields = draft.metadata["managedFields"];
  if (Array.isArray(managedFields)) draft.metadata["managedFields"] = managedFields.map(timeless);
  return draft.object;
}

function timeless(entry: JsonValue): JsonValue {
  if (!isJsonObject(entry)) return entry;
  const copy: JsonObject = { ...entry };
  delete copy["time"];
  return copy;
}
