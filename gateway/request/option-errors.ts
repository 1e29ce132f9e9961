/**
 * What the errors of all options share: their kind's name, and words of an enumeration.
 *
 * Source: apimachinery pkg/util/validation/field/errors.go: a value whose Go type is a named string
 * is shown as JSON, not as a Go string.
 */
import type { FieldError } from "../apimachinery/field-error.ts";
import { goQuote } from "../apimachinery/go-text.ts";
import { encodeJson } from "../apimachinery/json.ts";
import type { GroupWord } from "../apimachinery/status.ts";

/** Gives the name of an options kind as a 422 shows it. */
export function metaKind(word: string): GroupWord {
  return { group: "meta.k8s.io", word };
}

/** Gives `Unsupported value: <value>: supported values: "a", "b"` for a word of an enumeration. */
export function notSupportedWord(field: string, value: string, supported: readonly string[]): FieldError {
  const list = supported.map(goQuote).join(", ");
  return {
    reason: "FieldValueNotSupported",
    field,
    message: `Unsupported value: ${encodeJson(value)}: supported values: ${list}`,
  };
}

/** Gives `Invalid value: <value>: <detail>` for a word of an enumeration. */
export function invalidWord(field: string, value: string, detail: string): FieldError {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${encodeJson(value)}: ${detail}` };
}
