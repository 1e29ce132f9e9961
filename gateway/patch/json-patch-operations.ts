/**
 * A JSON patch as sent into operations, with what a strict decoder holds against it.
 *
 * Source: apiserver pkg/endpoints/handlers/patch.go (jsonPatchOp, applyJSPatch).
 */
import { goQuote } from "../apimachinery/go-text.ts";
import { goTypeWord } from "../apimachinery/go-type.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { badRequest, requestEntityTooLarge, type StatusError } from "../apimachinery/status.ts";

/** One operation. `value` is undefined if the patch gave none. */
export interface JsonPatchOperation {
  readonly op: string;
  readonly path: string | undefined;
  readonly from: string | undefined;
  readonly value: JsonValue | undefined;
}

/** kube-apiserver's bound on the operations of one patch. */
const maxOperations = 10_000;
/** Faults that are told, as sigs.k8s.io/json has it. */
const maxFaults = 100;
const knownFields = ["op", "path", "from", "value"];

/**
 * Reads a patch; null is an empty one.
 * @throws StatusError 400 if it is no list of objects whose op, path and from are strings, 413 if it is too long.
 */
export function parseJsonPatch(patch: JsonValue): readonly JsonPatchOperation[] {
  if (patch === null) return [];
  if (!Array.isArray(patch)) throw undecodable(patch, "value of type []handlers.jsonPatchOp");
  for (const item of patch) assertOperation(item);
  if (patch.length > maxOperations) {
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    );
  }
  return patch.map((item) => operationFrom(item as JsonObject | null));
}

function assertOperation(item: JsonValue): void {
  if (item === null) return;
  if (!isJsonObject(item)) throw undecodable(item, "value of type handlers.jsonPatchOp");
  for (const field of Object.keys(item)) {
    const value = item[field] as JsonValue;
    if (field !== "op" && field !== "path" && field !== "from") continue;
    if (typeof value === "string" || value === null) continue;
    throw undecodable(value, `struct field jsonPatchOp.${field} of type string`);
  }
}

function operationFrom(item: JsonObject | null): JsonPatchOperation {
  const text = (field: string) => (typeof item?.[field] === "string" ? item[field] : undefined);
  return { op: text("op") ?? "unknown", path: text("path"), from: text("from"), value: item?.["value"] };
}

function undecodable(value: JsonValue, into: string): StatusError {
  return badRequest(`error decoding patch: json: cannot unmarshal ${goTypeWord(value)} into Go ${into}`);
}

/**
 * Gives what a strict decoder holds against a JSON patch: keys that came twice, fields that no operation has.
 *
 * @param duplicates paths of keys that came twice, from the parser.
 */
export function jsonPatchFaults(patch: JsonValue, duplicates: readonly string[]): string[] {
  const faults = duplicates.map((path) => `json patch duplicate field ${goQuote(path)}`);
  if (!Array.isArray(patch)) return faults;
  for (const [index, item] of patch.entries()) {
    if (!isJsonObject(item)) continue;
    for (const field of Object.keys(item)) {
      if (knownFields.includes(field)) continue;
      if (faults.length >= maxFaults) return faults;
      faults.push(`json patch unknown field ${goQuote(`[${index}].${field}`)}`);
    }
  }
  return faults;
}
