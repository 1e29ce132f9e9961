/**
 * The namespace of an object against the namespace of its URL.
 *
 * Source: apiserver pkg/registry/rest/meta.go (EnsureObjectNamespaceMatchesRequestNamespace).
 */
import { namespaceOf } from "../apimachinery/object.ts";
import { badRequest } from "../apimachinery/status.ts";
import { type Draft, setField } from "./system-fields.ts";
import type { WriteScope } from "./write-scope.ts";

/**
 * Fills the draft's namespace from the URL, or clears it where the resource has none.
 * @throws StatusError 400 if the object names another namespace.
 */
export function ensureNamespace(draft: Draft, scope: WriteScope): void {
  const wanted = scope.resource.definition.namespaced ? scope.namespace : "";
  const given = namespaceOf(draft.object);
  if (given === wanted) return;
  if (given !== "" && wanted !== "") {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  setField(draft.metadata, "namespace", wanted);
}
