/**
 * The steps of a create up to its validation.
 *
 * What the client may not set is dropped in silence, not refused: so an object that was read from
 * one place can be created in another as it is.
 * Source: apiserver pkg/endpoints/handlers/create.go, pkg/registry/rest/{create,meta}.go;
 * apiextensions-apiserver pkg/registry/customresource/strategy.go (PrepareForCreate).
 */
import { type KubeObject, metadataString, nameOf } from "../apimachinery/object.ts";
import { unknownError } from "../apimachinery/status.ts";
import { formatTime } from "../apimachinery/time.ts";
import { generateName, type RandomBelow } from "./generate-name.ts";
import { ensureNamespace } from "./namespace.ts";
import { dedupeOwners } from "./owners.ts";
import { resourceVersionOf } from "./preconditions.ts";
import { draftOf } from "./system-fields.ts";
import type { WithWarnings, WriteScope } from "./write-scope.ts";

const systemFields = ["creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

/**
 * Gives a new object as it may go on to mutating admission: without system fields, in its namespace,
 * without duplicate owners.
 * @throws StatusError 400 if the object names another namespace than the URL.
 */
export function acceptForCreate(object: KubeObject, scope: WriteScope): WithWarnings<KubeObject> {
  const draft = draftOf(object);
  for (const field of systemFields) delete draft.metadata[field];
  ensureNamespace(draft, scope);
  const warnings = dedupeOwners(draft, "received");
  return { object: draft.object, warnings };
}

/** What makes an object unique. */
export interface CreateSources {
  readonly now: Date;
  /** A random uuid, version 4. */
  readonly uid: string;
  readonly random: RandomBelow;
}

/**
 * Gives a new object with all that the server fills in: creation time, uid, generated name,
 * generation 1; without status if status is a subresource. Also for a PUT that creates.
 * @throws StatusError 400 if the object names another namespace than the URL.
 */
export function prepareForCreate(object: KubeObject, scope: WriteScope, sources: CreateSources): KubeObject {
  const draft = draftOf(object);
  const { metadata } = draft;
  metadata["creationTimestamp"] = formatTime(sources.now);
  metadata["uid"] = sources.uid;
  const base = metadataString(object, "generateName");
  if (nameOf(object) === "" && base !== "") metadata["name"] = generateName(base, sources.random);
  ensureNamespace(draft, scope);
  if (scope.resource.version.status) delete draft.object["status"];
  metadata["generation"] = 1;
  return draft.object;
}

/**
 * Refuses a new object that carries a resourceVersion. The storage's check: after validation, and
 * not for a dry run. `"0"`, and what is no number, pass.
 * @throws StatusError 500 with Kubernetes' text.
 */
export function assertNoResourceVersion(object: KubeObject): void {
  let version: bigint;
  try {
    version = resourceVersionOf(object);
  } catch {
    return;
  }
  if (version !== 0n) throw unknownError("resourceVersion should not be set on objects to be created");
}
