/**
 * The scale subresource: an autoscaling/v1 Scale that is a view of a few fields of its parent.
 *
 * Source: apiextensions-apiserver pkg/registry/customresource/etcd.go.
 */
import { goTypeOf, goValueText } from "../apimachinery/go-type.ts";
import { cloneJson, isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { metadataOf } from "../apimachinery/object.ts";
import type { ScalePaths } from "../apimachinery/resource.ts";
import { badRequest, internalError } from "../apimachinery/status.ts";

/** Marks replicas that were never set: no client can mean the smallest int32. */
const unsetReplicas = -2147483648;

/**
 * Gives the Scale of a parent.
 * @throws StatusError 500 if the parent has no replicas, as kube-apiserver answers a get.
 */
export function scaleOf(parent: JsonObject, paths: ScalePaths): JsonObject {
  const scale = looseScaleOf(parent, paths);
  if (replicasOf(scale) === unsetReplicas) {
    throw internalError(`the spec replicas field ${JSON.stringify(paths.specReplicasPath)} does not exist`);
  }
  return scale;
}

/** Gives the Scale of a parent, with a mark in place of replicas that were never set: what a write starts from. */
export function looseScaleOf(parent: JsonObject, paths: ScalePaths): JsonObject {
  const metadata = metadataOf(parent) ?? {};
  const selector = paths.labelSelectorPath === "" ? undefined : valueAt(parent, paths.labelSelectorPath);
  if (selector !== undefined && typeof selector !== "string") {
    throw internalError(wrongType(paths.labelSelectorPath, selector, "string"));
  }
  const replicas = integerAt(parent, paths.specReplicasPath) ?? unsetReplicas;
  const scaleMetadata: JsonObject = {};
  for (const field of ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"]) {
    const value = metadata[field];
    if (value !== undefined) scaleMetadata[field] = value;
  }
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: scaleMetadata,
    // Go leaves a zero out here, and not below.
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: integerAt(parent, paths.statusReplicasPath) ?? 0,
      ...(selector ? { selector } : {}),
    },
  };
}

/** Gives a Scale as Go writes it: without replicas if there are to be none. Then no one owns them. */
export function compactScale(scale: JsonObject): JsonObject {
  const spec = scale["spec"];
  return isJsonObject(spec) && replicasOf(scale) === 0 ? { ...scale, spec: {} } : scale;
}

/**
 * Gives the parent with a Scale's replicas, and its resourceVersion as a precondition.
 * @throws StatusError 400 if the Scale carries no replicas.
 */
export function parentWithScale(parent: JsonObject, scale: JsonObject, paths: ScalePaths): JsonObject {
  const replicas = replicasOf(scale);
  if (replicas === unsetReplicas) {
    throw badRequest(`the spec replicas field ${JSON.stringify(paths.specReplicasPath)} cannot be empty`);
  }
  const next = cloneJson(parent);
  let at = next;
  const parts = pathParts(paths.specReplicasPath);
  for (const part of parts.slice(0, -1)) {
    let child = at[part];
    if (!isJsonObject(child)) {
      child = newJsonObject();
      at[part] = child;
    }
    at = child;
  }
  at[parts[parts.length - 1] as string] = replicas;
  const resourceVersion = metadataOf(scale)?.["resourceVersion"];
  const metadata = metadataOf(next);
  if (metadata !== undefined) {
    if (typeof resourceVersion === "string" && resourceVersion !== "") metadata["resourceVersion"] = resourceVersion;
  }
  return next;
}

function replicasOf(scale: JsonObject): number {
  const spec = scale["spec"];
  const replicas = isJsonObject(spec) ? spec["replicas"] : undefined;
  return typeof replicas === "number" ? replicas : 0;
}

function integerAt(parent: JsonObject, path: string): number | undefined {
  const value = valueAt(parent, path);
  if (value === undefined) return undefined;
  if (typeof value === "bigint") return Number(BigInt.asIntN(32, value));
  if (typeof value !== "number" || !Number.isInteger(value)) throw internalError(wrongType(path, value, "int64"));
  return value;
}

function valueAt(object: JsonObject, path: string): JsonValue | undefined {
  let at: JsonValue | undefined = object;
  for (const part of pathParts(path)) {
    if (!isJsonObject(at)) return undefined;
    at = at[part];
  }
  return at;
}

function pathParts(path: string): string[] {
  return (path.startsWith(".") ? path.slice(1) : path).split(".");
}

function wrongType(path: string, value: JsonValue, wanted: string): string {
  return `${path} accessor error: ${goValueText(value)} is of the type ${goTypeOf(value)}, expected ${wanted}`;
}
