/**
 * Patches: a document and a patch into the next document. Pure: what goes in is not changed.
 *
 * JSON patch and JSON merge patch. A custom resource has no strategic merge; server-side apply, which is
 * more than a function of two documents, has a room of its own. Source: apiserver pkg/endpoints/handlers/patch.go.
 */
import { goQuote } from "../apimachinery/go-text.ts";
import type { JsonValue } from "../apimachinery/json.ts";
import { jsonPatchFaults } from "./json-patch-operations.ts";

export { applyJsonPatch, jsonPatchSteps } from "./json-patch.ts";
export { type JsonPatchOperation, parseJsonPatch } from "./json-patch-operations.ts";
export { applyMergePatch, assertMergePatch, mergePatchSteps } from "./merge-patch.ts";

/** Kinds of patches, by their media types. */
export type PatchType = "json" | "merge" | "strategic" | "apply";

const types: Readonly<Record<string, PatchType>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

/** Media types that are taken, in the order in which a refusal lists them. */
export const patchMediaTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/apply-patch+yaml",
] as const;

/** Gives the kind of patch of a Content-Type, or undefined. Parameters after `;` are ignored. */
export function patchTypeOf(contentType: string | undefined): PatchType | undefined {
  const media = (contentType ?? "").split(";")[0] ?? "";
  return Object.hasOwn(types, media) ? types[media] : undefined;
}

/**
 * Gives what a strict decoder holds against a patch: keys that came twice, and fields that no JSON patch has.
 *
 * @param duplicates paths of keys that came twice, from the parser.
 */
export function patchFaults(type: "json" | "merge", patch: JsonValue, duplicates: readonly string[]): string[] {
  if (type === "json") return jsonPatchFaults(patch, duplicates);
  return duplicates.map((path) => `duplicate field ${goQuote(path)}`);
}
