/**
 * What a write asks of the object that it is about: its name, its uid, its resourceVersion.
 *
 * Source: apiserver pkg/registry/generic/registry/store.go (Update), pkg/storage/interfaces.go
 * (Preconditions), pkg/storage/api_object_versioner.go, pkg/registry/rest/delete.go.
 */
import { fieldInvalid, invalid } from "../apimachinery/field-error.ts";
import { goQuote, parseGoUint64 } from "../apimachinery/go-text.ts";
import { pathSegmentErrors } from "../apimachinery/names.ts";
import { type KubeObject, metadataString, nameOf, uidOf } from "../apimachinery/object.ts";
import type { DeleteOptions } from "../apimachinery/options.ts";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import { badRequest, conflict, type GroupWord, modifiedText, unknownError } from "../apimachinery/status.ts";
import { draftOf } from "./system-fields.ts";
import type { WriteScope } from "./write-scope.ts";

/**
 * Refuses a URL's name that can't be a segment of a key.
 * @throws StatusError 400.
 */
export function assertNameInPath(name: string): void {
  const errors = pathSegmentErrors(name);
  if (errors.length > 0) throw badRequest(`Name parameter invalid: ${goQuote(name)}: ${errors.join(";")}`);
}

/**
 * Holds a PUT's uid, if it has one, against the stored object. Before anything else is looked at.
 * @param current undefined if there is no object and the PUT may create it.
 * @throws StatusError 409 with the text of Kubernetes' storage.
 */
export function assertUid(sent: KubeObject, current: KubeObject | undefined, scope: WriteScope): void {
  const wanted = uidOf(sent);
  const found = current === undefined ? "" : uidOf(current);
  if (wanted === "" || wanted === found) return;
  const why =
    `StorageError: invalid object, Code: 4, Key: ${keyOf(scope)}, ResourceVersion: 0, AdditionalErrorMsg: ` +
    `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${found}`;
  throw conflict(resourceWord(scope.resource.definition), scope.name, why);
}

/** How an update without a resourceVersion is taken. */
export interface ResourceVersionRule {
  /** True: it is made on whatever is stored. False, as for custom resources: it is refused. */
  readonly allowUnconditional: boolean;
}

/**
 * Gives the object with the resourceVersion at which it is to be written: the current one.
 * @param current undefined if the update creates the object: the resourceVersion is only read.
 * @throws StatusError 409 if the object was changed since, 422 if none is given and one must be, 500 if
 *   it is no number.
 */
export function resolveResourceVersion(
  next: KubeObject,
  current: KubeObject | undefined,
  scope: WriteScope,
  rule: ResourceVersionRule,
): KubeObject {
  const wanted = resourceVersionOf(next);
  if (current === undefined) return next;
  const resource = resourceWord(scope.resource.definition);
  const found = resourceVersionOf(current);
  if (wanted === 0n && !rule.allowUnconditional) {
    const error = fieldInvalid("metadata.resourceVersion", 0, "must be specified for an update");
    throw invalid(resource, scope.name, [error]);
  }
  if (wanted !== 0n) {
    if (wanted !== found) throw conflict(resource, scope.name, modifiedText);
    return next;
  }
  const draft = draftOf(next);
  draft.metadata["resourceVersion"] = String(found);
  return draft.object;
}

/**
 * Gives an object's resourceVersion as a number, 0 if there is none.
 * @throws StatusError 500 with the text of Go's number parser.
 */
export function resourceVersionOf(object: KubeObject): bigint {
  const text = metadataString(object, "resourceVersion");
  if (text === "") return 0n;
  try {
    return parseGoUint64(text);
  } catch (error) {
    throw unknownError((error as Error).message);
  }
}

/**
 * Holds a delete's preconditions against the stored object.
 * @throws StatusError 409, which names the Kind where other conflicts name the resource.
 */
export function assertDeletePreconditions(
  current: KubeObject,
  { preconditions }: DeleteOptions,
  definition: ResourceDefinition,
): void {
  const kind: GroupWord = { group: definition.group, word: definition.kind };
  const uid = uidOf(current);
  if (preconditions.uid !== undefined && preconditions.uid !== uid) {
    const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict(kind, nameOf(current), why);
  }
  const version = metadataString(current, "resourceVersion");
  if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== version) {
    const why = `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${version}). The object might have been modified`;
    throw conflict(kind, nameOf(current), why);
  }
}

/** The key under which kube-apiserver would keep the object: part of a message. */
function keyOf({ resource, namespace, name }: WriteScope): string {
  const { group, plural, namespaced } = resource.definition;
  return `/registry/${group}/${plural}${namespaced ? `/${namespace}` : ""}/${name}`;
}

function resourceWord({ group, plural }: ResourceDefinition): GroupWord {
  return { group, word: plural };
}
