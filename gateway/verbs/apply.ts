/**
 * Server-side apply: what a manager wants of an object, laid over whatever it is now.
 *
 * Source: apiserver pkg/endpoints/handlers/patch.go (applyPatcher), pkg/registry/generic/registry/store.go.
 */

import type { JsonObject } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf, uidOf } from "../apimachinery/object.ts";
import type { PatchOptions } from "../apimachinery/options.ts";
import { badRequest, conflict, notFound } from "../apimachinery/status.ts";
import { acceptForUpdate, resolveResourceVersion } from "../lifecycle/lifecycle.ts";
import { fieldTargetOf } from "./fields.ts";
import { emptyMetadata, takeApplied, tellFaults } from "./intake.ts";
import { newState, nextState, type Updated, withEmpty, writeScale } from "./update.ts";
import { keyOf, type RequestBody, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { applyWrite, scopeOf } from "./write.ts";

/**
 * Applies the body to the object that the URL names, or to its status; makes the object if there is none.
 * @throws StatusError 400 and 422 for what is wrong with it or with what it makes, 404 for the status of
 *   what isn't there, 409 for fields of others, 500 for what doesn't fit the schema.
 */
export async function apply(
  request: VerbRequest,
  tools: VerbTools,
  options: PatchOptions,
  body: RequestBody,
): Promise<Updated> {
  const scope = scopeOf(request, request.info.name, request.info.subresource === "status" ? "status" : "");
  let created = false;
  const written = await applyWrite(request, tools, {
    key: keyOf(request),
    dryRun: options.dryRun,
    isApply: true,
    async decide(current) {
      created = current === undefined;
      const word = resourceWord(request.resource);
      if (created && scope.subresource !== "") throw notFound(word, scope.name);
      const bytes = body.bytes + (current?.bytes ?? 0);
      const merged = await applyBody(request, tools, options, { value: body.value, bytes }, current?.value);
      tellStrictErrors(request, options, body);
      if (current === undefined && uidOf(merged) !== "") {
        const why = `uid mismatch: the provided object specified uid ${uidOf(merged)}, and no existing object was found`;
        throw conflict(word, scope.name, why);
      }
      // Nothing of metadata comes through status.
      const empty = scope.subresource === "" ? emptyMetadata(merged) : {};
      const taken = await takeApplied(request, tools, { value: merged, bytes });
      const { object, warnings } = acceptForUpdate(taken, scope, "afterAdmission");
      for (const warning of warnings) request.warn(warning);
      if (current !== undefined)
        return await nextState(request, tools, scope, object, current.value, { dryRun: options.dryRun, empty });
      await tools.authorize(request, "create", scope.name);
      // It is ignored, but must be one.
      const resolved = resolveResourceVersion(object, undefined, scope, { allowUnconditional: true });
      const step = await newState(request, tools, scope, withoutResourceVersion(resolved), options.dryRun);
      return step.action === "store" ? { ...step, next: withEmpty(step.next, empty) } : step;
    },
  });
  return { view: written.view, created };
}

/** Applies the body to the Scale of an object. @throws StatusError as apply does. */
export async function applyScale(
  request: VerbRequest,
  tools: VerbTools,
  options: PatchOptions,
  body: RequestBody,
): Promise<JsonObject> {
  const nextScale = async (live: JsonObject) => {
    const scale = await applyBody(request, tools, options, body, live);
    tellStrictErrors(request, options, body);
    return scale;
  };
  return await writeScale(request, tools, options, nextScale, { checksUid: false });
}

async function applyBody(
  request: VerbRequest,
  tools: VerbTools,
  options: PatchOptions,
  patch: Pick<RequestBody, "value" | "bytes">,
  live: KubeObject | undefined,
): Promise<KubeObject> {
  const { fieldManager: manager, force } = options;
  const write = { live, patch: patch.value, manager, force: force === true, now: tools.clock() };
  return await tools.fields.apply(fieldTargetOf(request, tools), write, patch.bytes);
}

/** What comes twice in the patch is told when the patch itself has passed. */
function tellStrictErrors(
  request: VerbRequest,
  { fieldValidation }: PatchOptions,
  { strictErrors }: RequestBody,
): void {
  if (fieldValidation === "Strict" && strictErrors.length > 0) {
    throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${strictErrors.join(", ")}`);
  }
  tellFaults(request, fieldValidation, strictErrors);
}

function withoutResourceVersion(object: KubeObject): KubeObject {
  const metadata: JsonObject = { ...metadataOf(object) };
  delete metadata["resourceVersion"];
  return { ...object, metadata };
}
