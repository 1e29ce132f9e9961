/**
 * Update: the next state of an object, whole. Also of its status or its scale.
 * Source: apiserver pkg/endpoints/handlers/update.go, pkg/registry/rest/update.go.
 */

import type { JsonObject } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf, type ObjectView } from "../apimachinery/object.ts";
import type { WriteOptions } from "../apimachinery/options.ts";
import { notFound } from "../apimachinery/status.ts";
import { finishInSlices } from "../apimachinery/steps.ts";
import { withParentFields, withScaleFields } from "../apply/apply.ts";
import {
  acceptForUpdate,
  assertUid,
  finishesDeletion,
  prepareForCreate,
  prepareForUpdateSteps,
  resolveResourceVersion,
  unchangedSteps,
  validateForCreate,
  validateForUpdate,
  type WriteScope,
  warningsOnCreate,
  warningsOnUpdate,
} from "../lifecycle/lifecycle.ts";
import { sources } from "./create.ts";
import { tracked } from "./fields.ts";
import { assertStoreAllows, mutate } from "./hooks.ts";
import { takeBody } from "./intake.ts";
import { compactScale, looseScaleOf, parentWithScale, scaleOf } from "./scale.ts";
import { keyOf, type RequestBody, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { applyWrite, assertValid, scopeOf, type WriteStep } from "./write.ts";

/** What an update answers. */
export interface Updated {
  readonly view: ObjectView;
  /** True: it did not exist before. */
  readonly created: boolean;
}

/**
 * Writes the object of the body over the one that the URL names.
 * @throws StatusError 400 and 422 for what is wrong with it, 404, 409 if it was changed since.
 */
export async function update(
  request: VerbRequest,
  tools: VerbTools,
  options: WriteOptions,
  body: RequestBody,
): Promise<Updated> {
  const scope = scopeOf(request, request.info.name, request.info.subresource === "status" ? "status" : "");
  const sent = await takeBody(request, tools, body, options.fieldValidation);
  const accepted = acceptForUpdate(sent, scope, "received");
  for (const warning of accepted.warnings) request.warn(warning);
  let created = false;
  const written = await applyWrite(request, tools, {
    key: keyOf(request),
    dryRun: options.dryRun,
    async decide(current) {
      created = current === undefined;
      const { object } = accepted;
      if (current === undefined) return await creation(request, tools, scope, object, options, body.bytes);
      assertUid(object, current.value, scope);
      const states = { live: current.value, next: object, bytes: current.bytes + body.bytes };
      const next = await tracked(request, tools, options, states);
      return await nextState(request, tools, scope, next, current.value, options);
    },
  });
  return { view: written.view, created };
}

/** A Scale is small, whatever else a client puts into one: it is read into what a Scale has. */
const scaleBytes = 1024;

/**
 * Writes a Scale into its parent.
 *
 * @param options.checksUid whether the Scale's uid must be the parent's. Default true.
 * @throws StatusError as update does; 400 for a Scale without replicas.
 */
export async function updateScale(
  request: VerbRequest,
  tools: VerbTools,
  options: WriteOptions,
  nextScale: (current: JsonObject) => JsonObject | Promise<JsonObject>,
  { checksUid = true }: { readonly checksUid?: boolean } = {},
): Promise<JsonObject> {
  const next = async (live: JsonObject) =>
    tracked(request, tools, options, { live, next: compactScale(await nextScale(live)), bytes: scaleBytes });
  return await writeScale(request, tools, options, next, { checksUid });
}

/**
 * Writes a Scale that has its managedFields into its parent.
 * @throws StatusError as updateScale does.
 */
export async function writeScale(
  request: VerbRequest,
  tools: VerbTools,
  options: WriteOptions,
  nextScale: (live: JsonObject) => JsonObject | Promise<JsonObject>,
  { checksUid }: { readonly checksUid: boolean },
): Promise<JsonObject> {
  const paths = request.resource.version.scale;
  if (paths === undefined) throw notFound(resourceWord(request.resource), request.info.name);
  const scope = scopeOf(request, request.info.name);
  const written = await applyWrite(request, tools, {
    key: keyOf(request),
    dryRun: options.dryRun,
    async decide(current) {
      if (current === undefined) throw notFound(resourceWord(request.resource), request.info.name);
      const { definition, version } = request.resource;
      const live = withScaleFields(definition, current.value, looseScaleOf(current.value, paths));
      const scale = await nextScale(live);
      const { object } = acceptForUpdate(scale, scope, "received");
      if (checksUid) assertUid(scale, current.value, scope);
      const parent = parentWithScale(current.value, object, paths);
      const next = withParentFields(definition, version.name, parent, scale);
      return await nextState(request, tools, scope, next, current.value, options);
    },
  });
  return scaleOf(written.view.value, paths);
}

/**
 * Decides what an update does to the current object.
 * @param options.empty fields of metadata that say nothing and are stored all the same. Default: none.
 */
export async function nextState(
  request: VerbRequest,
  tools: VerbTools,
  scope: WriteScope,
  sent: KubeObject,
  current: KubeObject,
  { dryRun, empty }: { readonly dryRun: boolean; readonly empty?: JsonObject },
): Promise<WriteStep> {
  const hooked = { operation: "UPDATE", scope, current, dryRun } as const;
  const mutated = await mutate(request, tools, { ...hooked, next: sent });
  const allowUnconditional = request.resource.definition.capabilities.unconditionalUpdate;
  const resolved = resolveResourceVersion(mutated, current, scope, { allowUnconditional });
  // Slices cost little when nothing is due; the size of a parsed object isn't known.
  const next = await finishInSlices(prepareForUpdateSteps(resolved, current, scope));
  await assertValid(request, tools, scope, next, current, validateForUpdate(next, current, scope));
  await assertStoreAllows(request, tools, { ...hooked, next });
  for (const warning of warningsOnUpdate(next, current, scope)) request.warn(warning);
  if (finishesDeletion(next, current)) return { action: "remove", next };
  const kept = withEmpty(next, empty);
  const isUnchanged = await finishInSlices(unchangedSteps(kept, current));
  return { action: "store", next: isUnchanged ? current : kept, isUnchanged };
}

async function creation(
  request: VerbRequest,
  tools: VerbTools,
  scope: WriteScope,
  sent: KubeObject,
  options: WriteOptions,
  bytes: number,
): Promise<WriteStep> {
  const isAllowed = request.resource.definition.createOnUpdate && request.info.subresource === "";
  if (!isAllowed) throw notFound(resourceWord(request.resource), request.info.name);
  await tools.authorize(request, "create", request.info.name);
  assertUid(sent, undefined, scope);
  const next = await tracked(request, tools, options, { live: undefined, next: sent, bytes });
  return await newState(request, tools, scope, next, options.dryRun);
}

/** Kubernetes leaves out what is empty in metadata when it reads, not when it stores what was applied. */
export function withEmpty(object: KubeObject, empty: JsonObject = {}): KubeObject {
  return Object.keys(empty).length === 0 ? object : { ...object, metadata: { ...empty, ...metadataOf(object) } };
}

/** Decides what becomes of an object that isn't there yet, of which a PUT or an apply makes one. */
export async function newState(
  request: VerbRequest,
  tools: VerbTools,
  scope: WriteScope,
  sent: KubeObject,
  dryRun: boolean,
): Promise<WriteStep> {
  const hooked = { operation: "CREATE", scope, current: undefined, dryRun } as const;
  const mutated = await mutate(request, tools, { ...hooked, next: sent });
  const object = prepareForCreate(
    resolveResourceVersion(mutated, undefined, scope, { allowUnconditional: true }),
    scope,
    sources(tools),
  );
  await assertValid(request, tools, scope, object, undefined, validateForCreate(object, scope));
  await assertStoreAllows(request, tools, { ...hooked, next: object });
  for (const warning of warningsOnCreate(object)) request.warn(warning);
  return { action: "store", next: object };
}
