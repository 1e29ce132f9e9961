/**
 * The steps of an update (PUT, or a patch's result) up to its validation, and what it leads to.
 *
 * The system's fields are put back in silence where a client can't mean to change them; what is left
 * that differs is refused by validation.
 * Source: apiserver pkg/registry/rest/update.go (BeforeUpdate), pkg/endpoints/handlers/{update,patch,
 * rest}.go, pkg/registry/generic/registry/store.go (ShouldDeleteDuringUpdate); apiextensions-apiserver
 * pkg/registry/customresource/{strategy,status_strategy}.go (PrepareForUpdate).
 */
import { type JsonValue, jsonEqualSteps } from "../apimachinery/json.ts";
import { finalizersOf, type KubeObject, metadataOf, nameOf, uidOf } from "../apimachinery/object.ts";
import { badRequest } from "../apimachinery/status.ts";
import { finish, type Steps } from "../apimachinery/steps.ts";
import { ensureNamespace } from "./namespace.ts";
import { type DedupeTime, dedupeOwners } from "./owners.ts";
import {
  type Draft,
  draftOf,
  generationOf,
  metadataInteger,
  metadataTime,
  nextGeneration,
  setField,
} from "./system-fields.ts";
import type { WithWarnings, WriteScope } from "./write-scope.ts";

/**
 * Gives an object that a PUT sent, or a patch made, in its namespace and without duplicate owners.
 * @param when `received` for a PUT. A patch's result is looked at later: `afterAdmission`.
 * @throws StatusError 400 if it names another namespace or another name than the URL, or no name.
 */
export function acceptForUpdate(object: KubeObject, scope: WriteScope, when: DedupeTime): WithWarnings<KubeObject> {
  const draft = draftOf(object);
  ensureNamespace(draft, scope);
  const name = nameOf(object);
  if (name === "") {
    throw badRequest(`the name of the object (${scope.name} based on URL) was undeterminable: name must be provided`);
  }
  if (name !== scope.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${scope.name})`);
  }
  const warnings = dedupeOwners(draft, when);
  return { object: draft.object, warnings };
}

/**
 * Gives the next state with everything put back that an update can't change.
 *
 * Through the main door: generation, status if it is a subresource; the generation grows if anything
 * but metadata changed. Through `status`: everything but status and managedFields.
 * @param next has the current resourceVersion: see resolveResourceVersion.
 */
export function prepareForUpdate(next: KubeObject, current: KubeObject, scope: WriteScope): KubeObject {
  return finish(prepareForUpdateSteps(next, current, scope));
}

/** Does prepareForUpdate's work step by step. */
export function prepareForUpdateSteps(next: KubeObject, current: KubeObject, scope: WriteScope): Steps<KubeObject> {
  const isStatus = scope.subresource === "status";
  const draft = isStatus ? statusDraft(next, current) : mainDraft(next, current, scope);
  const comparing = jsonEqualSteps(besidesMetadata(draft.object), besidesMetadata(current));
  return {
    step: (units) => isStatus || comparing.step(units),
    result() {
      if (!isStatus && !comparing.result()) setGeneration(draft, nextGeneration(generationOf(current)));
      restoreSystemFields(draft, current);
      return draft.object;
    },
  };
}

function mainDraft(next: KubeObject, current: KubeObject, scope: WriteScope): Draft {
  const draft = draftOf(next);
  ensureNamespace(draft, scope);
  setGeneration(draft, generationOf(current));
  if (scope.resource.version.status) setStatus(draft, current["status"]);
  return draft;
}

/** managedFields are kept as sent: they tell who owns the status that is being written. */
function statusDraft(next: KubeObject, current: KubeObject): Draft {
  const draft = draftOf(current);
  setField(draft.metadata, "managedFields", metadataOf(next)?.["managedFields"]);
  setStatus(draft, next["status"]);
  return draft;
}

function setStatus({ object }: Draft, status: JsonValue | undefined): void {
  if (status === undefined) delete object["status"];
  else object["status"] = status;
}

function restoreSystemFields({ object, metadata }: Draft, current: KubeObject): void {
  const kept = metadataOf(current);
  if (uidOf(object) === "") setField(metadata, "uid", uidOf(current));
  for (const field of ["creationTimestamp", "deletionTimestamp"]) {
    if (metadataTime(current, field) !== undefined) setField(metadata, field, kept?.[field]);
  }
  const grace = "deletionGracePeriodSeconds";
  if (metadataInteger(object, grace) === undefined) setField(metadata, grace, metadataInteger(current, grace));
}

function setGeneration({ metadata }: Draft, generation: number | bigint): void {
  setField(metadata, "generation", BigInt(generation) === 0n ? undefined : generation);
}

function besidesMetadata(object: KubeObject): KubeObject {
  const { object: rest } = draftOf(object);
  delete rest["metadata"];
  return rest;
}

/**
 * Whether an update ends a deletion: no finalizer is left on an object that was being deleted. Then
 * the object is removed at its current revision instead of written; the client still gets `next`.
 */
export function finishesDeletion(next: KubeObject, current: KubeObject): boolean {
  if (finalizersOf(next).length > 0) return false;
  if (metadataTime(current, "deletionTimestamp") === undefined) return false;
  return BigInt(metadataInteger(current, "deletionGracePeriodSeconds") ?? 0) === 0n;
}
