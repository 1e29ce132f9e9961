/**
 * The options of create, update and patch, and the field manager that a User-Agent stands for.
 *
 * Source: apimachinery pkg/apis/meta/v1/validation/validation.go; apiserver
 * pkg/endpoints/handlers/create.go (manager), rest.go (fieldValidation's default).
 */
import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  invalid,
} from "../apimachinery/field-error.ts";
import type { PatchOptions, WriteOptions } from "../apimachinery/options.ts";
import { metaKind } from "./option-errors.ts";
import { type Query, switchOf, textOf } from "./query.ts";

/** Longest field manager in bytes. */
const maxManagerBytes = 128;

/**
 * Gives the options of a create.
 * @throws StatusError 422 for values that are not allowed.
 */
export function parseCreateOptions(query: Query): WriteOptions {
  return writeOptions("CreateOptions", query, []);
}

/**
 * Gives the options of an update.
 * @throws StatusError 422 for values that are not allowed.
 */
export function parseUpdateOptions(query: Query): WriteOptions {
  return writeOptions("UpdateOptions", query, []);
}

/**
 * Gives the options of a patch.
 *
 * @param isApply whether it is server-side apply, which must name its manager and may use force.
 * @throws StatusError 422 for values that are not allowed.
 */
export function parsePatchOptions(query: Query, isApply: boolean): PatchOptions {
  const force = switchOf(query, "force");
  const errors: FieldError[] = [];
  if (isApply && textOf(query, "fieldManager") === "") {
    errors.push(fieldRequired("fieldManager", "is required for apply patch"));
  }
  if (!isApply && force !== undefined) {
    errors.push(fieldForbidden("force", "may not be specified for non-apply patch"));
  }
  return { ...writeOptions("PatchOptions", query, errors), force };
}

/** Gives the field manager of a write: the one asked for, else what precedes the User-Agent's first slash. */
export function fieldManagerOf(fieldManager: string, userAgent: string): string {
  if (fieldManager !== "") return fieldManager;
  let manager = "";
  let bytes = 0;
  // A header's characters are its bytes.
  const product = Buffer.from(userAgent.split("/")[0] ?? "", "latin1").toString("utf8");
  for (const char of product) {
    if (!isPrintable(char)) continue;
    bytes += Buffer.byteLength(char);
    if (bytes > maxManagerBytes) break;
    manager += char;
  }
  return manager;
}

function writeOptions(kind: string, query: Query, errors: readonly FieldError[]): WriteOptions {
  const fieldManager = textOf(query, "fieldManager");
  const fieldValidation = textOf(query, "fieldValidation");
  const dryRun = query.get("dryRun") ?? [];
  const all = [
    ...errors,
    ...managerErrors(fieldManager),
    ...dryRunErrors(dryRun),
    ...(isFieldValidation(fieldValidation)
      ? []
      : [fieldNotSupported("fieldValidation", fieldValidation, ["", "Ignore", "Strict", "Warn"])]),
  ];
  if (all.length > 0) throw invalid(metaKind(kind), "", all);
  return {
    dryRun: dryRun.length > 0,
    fieldManager,
    fieldValidation: fieldValidation === "Ignore" || fieldValidation === "Strict" ? fieldValidation : "Warn",
  };
}

/** Gives the errors of a dryRun list, all of which must be `All`. */
export function dryRunErrors(dryRun: readonly string[]): FieldError[] {
  return dryRun.every((value) => value === "All") ? [] : [fieldNotSupported("dryRun", dryRun, ["All"])];
}

function isFieldValidation(value: string): boolean {
  return value === "" || value === "Ignore" || value === "Warn" || value === "Strict";
}

function managerErrors(manager: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > maxManagerBytes) errors.push(fieldTooLong("fieldManager", maxManagerBytes));
  let position = 0;
  for (const char of manager) {
    if (!isPrintable(char)) {
      const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      errors.push(fieldInvalid("fieldManager", manager, `invalid character U+${code} (at position ${position})`));
    }
    position += Buffer.byteLength(char);
  }
  return errors;
}

/** Go's idea of printable: letters, marks, numbers, punctuation, symbols and the plain space. */
function isPrintable(char: string): boolean {
  return char === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char);
}
