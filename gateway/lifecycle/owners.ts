/**
 * Owner references: duplicates are removed with a warning, and each is checked.
 *
 * Source: apiserver pkg/endpoints/handlers/rest.go; apimachinery pkg/api/validation/objectmeta.go.
 */
import { type FieldError, fieldInvalid } from "../apimachinery/field-error.ts";
import { parseGroupVersion } from "../apimachinery/gvk.ts";
import { encodeJson, type JsonObject, jsonEncoder } from "../apimachinery/json.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import { finish } from "../apimachinery/steps.ts";
import { type Draft, maxFieldFaults, metadataObjects, stringOf } from "./system-fields.ts";

/** When the duplicates were seen: the warning says so. */
export type DedupeTime = "received" | "afterAdmission";

/**
 * Removes owner references that are equal to an earlier one. Those with the same uid that differ stay.
 * @returns the warnings, one or none.
 */
export function dedupeOwners(draft: Draft, when: DedupeTime): readonly string[] {
  const owners = metadataObjects(draft.object, "ownerReferences");
  const seen = new Set<string>();
  const result: JsonObject[] = [];
  const duplicates: string[] = [];
  for (const owner of owners) {
    const uid = stringOf(owner, "uid");
    // Equal references have equal text: keys are sorted. So thousands of one uid take no more than their length.
    const text = encodeJson(owner);
    if (seen.has(text)) duplicates.push(uid);
    else result.push(owner);
    seen.add(text);
  }
  if (duplicates.length === 0) return [];
  draft.metadata["ownerReferences"] = result;
  return [duplicateWarning(duplicates, when)];
}

function duplicateWarning(duplicates: readonly string[], when: DedupeTime): string {
  const found = when === "received" ? "" : " after mutating admission happens";
  return (
    `.metadata.ownerReferences contains duplicate entries${found}; API server dedups owner references in 1.20+, ` +
    `and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${duplicates.join(", ")}`
  );
}

const field = "metadata.ownerReferences";
/** Characters of JSON that are shown more than once. */
const maxShownLength = 16 * 1024;

/** Checks each owner reference, and that at most one is the controller. */
export function validateOwners(object: KubeObject): FieldError[] {
  const owners = metadataObjects(object, "ownerReferences");
  const errors: FieldError[] = [];
  let controller = "";
  let shown: string | undefined;
  for (const owner of owners) {
    if (errors.length >= maxFieldFaults) break;
    errors.push(...validateOwner(owner));
    if (owner["controller"] !== true) continue;
    const name = `${stringOf(owner, "kind")}/${stringOf(owner, "name")}`;
    if (controller === "") {
      controller = name;
      continue;
    }
    shown ??= formatOwners(owners.map(typed));
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
    errors.push(invalidValue(shown, detail));
    // Each of these shows the whole list: of a long one, the first is enough.
    if (shown.length > maxShownLength) break;
  }
  return errors;
}

function validateOwner(owner: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  const { group, version } = groupVersionOf(stringOf(owner, "apiVersion"));
  if (version === "") {
    errors.push(fieldInvalid(`${field}.apiVersion`, stringOf(owner, "apiVersion"), "version must not be empty"));
  }
  for (const part of ["kind", "name", "uid"]) {
    if (stringOf(owner, part) === "") errors.push(fieldInvalid(`${field}.${part}`, "", "must not be empty"));
  }
  if (group === "" && version === "v1" && stringOf(owner, "kind") === "Event") {
    errors.push(invalidValue(formatOwners(typed(owner)), "/v1, Kind=Event is disallowed from being an owner"));
  }
  return errors;
}

/** Reads an apiVersion; text that is none has neither group nor version. */
function groupVersionOf(apiVersion: string): { group: string; version: string } {
  try {
    return parseGroupVersion(apiVersion);
  } catch {
    return { group: "", version: "" };
  }
}

/** The reference with its known fields, in the order in which Go's struct has them. */
function typed(owner: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const part of ["apiVersion", "kind", "name", "uid"]) out[part] = stringOf(owner, part);
  for (const part of ["controller", "blockOwnerDeletion"]) {
    const value = owner[part];
    if (typeof value === "boolean") out[part] = value;
  }
  return out;
}

/** Gives the JSON in the order of the fields, as Go writes a struct. */
function formatOwners(value: JsonObject | JsonObject[]): string {
  return finish(jsonEncoder(value, { keepOrder: true })).toString();
}

function invalidValue(shown: string, detail: string): FieldError {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${shown}: ${detail}` };
}
