/**
 * Finalizers: which names may stand, which deserve a warning, and which may be added when.
 *
 * Source: apimachinery pkg/api/validation/objectmeta.go; apiextensions-apiserver
 * pkg/registry/customresource/{strategy,validator}.go.
 */
import { type FieldError, fieldForbidden, fieldInvalid } from "../apimachinery/field-error.ts";
import { goQuote } from "../apimachinery/go-text.ts";
import { qualifiedNameErrors } from "../apimachinery/names.ts";
import { finalizersOf, type KubeObject } from "../apimachinery/object.ts";
import { maxFieldFaults } from "./system-fields.ts";
import type { WriteScope } from "./write-scope.ts";

/** Set by a delete that leaves dependents alone; the garbage collector removes it. */
export const orphanFinalizer = "orphan";
/** Set by a delete that waits for its dependents; the garbage collector removes it. */
export const foregroundFinalizer = "foregroundDeletion";

const field = "metadata.finalizers";
const standardFinalizers: ReadonlySet<string> = new Set([orphanFinalizer, foregroundFinalizer, "kubernetes"]);

/** Checks the names, and that the two of the garbage collector don't stand together. */
export function validateFinalizers(object: KubeObject): FieldError[] {
  const finalizers = finalizersOf(object);
  const errors: FieldError[] = [];
  for (const finalizer of finalizers) {
    for (const error of qualifiedNameErrors(finalizer)) errors.push(fieldInvalid(field, finalizer, error));
    if (errors.length >= maxFieldFaults) break;
  }
  if (finalizers.includes(orphanFinalizer) && finalizers.includes(foregroundFinalizer)) {
    const detail = `finalizer ${orphanFinalizer} and ${foregroundFinalizer} cannot be both set`;
    errors.push(fieldInvalid(field, finalizers, detail));
  }
  return errors;
}

/** Refuses finalizers that an object in deletion didn't have before. */
export function validateNoNewFinalizers(next: KubeObject, current: KubeObject): FieldError[] {
  const added = addedFinalizers(next, current);
  if (added.length === 0) return [];
  const list = `[]string{${added.map(goQuote).join(", ")}}`;
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
  return [fieldForbidden(field, why)];
}

/** Gives the warnings about a new object. */
export function warningsOnCreate(object: KubeObject): readonly string[] {
  return addedFinalizers(object, undefined).slice(0, maxFieldFaults).flatMap(warningsAbout);
}

/** Gives the warnings about what an update adds. A write of status gives none. */
export function warningsOnUpdate(next: KubeObject, current: KubeObject, scope: WriteScope): readonly string[] {
  if (scope.subresource === "status") return [];
  return addedFinalizers(next, current).slice(0, maxFieldFaults).flatMap(warningsAbout);
}

function addedFinalizers(next: KubeObject, current: KubeObject | undefined): string[] {
  const had = new Set(current === undefined ? [] : finalizersOf(current));
  return [...new Set(finalizersOf(next))].filter((finalizer) => !had.has(finalizer)).sort();
}

function warningsAbout(finalizer: string): string[] {
  const warnings = qualifiedNameErrors(finalizer).map((error) => `${field}: ${goQuote(finalizer)}: ${error}`);
  if (finalizer.includes("/") || standardFinalizers.has(finalizer)) return warnings;
  const path = finalizer.includes(".") ? " including a path (/)" : "";
  warnings.push(
    `${field}: ${goQuote(finalizer)}: prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`,
  );
  return warnings;
}
