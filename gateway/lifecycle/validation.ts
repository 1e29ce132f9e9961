/**
 * What is checked before a write, in the order of Kubernetes' messages.
 *
 * The caller puts schema's errors after these, then validateScale's, then what else the schema checks
 * (embedded objects, list types, rules), and answers with all of them in one 422. If validateTypeMeta
 * has complaints, values are not held against the schema nor the scale.
 * Source: apiextensions-apiserver pkg/registry/customresource/validator.go; apiserver
 * pkg/registry/rest/{create,update}.go.
 */
import { type FieldError, fieldInvalid } from "../apimachinery/field-error.ts";
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import { nameIsDnsSubdomain, nameIsPathSegment } from "../apimachinery/names.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";
import { stringOf } from "./system-fields.ts";
import type { WriteScope } from "./write-scope.ts";

/** Checks a prepared new object: kind and apiVersion, and only if they are right, metadata. */
export function validateForCreate(object: KubeObject, scope: WriteScope): FieldError[] {
  const typeErrors = validateTypeMeta(object, scope.resource);
  if (typeErrors.length > 0) return typeErrors;
  const { namespaced } = scope.resource.definition;
  return validateObjectMeta(object, { namespaced, nameRule: nameIsDnsSubdomain });
}

/**
 * Checks a prepared next state. Errors of metadata come twice, as they do from kube-apiserver: the
 * message names each once, the causes twice.
 */
export function validateForUpdate(next: KubeObject, current: KubeObject, scope: WriteScope): FieldError[] {
  const { namespaced } = scope.resource.definition;
  const typeErrors = validateTypeMeta(next, scope.resource);
  const updateErrors = validateObjectMetaUpdate(next, current);
  return [
    ...validateObjectMeta(next, { namespaced, nameRule: nameIsPathSegment }),
    ...updateErrors,
    ...(typeErrors.length > 0 ? typeErrors : updateErrors),
  ];
}

/** Checks that the object is of the kind and version that are served here. */
export function validateTypeMeta(object: KubeObject, { definition, version }: ServedResource): FieldError[] {
  const errors: FieldError[] = [];
  const kind = stringOf(object, "kind");
  if (kind !== definition.kind) errors.push(fieldInvalid("kind", kind, `must be ${definition.kind}`));
  const apiVersion = stringOf(object, "apiVersion");
  const wanted = formatGroupVersion(definition.group, version.name);
  if (apiVersion !== wanted) errors.push(fieldInvalid("apiVersion", apiVersion, `must be ${wanted}`));
  return errors;
}
