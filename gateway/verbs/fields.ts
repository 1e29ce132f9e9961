/** Who owns which field after a write: verbs' way into the room that knows. */

import type { KubeObject } from "../apimachinery/object.ts";
import type { WriteOptions } from "../apimachinery/options.ts";
import { type FieldScope, trackUpdate } from "../apply/apply.ts";
import type { VerbRequest, VerbTools } from "./verb-request.ts";

/** Gives what field management of the request's resource goes by. */
export function fieldScopeOf(request: VerbRequest, tools: VerbTools): FieldScope {
  const { definition, version } = request.resource;
  return tools.fieldScopesOf(definition)(version.name, request.info.subresource);
}

/**
 * Gives the next state with its managedFields.
 * @param live undefined: it doesn't exist yet.
 * @param options whose fieldManager is the one asked for, or the one of the User-Agent.
 */
export function tracked(
  request: VerbRequest,
  tools: VerbTools,
  options: WriteOptions,
  live: KubeObject | undefined,
  next: KubeObject,
): KubeObject {
  const scope = fieldScopeOf(request, tools);
  return trackUpdate(scope, { live, next, manager: options.fieldManager, now: tools.clock() });
}
