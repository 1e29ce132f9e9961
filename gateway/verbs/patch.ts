/** Patch: a change of an object, applied to whatever it is now. Source: apiserver pkg/endpoints/handlers/patch.go. */
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import type { PatchOptions } from "../apimachinery/options.ts";
import { badRequest, notFound } from "../apimachinery/status.ts";
import { finishInSlices } from "../apimachinery/steps.ts";
import { acceptForUpdate } from "../lifecycle/lifecycle.ts";
import { jsonPatchSteps, mergePatchSteps, parseJsonPatch } from "../patch/patch.ts";
import { tracked } from "./fields.ts";
import { takePatched } from "./intake.ts";
import { takePatchedScale } from "./scale-body.ts";
import { nextState, updateScale } from "./update.ts";
import { keyOf, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { applyWrite, scopeOf } from "./write.ts";

/** A patch as read. */
export interface PatchBody {
  readonly type: "json" | "merge";
  readonly value: JsonValue;
  /** Keys that came twice, in the words of the strict decoder. */
  readonly strictErrors: readonly string[];
  /** Size as sent, in bytes. */
  readonly bytes: number;
}

/**
 * Patches the object that the URL names, or its status.
 * @throws StatusError 400, 413 and 422 for what is wrong with the patch or with what it makes, 404, 409.
 */
export async function patch(
  request: VerbRequest,
  tools: VerbTools,
  options: PatchOptions,
  body: PatchBody,
): Promise<ObjectView> {
  const scope = scopeOf(request, request.info.name, request.info.subresource === "status" ? "status" : "");
  const apply = patcher(body);
  const written = await applyWrite(request, tools, {
    key: keyOf(request),
    dryRun: options.dryRun,
    async decide(current) {
      if (current === undefined) throw notFound(resourceWord(request.resource), request.info.name);
      const bytes = current.bytes + body.bytes;
      const patched = await takePatched(
        request,
        tools,
        () => apply(current.value),
        { strictErrors: body.strictErrors, bytes },
        options.fieldValidation,
      );
      const accepted = acceptForUpdate(patched, scope, "afterAdmission");
      for (const warning of accepted.warnings) request.warn(warning);
      const states = { live: current.value, next: accepted.object, bytes };
      const next = await tracked(request, tools, options, states);
      return await nextState(request, tools, scope, next, current.value, options);
    },
  });
  return written.view;
}

/** Patches the Scale of an object. @throws StatusError as patch does. */
export async function patchScale(
  request: VerbRequest,
  tools: VerbTools,
  options: PatchOptions,
  body: PatchBody,
): Promise<JsonObject> {
  const apply = patcher(body);
  const touches = (field: string) =>
    body.type === "merge"
      ? isJsonObject(body.value) && field in body.value
      : parseJsonPatch(body.value).some(({ path = "" }) => path === `/${field}` || path.startsWith(`/${field}/`));
  const nextScale = async (before: JsonObject) => {
    const patched = { value: await apply(before), touches, strictErrors: body.strictErrors };
    return takePatchedScale(request, patched, options.fieldValidation);
  };
  return await updateScale(request, tools, options, nextScale, { checksUid: false });
}

/** Gives the function that the patch is. What it gives shares nothing with what it was given. */
function patcher(body: PatchBody): (current: JsonObject) => Promise<JsonObject> {
  if (body.type === "merge") return async (current) => await finishInSlices(mergePatchSteps(current, body.value));
  const operations = parseJsonPatch(body.value);
  return async (current) => {
    const patched = await finishInSlices(jsonPatchSteps(current, operations));
    if (!isJsonObject(patched)) throw badRequest("the patched object is no JSON object");
    return patched;
  };
}
