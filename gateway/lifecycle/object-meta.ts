/**
 * The rules of metadata: those of every object, and those between an object and its next state.
 *
 * Source: apimachinery pkg/api/validation/objectmeta.go, pkg/apis/meta/v1/validation/validation.go.
 */
import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  fieldTooLong,
} from "../apimachinery/field-error.ts";
import type { JsonObject } from "../apimachinery/json.ts";
import {
  dns1123LabelErrors,
  labelValueErrors,
  type NameRule,
  nameIsPathSegment,
  qualifiedNameErrors,
} from "../apimachinery/names.ts";
import { type KubeObject, metadataString, nameOf, namespaceOf } from "../apimachinery/object.ts";
import { formatTime } from "../apimachinery/time.ts";
import { validateFinalizers, validateNoNewFinalizers } from "./finalizers.ts";
import { validateManagedFields } from "./managed-fields.ts";
import { validateOwners } from "./owners.ts";
import { generationOf, maxFieldFaults, metadataEntries, metadataInteger, metadataTime } from "./system-fields.ts";

/** Keys and values of all annotations together: they are meant for notes, and every read carries them. */
const maxAnnotationBytes = 256 * 1024;

/** What the resource says of names. */
export interface MetadataRules {
  readonly namespaced: boolean;
  readonly nameRule: NameRule;
}

/** Checks an object's metadata by itself, once its name has been generated. */
export function validateObjectMeta(object: KubeObject, rules: MetadataRules): FieldError[] {
  return [
    ...validateNames(object, rules.nameRule),
    ...validateNamespace(object, rules.namespaced),
    ...validateGeneration(object),
    ...validateLabels(object),
    ...validateAnnotations(object),
    ...validateOwners(object),
    ...validateFinalizers(object),
    ...validateManagedFields(object),
  ];
}

/** Checks the metadata of an object inside another one, in shape; `place` is where it stands. */
export function validateEmbeddedMeta(metadata: JsonObject, place: string): FieldError[] {
  const object = { metadata: { ...metadata, name: metadata["name"] ?? "unnamed" } };
  const rules = { namespaced: metadata["namespace"] !== undefined, nameRule: nameIsPathSegment };
  return validateObjectMeta(object as KubeObject, rules).map((fault) => ({
    ...fault,
    field: fault.field.replace(/^metadata/, () => place),
  }));
}

/** Checks the next state of an object's metadata against the current one. */
export function validateObjectMetaUpdate(next: KubeObject, current: KubeObject): FieldError[] {
  const isDeleting = metadataTime(current, "deletionTimestamp") !== undefined;
  return [
    ...(isDeleting ? validateNoNewFinalizers(next, current) : []),
    ...validateResourceVersion(next),
    ...validateGenerationGrowth(next, current),
    ...validateImmutable(next, current),
    ...validateLabels(next),
    ...validateAnnotations(next),
    ...validateOwners(next),
    ...validateManagedFields(next),
  ];
}

function validateNames(object: KubeObject, rule: NameRule): FieldError[] {
  const base = metadataString(object, "generateName");
  const errors = base === "" ? [] : rule(base, true).map((error) => fieldInvalid("metadata.generateName", base, error));
  const name = nameOf(object);
  if (name === "") errors.push(fieldRequired("metadata.name", "name or generateName is required"));
  else errors.push(...rule(name, false).map((error) => fieldInvalid("metadata.name", name, error)));
  return errors;
}

function validateNamespace(object: KubeObject, namespaced: boolean): FieldError[] {
  const field = "metadata.namespace";
  const namespace = namespaceOf(object);
  if (!namespaced) return namespace === "" ? [] : [fieldForbidden(field, "not allowed on this type")];
  if (namespace === "") return [fieldRequired(field)];
  return dns1123LabelErrors(namespace).map((error) => fieldInvalid(field, namespace, error));
}

function validateGeneration(object: KubeObject): FieldError[] {
  const generation = generationOf(object);
  if (generation >= 0) return [];
  return [fieldInvalid("metadata.generation", generation, "must be greater than or equal to 0")];
}

function validateLabels(object: KubeObject): FieldError[] {
  const field = "metadata.labels";
  const errors: FieldError[] = [];
  for (const [key, value] of metadataEntries(object, "labels")) {
    for (const error of qualifiedNameErrors(key)) errors.push(fieldInvalid(field, key, error));
    for (const error of labelValueErrors(value)) errors.push(fieldInvalid(field, value, error));
    if (errors.length >= maxFieldFaults) break;
  }
  return errors;
}

function validateAnnotations(object: KubeObject): FieldError[] {
  const field = "metadata.annotations";
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const [key, value] of metadataEntries(object, "annotations")) {
    if (errors.length < maxFieldFaults) {
      for (const error of qualifiedNameErrors(key.toLowerCase())) errors.push(fieldInvalid(field, key, error));
    }
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxAnnotationBytes) errors.push(fieldTooLong(field, maxAnnotationBytes));
  return errors;
}

function validateResourceVersion(next: KubeObject): FieldError[] {
  if (metadataString(next, "resourceVersion") !== "") return [];
  return [fieldInvalid("metadata.resourceVersion", "", "must be specified for an update")];
}

function validateGenerationGrowth(next: KubeObject, current: KubeObject): FieldError[] {
  const generation = generationOf(next);
  if (generation >= generationOf(current)) return [];
  return [fieldInvalid("metadata.generation", generation, "must not be decremented")];
}

function validateImmutable(next: KubeObject, current: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const compare = (field: string, value: unknown, before: unknown) => {
    if (value !== before) errors.push(fieldInvalid(`metadata.${field}`, value, "field is immutable"));
  };
  for (const field of ["name", "namespace", "uid"]) {
    compare(field, metadataString(next, field), metadataString(current, field));
  }
  for (const field of ["creationTimestamp", "deletionTimestamp"]) {
    if (metadataString(next, field) === metadataString(current, field)) continue;
    compare(field, timeText(next, field), timeText(current, field));
  }
  const grace = "deletionGracePeriodSeconds";
  compare(grace, metadataInteger(next, grace), metadataInteger(current, grace));
  return errors;
}

function timeText(object: KubeObject, field: string): string | undefined {
  const time = metadataTime(object, field);
  return time === undefined ? undefined : formatTime(time);
}
