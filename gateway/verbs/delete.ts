/** Delete: removes an object, or marks it until its finalizers are gone. Source: apiserver pkg/endpoints/handlers/delete.go. */
import { nameOf, type ObjectView, uidOf } from "../apimachinery/object.ts";
import type { DeleteOptions, ListOptions } from "../apimachinery/options.ts";
import { notFound, StatusError } from "../apimachinery/status.ts";
import { planDeletion } from "../lifecycle/lifecycle.ts";
import type { ObjectKey } from "../registry/registry.ts";
import { assertStoreAllows } from "./hooks.ts";
import { type ListResult, list } from "./list.ts";
import { keyOf, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { applyWrite, scopeOf } from "./write.ts";

/** What a delete did. */
export type Deleted =
  | { readonly removed: true; readonly name: string; readonly uid: string }
  /** It stays until its finalizers are gone. */
  | { readonly removed: false; readonly view: ObjectView; readonly status: 200 | 202 };

/**
 * Deletes the object that the URL names.
 * @throws StatusError 404, 409 if a precondition doesn't hold.
 */
export async function remove(request: VerbRequest, tools: VerbTools, options: DeleteOptions): Promise<Deleted> {
  return await removeKey(request, tools, keyOf(request), options);
}

async function removeKey(
  request: VerbRequest,
  tools: VerbTools,
  key: ObjectKey,
  options: DeleteOptions,
): Promise<Deleted> {
  const scope = scopeOf(request, key.name);
  let status: 200 | 202 = 200;
  const written = await applyWrite(request, tools, {
    key,
    dryRun: options.dryRun,
    async decide(current) {
      if (current === undefined) throw notFound(resourceWord(request.resource), key.name);
      await assertStoreAllows(request, tools, {
        operation: "DELETE",
        scope,
        next: undefined,
        current: current.value,
        dryRun: options.dryRun,
      });
      const plan = planDeletion(current.value, options, scope, tools.clock());
      if (plan.action === "remove") return { action: "remove", next: current.value };
      status = plan.status;
      return plan.action === "none" ? { action: "none" } : { action: "store", next: plan.next };
    },
  });
  if (written.action !== "remove") return { removed: false, view: written.view, status };
  return { removed: true, name: nameOf(written.view.value), uid: uidOf(written.view.value) };
}

/**
 * Deletes the objects of a collection one by one, and gives them as they were listed.
 * @throws StatusError the first failure that isn't "already gone".
 */
export async function removeCollection(
  request: VerbRequest,
  tools: VerbTools,
  listOptions: ListOptions,
  options: DeleteOptions,
): Promise<ListResult> {
  const listed = await list(request, tools, listOptions);
  for (const item of listed.stored) {
    try {
      await removeKey(request, tools, { namespace: item.namespace, name: item.name }, options);
    } catch (error) {
      if (!(error instanceof StatusError) || error.status.code !== 404) throw error;
    }
  }
  return listed;
}
