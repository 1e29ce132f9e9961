/**
 * What a delete does: removes the object, marks it as being deleted, or finds nothing to do.
 *
 * An object with finalizers stays, marked, until the last of them is gone (then finishesDeletion).
 * How dependents fare is told to the garbage collector by a finalizer that the delete sets.
 * Deliberately absent: graceful deletion, which custom resources don't have.
 * Source: apiserver pkg/registry/rest/delete.go, pkg/registry/generic/registry/store.go
 * (deletionFinalizersForGarbageCollection, markAsDeleting, updateForGracefulDeletionAndFinalizers).
 */
import { finalizersOf, type KubeObject } from "../apimachinery/object.ts";
import type { DeleteOptions } from "../apimachinery/options.ts";
import { formatTime } from "../apimachinery/time.ts";
import { foregroundFinalizer, orphanFinalizer } from "./finalizers.ts";
import { assertDeletePreconditions } from "./preconditions.ts";
import { isUnchanged } from "./stored-form.ts";
import { draftOf, generationOf, metadataTime, nextGeneration } from "./system-fields.ts";
import type { WriteScope } from "./write-scope.ts";

/** The outcome of a delete, to be carried out at the current object's revision. */
export type DeletionPlan =
  /** Remove it. Answer: a Status with the uid of the removed object. */
  | { readonly action: "remove" }
  /** Write `next` and answer with it. `status`: 202 where the client asked for `orphanDependents=false`. */
  | { readonly action: "store"; readonly next: KubeObject; readonly status: 200 | 202 }
  /** Its deletion began before and nothing changes: answer with the current object. */
  | { readonly action: "none"; readonly status: 200 | 202 };

/**
 * Decides what a delete does to the current object.
 * @throws StatusError 409 if a precondition doesn't hold.
 */
export function planDeletion(current: KubeObject, options: DeleteOptions, scope: WriteScope, now: Date): DeletionPlan {
  assertDeletePreconditions(current, options, scope.resource.definition);
  const finalizers = finalizersAfter(finalizersOf(current), options);
  if (finalizers.length === 0) return { action: "remove" };
  const next = markedForDeletion(current, finalizers, now);
  const status = options.orphanDependents === false ? 202 : 200;
  return isUnchanged(next, current) ? { action: "none", status } : { action: "store", next, status };
}

type Dependents = "orphan" | "foreground" | "background";

/** The finalizers that the delete leaves: the garbage collector's are put to what the delete asks. */
function finalizersAfter(finalizers: readonly string[], options: DeleteOptions): readonly string[] {
  const dependents = dependentsOf(finalizers, options);
  const wanted = finalizers.filter((finalizer) => finalizer !== orphanFinalizer && finalizer !== foregroundFinalizer);
  if (dependents === "orphan") wanted.push(orphanFinalizer);
  if (dependents === "foreground") wanted.push(foregroundFinalizer);
  // The same set in another order is no change.
  const before = new Set(finalizers);
  const after = new Set(wanted);
  return before.size === after.size && wanted.every((finalizer) => before.has(finalizer)) ? finalizers : wanted;
}

/** What the options say goes before what the object's finalizers say; without both, dependents go in the background. */
function dependentsOf(finalizers: readonly string[], options: DeleteOptions): Dependents {
  if (options.orphanDependents !== undefined) return options.orphanDependents ? "orphan" : "background";
  if (options.propagationPolicy === "Orphan") return "orphan";
  if (options.propagationPolicy === "Foreground") return "foreground";
  if (options.propagationPolicy === "Background") return "background";
  const first = finalizers.find((finalizer) => finalizer === orphanFinalizer || finalizer === foregroundFinalizer);
  if (first === undefined) return "background";
  return first === orphanFinalizer ? "orphan" : "foreground";
}

function markedForDeletion(current: KubeObject, finalizers: readonly string[], now: Date): KubeObject {
  const { object, metadata } = draftOf(current);
  metadata["finalizers"] = [...finalizers];
  const since = metadataTime(current, "deletionTimestamp");
  const generation = generationOf(current);
  if (since === undefined && generation > 0) metadata["generation"] = nextGeneration(generation);
  if (since === undefined || since.getTime() > now.getTime()) metadata["deletionTimestamp"] = formatTime(now);
  metadata["deletionGracePeriodSeconds"] = 0;
  return object;
}
