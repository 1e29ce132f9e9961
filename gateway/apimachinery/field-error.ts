/**
 * Errors about one field of an object, and the 422 that lists them.
 *
 * Source: apimachinery pkg/util/validation/field/errors.go.
 */

import { formatGoFloat, goQuote } from "./go-text.ts";
import { formatGroupWord } from "./gvk.ts";
import { encodeJson, type JsonValue } from "./json.ts";
import { type GroupWord, StatusError } from "./status.ts";

/** The machine word of a field error: the cause's `reason`. */
export type FieldErrorReason =
  | "FieldValueNotFound"
  | "FieldValueRequired"
  | "FieldValueDuplicate"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueTypeInvalid"
  | "InternalError";

/** One field error. `message` is the text after the path, `Invalid value: "x": must be y`. */
export interface FieldError {
  readonly reason: FieldErrorReason;
  /** `spec.ports[0].name`, `metadata.labels`; `<nil>` where Kubernetes has no path. */
  readonly field: string;
  readonly message: string;
}

/** Gives `Required value`, with the detail if there is one. */
export function fieldRequired(field: string, detail = ""): FieldError {
  return { reason: "FieldValueRequired", field, message: withDetail("Required value", detail) };
}

/** Gives `Invalid value: <value>: <detail>`. */
export function fieldInvalid(field: string, value: unknown, detail: string): FieldError {
  return {
    reason: "FieldValueInvalid",
    field,
    message: withDetail(`Invalid value: ${formatFieldValue(value)}`, detail),
  };
}

/** Gives `Invalid value: <value>: <detail>` with the reason for a wrong type or format. */
export function fieldTypeInvalid(field: string, value: unknown, detail: string): FieldError {
  return {
    reason: "FieldValueTypeInvalid",
    field,
    message: withDetail(`Invalid value: ${formatFieldValue(value)}`, detail),
  };
}

/** Gives `Unsupported value: <value>: supported values: "a", "b"`, in the order given. */
export function fieldNotSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.length === 0 ? "" : `supported values: ${supported.map(goQuote).join(", ")}`;
  return {
    reason: "FieldValueNotSupported",
    field,
    message: withDetail(`Unsupported value: ${formatFieldValue(value)}`, list),
  };
}

/** Gives `Forbidden: <detail>`. */
export function fieldForbidden(field: string, detail: string): FieldError {
  return { reason: "FieldValueForbidden", field, message: withDetail("Forbidden", detail) };
}

/** Gives `Duplicate value: <value>`. */
export function fieldDuplicate(field: string, value: unknown): FieldError {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${formatFieldValue(value)}` };
}

/** Gives `Too long: may not be more than N bytes`. */
export function fieldTooLong(field: string, maxBytes: number): FieldError {
  return {
    reason: "FieldValueTooLong",
    field,
    message: `Too long: may not be more than ${maxBytes} ${maxBytes === 1 ? "byte" : "bytes"}`,
  };
}

/** Gives `Too many: N: must have at most M items`. */
export function fieldTooMany(field: string, actual: number, max: number): FieldError {
  return {
    reason: "FieldValueTooMany",
    field,
    message: `Too many: ${actual}: must have at most ${max} ${max === 1 ? "item" : "items"}`,
  };
}

/** Gives a value as field errors show it: strings quoted as Go does, the rest as JSON. */
export function formatFieldValue(value: unknown): string {
  if (typeof value === "string") return goQuote(value);
  if (value === undefined || value === null) return "null";
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : formatGoFloat(value);
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  return encodeJson(value as JsonValue);
}

/** Gives `field: message`, or the message alone where Kubernetes has no path. */
export function formatFieldError(error: FieldError): string {
  return `${error.field}: ${error.message}`;
}

/** 422 Invalid. `kind.word` is the Kind; duplicates are removed from the message but not the causes. */
export function invalid(kind: GroupWord, name: string, errors: readonly FieldError[]): StatusError {
  const texts = [...new Set(errors.map(formatFieldError))];
  const list = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  return new StatusError({
    code: 422,
    reason: "Invalid",
    message: `${formatGroupWord(kind.word, kind.group)} "${name}" is invalid${texts.length === 0 ? "" : `: ${list}`}`,
    details: {
      ...(name === "" ? {} : { name }),
      ...(kind.group === "" ? {} : { group: kind.group }),
      ...(kind.word === "" ? {} : { kind: kind.word }),
      causes: errors.map((error) => ({ reason: error.reason, message: error.message, field: error.field })),
    },
  });
}

function withDetail(text: string, detail: string): string {
  return detail === "" ? text : `${text}: ${detail}`;
}
