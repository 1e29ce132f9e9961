/**
 * A write's steps at its store, where it declares them: it changes the object after defaulting, and
 * checks it last.
 *
 * What a hook made of an object is read as if a client had sent it: pruned and defaulted again.
 * Source: apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go.
 */
import { invalid } from "../apimachinery/field-error.ts";
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import { isJsonObject, type JsonObject, JsonSyntaxError, jsonParser } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf, metadataString, nameOf } from "../apimachinery/object.ts";
import { badRequest, internalError, StatusError } from "../apimachinery/status.ts";
import type { WriteScope } from "../lifecycle/lifecycle.ts";
import type { HookCall } from "../registry/registry.ts";
import { takeBody } from "./intake.ts";
import { runSized, slicedFromBytes, storedBytes } from "./present.ts";
import { callOf, kindWord, type VerbRequest, type VerbTools } from "./verb-request.ts";

/** A write on its way: `next` undefined for a delete, `current` for a create. */
export interface HookedWrite {
  readonly operation: HookCall["operation"];
  readonly scope: WriteScope;
  readonly next: KubeObject | undefined;
  readonly current: KubeObject | undefined;
  readonly dryRun: boolean;
}

/**
 * Has a write admitted, then gives the object as the store wants it, the same one if it declares no such hook.
 * @throws StatusError what admission says, 403 if the hook denies it, 500 if the hook fails, 504 if the request's time is over.
 */
export async function mutate(
  request: VerbRequest,
  tools: VerbTools,
  write: HookedWrite & { readonly next: KubeObject },
): Promise<KubeObject> {
  const { definition } = request.resource;
  await admitWrite(request, tools, write);
  if (!definition.capabilities.hookMutate) return write.next;
  const { hooks } = tools.registry.client(definition);
  const { json, warnings } = await hooks.mutate(await hookCall(request, tools, write));
  for (const warning of warnings) request.warn(warning);
  if (json === undefined) return write.next;
  const { plural, group } = definition;
  try {
    return await fromStore(request, tools, json, write.next);
  } catch (cause) {
    const isUnreadable =
      cause instanceof JsonSyntaxError || (cause instanceof StatusError && cause.status.code === 400);
    if (!isUnreadable) throw cause;
    const why = `received invalid webhook response: ${cause.message}`;
    throw internalError(`failed calling webhook "mutate.${plural}.${group}": ${why}`, { cause });
  }
}

/** Lets a write pass that the cluster has nothing against. @throws StatusError. */
export async function admitWrite(
  request: VerbRequest,
  tools: VerbTools,
  { operation, next }: { readonly operation: HookedWrite["operation"]; readonly next: KubeObject },
): Promise<void> {
  const { group, plural } = request.resource.definition;
  // kube-apiserver lets every delete pass.
  if (operation === "DELETE") return;
  const name = nameOf(next) || metadataString(next, "generateName");
  await tools.admit({ operation, group, plural, namespace: request.info.namespace, name });
}

/**
 * Has the store check the write, if it declares the hook.
 * @throws StatusError 422 with the causes, 403, 500 and 504 as mutate() does.
 */
export async function assertStoreAllows(request: VerbRequest, tools: VerbTools, write: HookedWrite): Promise<void> {
  const { definition } = request.resource;
  if (!definition.capabilities.hookValidate) return;
  const { hooks } = tools.registry.client(definition);
  const { errors, warnings } = await hooks.validate(await hookCall(request, tools, write));
  for (const warning of warnings) request.warn(warning);
  if (errors.length > 0) throw invalid(kindWord(request.resource), write.scope.name, errors);
}

async function hookCall(request: VerbRequest, tools: VerbTools, write: HookedWrite): Promise<HookCall> {
  const { operation, scope, next, current, dryRun } = write;
  return {
    operation,
    key: { namespace: scope.namespace, name: scope.name },
    subresource: scope.subresource,
    json: await toStore(request, tools, next),
    oldJson: await toStore(request, tools, current),
    dryRun,
    context: callOf(request),
  };
}

/** An object in the storage version; empty for none. */
async function toStore(request: VerbRequest, tools: VerbTools, object: KubeObject | undefined): Promise<Uint8Array> {
  if (object === undefined) return new Uint8Array();
  const { definition, version } = request.resource;
  const json = await storedBytes(object, definition, slicedFromBytes, version);
  return await converted(request, tools, json, definition.storageVersion);
}

/** `sent` has the resourceVersion that hooks don't see, and can't change. */
async function fromStore(
  request: VerbRequest,
  tools: VerbTools,
  json: Uint8Array,
  sent: KubeObject,
): Promise<JsonObject> {
  const { definition, version } = request.resource;
  const bytes = await converted(request, tools, json, version.name);
  const { value } = await runSized(jsonParser(bytes), bytes.length);
  if (!isJsonObject(value)) throw badRequest("the object is no JSON object");
  value["apiVersion"] = formatGroupVersion(definition.group, version.name);
  value["kind"] = definition.kind;
  const [metadata, resourceVersion] = [metadataOf(value), metadataOf(sent)?.["resourceVersion"]];
  if (metadata !== undefined && resourceVersion !== undefined) metadata["resourceVersion"] = resourceVersion;
  return await takeBody(request, tools, { value, strictErrors: [], bytes: bytes.length }, "Ignore");
}

async function converted(
  request: VerbRequest,
  tools: VerbTools,
  json: Uint8Array,
  version: string,
): Promise<Uint8Array> {
  const { definition, version: asked } = request.resource;
  if (!definition.capabilities.hookConvert || asked.name === definition.storageVersion) return json;
  const { hooks } = tools.registry.client(definition);
  return (await hooks.convert(version, [json], callOf(request)))[0] as Uint8Array;
}
