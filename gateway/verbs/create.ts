import { type KubeObject, nameOf, namespaceOf, type ObjectView, uidOf } from "../apimachinery/object.ts";
import type { WriteOptions } from "../apimachinery/options.ts";
import { StatusError } from "../apimachinery/status.ts";
import {
  acceptForCreate,
  assertNoResourceVersion,
  maxNameTries,
  nameTaken,
  prepareForCreate,
  validateForCreate,
  type WriteScope,
  warningsOnCreate,
} from "../lifecycle/lifecycle.ts";
import { tracked } from "./fields.ts";
import { assertStoreAllows, mutate } from "./hooks.ts";
import { takeBody } from "./intake.ts";
import { presentInSlices } from "./present.ts";
import { callOf, type RequestBody, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { answeredView, assertValid, scopeOf, storable, triedView } from "./write.ts";

/**
 * Creates the object of the body.
 * @throws StatusError 400 and 422 for what is wrong with it, 409 if the name is taken.
 */
export async function create(
  request: VerbRequest,
  tools: VerbTools,
  options: WriteOptions,
  body: RequestBody,
): Promise<ObjectView> {
  const sent = await takeBody(request, tools, body, options.fieldValidation);
  const accepted = acceptForCreate(sent, scopeOf(request, nameOf(sent)));
  for (const warning of accepted.warnings) request.warn(warning);
  const next = await mutate(request, tools, {
    operation: "CREATE",
    scope: scopeOf(request, nameOf(accepted.object)),
    next: await tracked(request, tools, options, { live: undefined, next: accepted.object, bytes: body.bytes }),
    current: undefined,
    dryRun: options.dryRun,
  });
  const isGenerated = nameOf(next) === "";
  for (let attempt = 1; ; attempt++) {
    const { object, scope } = await prepared(request, tools, next);
    await assertStoreAllows(request, tools, {
      operation: "CREATE",
      scope,
      next: object,
      current: undefined,
      dryRun: options.dryRun,
    });
    if (attempt === 1) for (const warning of warningsOnCreate(object)) request.warn(warning);
    try {
      return await insert(request, tools, scope, object, options.dryRun);
    } catch (error) {
      const isTaken = error instanceof StatusError && error.status.reason === "AlreadyExists";
      if (!isTaken || !isGenerated || attempt === maxNameTries) throw error;
    }
  }
}

/** Fills in and checks what the server owns of a new object. */
async function prepared(
  request: VerbRequest,
  tools: VerbTools,
  accepted: KubeObject,
): Promise<{ object: KubeObject; scope: WriteScope }> {
  const object = prepareForCreate(accepted, scopeOf(request, nameOf(accepted)), sources(tools));
  const scope = scopeOf(request, nameOf(object));
  await assertValid(request, tools, scope, object, undefined, validateForCreate(object, scope));
  return { object, scope };
}

/** What a creation takes from the world. */
export function sources(tools: VerbTools): { now: Date; uid: string; random: (bound: number) => number } {
  return { now: tools.clock(), uid: tools.uuid(), random: (bound) => Math.floor(tools.random() * bound) };
}

async function insert(
  request: VerbRequest,
  tools: VerbTools,
  scope: WriteScope,
  object: KubeObject,
  dryRun: boolean,
): Promise<ObjectView> {
  const client = tools.registry.client(request.resource.definition);
  const key = { namespace: namespaceOf(object), name: nameOf(object) };
  const existing = async () => {
    const stored = await client.get(key, { at: "latest" }, callOf(request));
    return stored === undefined ? undefined : (await presentInSlices(tools.schemaOf, request.resource, stored)).value;
  };
  if (dryRun) {
    const taken = await existing();
    if (taken !== undefined) throw nameTaken(object, taken, scope);
    return await triedView(request, tools, object);
  }
  assertNoResourceVersion(object);
  const { object: kept, json } = await storable(request, tools, object);
  try {
    const written = await client.create(key, uidOf(object), json, callOf(request));
    return await answeredView(request, tools, kept, json, written);
  } catch (error) {
    if (!(error instanceof StatusError) || error.status.reason !== "AlreadyExists") throw error;
    throw nameTaken(object, await existing(), scope);
  }
}
