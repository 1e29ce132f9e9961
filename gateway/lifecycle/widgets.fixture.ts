/**
 * Builders for lifecycle's unit tests: a resource, a scope, an object, each with what a test varies.
 */
import type { JsonObject } from "../apimachinery/json.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import type { DeleteOptions } from "../apimachinery/options.ts";
import { definitionWith, versionWith } from "../apimachinery/resource.fixture.ts";
import type { ResourceDefinition, ResourceVersionDefinition } from "../apimachinery/resource.ts";
import type { WriteScope } from "./write-scope.ts";

/** A namespaced resource with a status subresource. */
export function widgets(
  definition: Partial<ResourceDefinition> = {},
  version: Partial<ResourceVersionDefinition> = {},
): WriteScope["resource"] {
  const v1 = versionWith({ status: true, ...version });
  return {
    version: v1,
    definition: definitionWith({
      versions: [v1],
      verbs: ["get", "create", "update", "patch", "delete"],
      ...definition,
    }),
  };
}

/** A write to the widget `w` of namespace `ns`. */
export function scopeOf(changes: Partial<WriteScope> = {}): WriteScope {
  return { resource: widgets(), namespace: "ns", name: "w", subresource: "", ...changes };
}

/** A widget with this metadata and these further fields. */
export function widget(metadata: JsonObject, fields: JsonObject = {}): KubeObject {
  return { apiVersion: "example.com/v1", kind: "Widget", metadata, ...fields };
}

/** A widget as it is stored, at resourceVersion 7. */
export function storedWidget(metadata: JsonObject = {}, fields: JsonObject = { spec: { size: 1 } }): KubeObject {
  const filled: JsonObject = {
    name: "w",
    namespace: "ns",
    uid: "uid-1",
    resourceVersion: "7",
    generation: 1,
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
  return widget({ ...filled, ...metadata }, fields);
}

/** Delete options with nothing given but these. */
export function deleteOptions(changes: Partial<DeleteOptions> = {}): DeleteOptions {
  return {
    dryRun: false,
    gracePeriodSeconds: undefined,
    propagationPolicy: undefined,
    orphanDependents: undefined,
    preconditions: { uid: undefined, resourceVersion: undefined },
    ...changes,
  };
}

/** Freezes an object all the way down: a test then fails if anything writes to it. */
export function frozen<T>(value: T): T {
  const stack: unknown[] = [value];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (typeof at !== "object" || at === null) continue;
    Object.freeze(at);
    stack.push(...Object.values(at));
  }
  return value;
}
