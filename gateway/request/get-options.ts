/**
 * The options of a get, and those of a Table.
 *
 * Source: apiserver pkg/endpoints/handlers/get.go, response.go.
 */
import { formatFieldError } from "../apimachinery/field-error.ts";
import type { GetOptions, IncludeObject } from "../apimachinery/options.ts";
import { badRequest } from "../apimachinery/status.ts";
import { invalidWord } from "./option-errors.ts";
import { type Query, switchOf, textOf } from "./query.ts";

/**
 * Gives the options of a get.
 * @throws StatusError 400 if an export is asked for.
 */
export function parseGetOptions(query: Query): GetOptions {
  if (switchOf(query, "export")) {
    throw badRequest("the export parameter, deprecated since v1.14, is no longer supported");
  }
  return { resourceVersion: textOf(query, "resourceVersion") };
}

/**
 * Gives which object a Table's rows carry. Default Metadata. Only for requests that want a Table.
 * @throws StatusError 400 for any other word.
 */
export function parseTableOptions(query: Query): IncludeObject {
  const value = textOf(query, "includeObject");
  if (value === "") return "Metadata";
  if (value === "None" || value === "Metadata" || value === "Object") return value;
  const error = invalidWord("includeObject", value, "must be 'Metadata', 'Object', 'None', or empty");
  throw badRequest(`Unable to convert to Table as requested: ${formatFieldError(error)}`);
}
