/**
 * The entries of managedFields, checked for form; what they own is apply's business.
 *
 * Source: apimachinery pkg/apis/meta/v1/validation/validation.go.
 */
import { type FieldError, fieldInvalid, fieldTooLong } from "../apimachinery/field-error.ts";
import type { KubeObject } from "../apimachinery/object.ts";
import { maxFieldFaults, metadataObjects, stringOf } from "./system-fields.ts";

const maxManagerBytes = 128;
const maxSubresourceBytes = 256;

/** Checks each entry's operation, fieldsType, manager and subresource. */
export function validateManagedFields(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [index, entry] of metadataObjects(object, "managedFields").entries()) {
    const at = `metadata.managedFields[${index}]`;
    const operation = stringOf(entry, "operation");
    if (operation !== "Apply" && operation !== "Update") {
      errors.push(fieldInvalid(`${at}.operation`, operation, "must be `Apply` or `Update`"));
    }
    const fieldsType = stringOf(entry, "fieldsType");
    if (fieldsType !== "" && fieldsType !== "FieldsV1") {
      errors.push(fieldInvalid(`${at}.fieldsType`, fieldsType, "must be `FieldsV1`"));
    }
    errors.push(...validateManager(stringOf(entry, "manager"), `${at}.manager`));
    if (Buffer.byteLength(stringOf(entry, "subresource")) > maxSubresourceBytes) {
      errors.push(fieldTooLong(`${at}.subresource`, maxSubresourceBytes));
    }
    if (errors.length >= maxFieldFaults) break;
  }
  return errors;
}

/** Checks a field manager's name: at most 128 bytes, nothing that can't be printed. */
function validateManager(manager: string, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > maxManagerBytes) errors.push(fieldTooLong(field, maxManagerBytes));
  let position = 0;
  for (const char of manager) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) {
      const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      errors.push(fieldInvalid(field, manager, `invalid character U+${code} (at position ${position})`));
    }
    if (errors.length >= maxFieldFaults) break;
    position += Buffer.byteLength(char);
  }
  return errors;
}
