/**
 * Patches: a document and a patch into the next document. Pure: what goes in is not changed.
 *
 * JSON patch and JSON merge patch; a custom resource has no strategic merge, and server-side apply
 * is not offered yet. Source: apiserver pkg/endpoints/handlers/patch.go.
 */
export { applyJsonPatch, type JsonPatchOperation, parseJsonPatch } from "./json-patch.ts";
export { applyMergePatch } from "./merge-patch.ts";

/** Kinds of patches, by their media types. */
export type PatchType = "json" | "merge" | "strategic" | "apply";

const types: Readonly<Record<string, PatchType>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

/** Media types that are taken, in the order in which a refusal lists them. */
export const patchMediaTypes = ["application/json-patch+json", "application/merge-patch+json"] as const;

/** Gives the kind of patch of a Content-Type, or undefined. Parameters after `;` are ignored. */
export function patchTypeOf(contentType: string | undefined): PatchType | undefined {
  const media = (contentType ?? "").split(";")[0]?.trim() ?? "";
  return Object.hasOwn(types, media) ? types[media] : undefined;
}
