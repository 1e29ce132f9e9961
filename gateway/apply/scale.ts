/**
 * Who owns the replicas, seen from an object's Scale and back.
 *
 * A Scale's owners are those of the parent's replicas; who takes them through the Scale takes them from
 * the parent's owners. A new owner has no time, as in Kubernetes.
 * Source: apimachinery pkg/util/managedfields/scalehandler.go.
 */
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import type { JsonArray, JsonObject } from "../apimachinery/json.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import type { FieldDefinition } from "./field-scopes.ts";
import { entriesFrom, entriesOf, readOwners, trustedSet, withEntries } from "./managed-fields.ts";
import type { Owner } from "./ownership.ts";
import { difference, hasPath, isEmpty, setOfPath } from "./path-set.ts";

const scaleApiVersion = "autoscaling/v1";
const scaleReplicas = ["f:spec", "f:replicas"];

/** Gives a Scale with the managedFields that follow from its parent's. */
export function withScaleFields(definition: FieldDefinition, parent: KubeObject, scale: JsonObject): JsonObject {
  const owners = new Map<string, Owner>();
  for (const [id, owner] of readOwners(entriesOf(parent), trustedSet)) {
    const path = replicasPath(definition, owner.apiVersion);
    if (path === undefined || !hasPath(owner.set, path)) continue;
    owners.set(id, { ...owner, apiVersion: scaleApiVersion, set: setOfPath(scaleReplicas) });
  }
  return withEntries(scale, entriesFrom(owners));
}

/** Gives the parent with the managedFields that follow from its Scale's after a write in `version`. */
export function withParentFields(
  definition: FieldDefinition,
  version: string,
  parent: KubeObject,
  scale: JsonObject,
): KubeObject {
  return withEntries(parent, parentEntries(definition, version, parent, scale));
}

function parentEntries(
  definition: FieldDefinition,
  version: string,
  parent: KubeObject,
  scale: JsonObject,
): JsonArray | undefined {
  const before = readOwners(entriesOf(parent), trustedSet);
  const left = readOwners(entriesOf(scale), trustedSet);
  const after = new Map<string, Owner>();
  for (const [id, owner] of before) {
    // What was owned in a version that is gone is no one's.
    if (!hasVersion(definition, owner.apiVersion)) continue;
    const path = replicasPath(definition, owner.apiVersion);
    if (path === undefined || !hasPath(owner.set, path) || left.delete(id)) {
      after.set(id, owner);
      continue;
    }
    const set = difference(owner.set, setOfPath(path));
    if (!isEmpty(set)) after.set(id, { ...owner, set });
  }
  const apiVersion = formatGroupVersion(definition.group, version);
  const path = replicasPath(definition, apiVersion);
  for (const [id, owner] of left) {
    if (path === undefined || !hasPath(owner.set, scaleReplicas)) continue;
    after.set(id, { ...owner, apiVersion, set: setOfPath(path), time: before.get(id)?.time });
  }
  return entriesFrom(after);
}

function hasVersion({ group, versions }: FieldDefinition, apiVersion: string): boolean {
  return versions.some((one) => formatGroupVersion(group, one.name) === apiVersion);
}

function replicasPath({ group, versions }: FieldDefinition, apiVersion: string): string[] | undefined {
  const path = versions.find((one) => formatGroupVersion(group, one.name) === apiVersion)?.scale?.specReplicasPath;
  return path
    ?.replace(/^\./, "")
    .split(".")
    .map((part) => `f:${part}`);
}
