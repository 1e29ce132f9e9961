/**
 * Whose objects a request may see, where objects belong to users.
 *
 * An object of somebody else is not there: it is missing from lists and watches, and reading, changing
 * or deleting it answers 404. Nothing tells a client that it exists but that its name is taken.
 */
import { isJsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import type { OwnerScope } from "../apimachinery/resource.ts";
import { StatusError } from "../apimachinery/status.ts";
import type { VerbRequest, VerbTools } from "./verb-request.ts";

/** Says whether the object is there for this user. */
export type Sees = (view: ObjectView) => boolean;

/** Gives what the request's user sees; undefined: everything. */
export function sightOf(request: VerbRequest, tools: VerbTools): Promise<Sees | undefined> | undefined {
  const scope = request.resource.definition.ownerScope;
  return scope && sightIn(scope, request, tools);
}

async function sightIn(scope: OwnerScope, request: VerbRequest, tools: VerbTools): Promise<Sees | undefined> {
  if (await mayBypass(request, tools, scope.bypassVerb)) return undefined;
  const owner = request.user[scope.match];
  // A user without a uid owns nothing, not what has no owner.
  return owner === "" ? () => false : (view) => fieldAt(view.value, scope.path) === owner;
}

async function mayBypass(request: VerbRequest, tools: VerbTools, verb: string): Promise<boolean> {
  if (verb === "") return false;
  const ofResource = { ...request, info: { ...request.info, subresource: "" } };
  try {
    await tools.authorize(ofResource, verb, "");
    return true;
  } catch (error) {
    if (error instanceof StatusError && error.status.code === 403) return false;
    throw error;
  }
}

function fieldAt(value: JsonValue, path: readonly string[]): JsonValue | undefined {
  let at: JsonValue | undefined = value;
  for (const part of path) at = isJsonObject(at) ? at[part] : undefined;
  return at;
}
