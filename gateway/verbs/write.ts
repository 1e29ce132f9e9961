/**
 * A write is one function from the current object to the next, applied again until it is written at
 * the revision that it was computed from.
 *
 * Source: apiserver pkg/registry/generic/registry/store.go, pkg/storage GuaranteedUpdate.
 */

import { type FieldError, invalid } from "../apimachinery/field-error.ts";
import { cloningJson, type JsonValue, jsonEncoder, jsonEqual, jsonParser } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf, type ObjectView, uidOf } from "../apimachinery/object.ts";
import { insertRevision } from "../apimachinery/object-bytes.ts";
import { type GroupWord, notFound, requestEntityTooLarge, StatusError, timeout } from "../apimachinery/status.ts";
import { finishInSlices, stepsFrom } from "../apimachinery/steps.ts";
import { validateEmbeddedMeta, validateScale, validateTypeMeta, type WriteScope } from "../lifecycle/lifecycle.ts";
import { type ObjectKey, type StoredObject, WriteConflict } from "../registry/registry.ts";
import { coerceMetadata, type Schema, validateStatusSteps, validateSteps } from "../schema/schema.ts";
import { withoutManagedFields } from "./fields.ts";
import { hasEmptyMetadata } from "./intake.ts";
import { type Sees, sightOf } from "./ownership.ts";
import {
  convertingSteps,
  originOf,
  presentInSlices,
  presentValue,
  readingSteps,
  runSized,
  shallowCopy,
  slicedFromBytes,
  storedBytes,
} from "./present.ts";
import { callOf, kindWord, resourceWord, type VerbRequest, type VerbTools } from "./verb-request.ts";

/** What a write function decided. */
export type WriteStep =
  /** Write this state. `isUnchanged`: it reads as the present one, and is written only if that is stored otherwise. */
  | { readonly action: "store"; readonly next: KubeObject; readonly isUnchanged?: boolean }
  /** Remove the object, and answer with this state. */
  | { readonly action: "remove"; readonly next: KubeObject }
  /** Nothing differs: answer with the present state. */
  | { readonly action: "none" };

/** What became of a write. */
export interface Written {
  readonly view: ObjectView;
  readonly action: WriteStep["action"];
}

/** An object as it is before a write. */
export interface Current {
  readonly value: KubeObject;
  /** About how large it is. */
  readonly bytes: number;
}

/** What a write is made with. */
export interface WriteRequest {
  readonly key: ObjectKey;
  readonly dryRun: boolean;
  /** Default false. */
  readonly isApply?: boolean;
  /** Gives the next state. `current` is undefined if there is no such object. May throw StatusErrors. */
  readonly decide: (current: Current | undefined) => Promise<WriteStep>;
}

/** Gives the surroundings of a write for lifecycle. */
export function scopeOf(request: VerbRequest, name: string, subresource: WriteScope["subresource"] = ""): WriteScope {
  return { resource: request.resource, namespace: request.info.namespace, name, subresource };
}

/**
 * Applies a write function until it is written: first to the object as the copy has it, as kube-apiserver does.
 *
 * The copy may be late, so nothing comes of it but a write at its revision, which the store compares. What is refused,
 * or left as it is, is so by what the store has.
 *
 * @throws StatusError what `decide` throws, 404 for an object of another user, 504 at the deadline, and what the store answers.
 */
export async function applyWrite(request: VerbRequest, tools: VerbTools, write: WriteRequest): Promise<Written> {
  const { definition } = request.resource;
  const client = tools.registry.client(definition);
  const sees = await sightOf(request, tools);
  const read = () => client.get(write.key, { at: "latest" }, callOf(request));
  let stored = write.dryRun ? undefined : tools.watchcache.known(definition, write.key);
  let isCopy = stored !== undefined;
  if (!isCopy) stored = await read();
  for (;;) {
    assertInTime(request);
    const planning = planned(request, tools, write, stored, sees);
    if (isCopy && (await isFinal(planning))) {
      const present = await read();
      isCopy = present?.revision === stored?.revision;
      stored = present;
      if (!isCopy) continue;
    }
    isCopy = false;
    const plan = await planning;
    try {
      return await carryOut(request, tools, write, stored, plan);
    } catch (error) {
      if (error instanceof WriteConflict) {
        stored = error.current ?? (await read());
      } else if (stored !== undefined && error instanceof StatusError && error.status.code === 404) {
        stored = undefined;
      } else if (stored === undefined && error instanceof StatusError && error.status.reason === "AlreadyExists") {
        stored = await read();
      } else throw error;
    }
  }
}

/** What is to be done: the object as it is to be written, or what is answered if nothing is. */
type Plan =
  | ({ readonly action: "store" } & Storable)
  | { readonly action: "remove" | "none"; readonly view: ObjectView };

async function planned(
  request: VerbRequest,
  tools: VerbTools,
  write: WriteRequest,
  stored: StoredObject | undefined,
  sees: Sees | undefined,
): Promise<Plan> {
  const current = stored && (await currentView(request, tools, stored));
  if (current !== undefined && sees?.(current) === false)
    throw notFound(resourceWord(request.resource), write.key.name);
  const step = await write.decide(current && { value: current.value, bytes: stored?.json.length ?? 0 });
  if (step.action === "remove") return { action: "remove", view: viewOf(step.next) };
  if (step.action === "store") {
    const made = await storable(request, tools, step.next, write);
    const isThere = !write.dryRun && stored !== undefined && (await isStoredAs(request, step, made.json, stored));
    if (!isThere) return { action: "store", ...made };
  }
  if (current === undefined) throw new TypeError("a write can't leave a missing object as it is");
  return { action: "none", view: current };
}

/** Whether nothing will be written that the store could hold against a revision. */
async function isFinal(planning: Promise<Plan>): Promise<boolean> {
  return await planning.then(
    ({ action }) => action === "none",
    () => true,
  );
}

/** Gives what clients see of an object that is to be changed. The bytes of a small one are made when somebody asks. */
async function currentView(request: VerbRequest, tools: VerbTools, stored: StoredObject): Promise<ObjectView> {
  if (stored.json.length >= slicedFromBytes) return await presentInSlices(tools.schemaOf, request.resource, stored);
  const { definition, version } = request.resource;
  return viewOf(presentValue(tools.schemaOf, definition, version, stored, stored.revision));
}

async function carryOut(
  request: VerbRequest,
  tools: VerbTools,
  { key, dryRun }: WriteRequest,
  stored: StoredObject | undefined,
  plan: Plan,
): Promise<Written> {
  const client = tools.registry.client(request.resource.definition);
  if (plan.action !== "store") {
    if (plan.action === "remove" && stored !== undefined && !dryRun)
      await client.delete(key, { revision: stored.revision }, callOf(request));
    return plan;
  }
  const { action, object, json } = plan;
  if (dryRun) return { action, view: await triedView(request, tools, object, json) };
  const uid = uidOf(object);
  const written =
    stored === undefined
      ? await client.create(key, uid, json, callOf(request))
      : await client.update(key, uid, json, { revision: stored.revision }, callOf(request));
  return { action, view: await answeredView(request, tools, object, json, written) };
}

/**
 * Whether an object lies in its store as it would be written. Under another schema, or after an apply of what is
 * null or empty, it may read the same and not be: then kube-apiserver writes it anew.
 */
async function isStoredAs(
  { resource }: VerbRequest,
  { isUnchanged = false }: { readonly isUnchanged?: boolean },
  json: Buffer,
  stored: StoredObject,
): Promise<boolean> {
  if (json.equals(stored.json)) return true;
  if (!isUnchanged) return false;
  const { lifecycle, capabilities } = resource.definition;
  if (lifecycle === "store" || capabilities.hookConvert) return true;
  // A store may write JSON in its own way.
  return jsonEqual(await parsed(json), await parsed(stored.json));
}

async function parsed(json: Uint8Array): Promise<JsonValue> {
  return (await runSized(jsonParser(json), json.length)).value;
}

/** Slices cost little when nothing is due; the size of a parsed object isn't known. */
async function clone(object: KubeObject): Promise<KubeObject> {
  return await finishInSlices(stepsFrom(cloningJson(object)));
}

/** An object as it goes to its store. */
export interface Storable {
  readonly object: KubeObject;
  readonly json: Buffer;
}

/**
 * Encodes an object as it is stored; without its managedFields if it is too large with them.
 *
 * @param write.isApply true: managedFields are what it is about, and stay.
 * @throws StatusError 413 if it is larger than its store takes all the same.
 */
export async function storable(
  request: VerbRequest,
  tools: Pick<VerbTools, "schemaOf">,
  next: KubeObject,
  { isApply = false }: Pick<WriteRequest, "isApply"> = {},
): Promise<Storable> {
  const { definition, version } = request.resource;
  const origin = originOf(definition, version);
  const object = origin === version ? next : await converted(next, tools.schemaOf(origin));
  try {
    return { object, json: await encodeForStore(request, object) };
  } catch (error) {
    const bare = isApply ? object : withoutManagedFields(object);
    if (bare === object || !(error instanceof StatusError) || error.status.code !== 413) throw error;
    return { object: bare, json: await encodeForStore(request, bare) };
  }
}

/** A conversion reads metadata anew: what an apply left empty there is stored only by one in the storage version. */
async function converted(object: KubeObject, schema: Schema | undefined): Promise<KubeObject> {
  const copy = await clone(object);
  coerceMetadata(copy, { dropMalformed: true });
  for (const steps of convertingSteps(schema, copy)) await runSized(steps, slicedFromBytes);
  return copy;
}

/**
 * Encodes an object as it is stored.
 * @throws StatusError 413 if it is larger than its store takes.
 */
export async function encodeForStore(request: VerbRequest, object: KubeObject): Promise<Buffer> {
  const { definition, version } = request.resource;
  // How large it will be is known only when it is done: what was large before is worked on in slices.
  const json = await storedBytes(object, definition, slicedFromBytes, version);
  if (json.length > definition.maxObjectBytes) throw requestEntityTooLarge(`limit is ${definition.maxObjectBytes}`);
  return json;
}

/** Gives what clients see of an object that was just written: as it was sent, or as the store says it wrote it. */
export async function answeredView(
  request: VerbRequest,
  tools: VerbTools,
  object: KubeObject,
  json: Buffer,
  written: StoredObject,
): Promise<ObjectView> {
  // The same bytes: the store had nothing to say.
  if (written.json === json && isReadAsWritten(request, tools, object, json))
    return writtenView(object, json, written.revision);
  return await presentInSlices(tools.schemaOf, request.resource, written);
}

/** Whether an object of these bytes reads as it was written: another version has other defaults, a new object a default status, an apply nulls. */
function isReadAsWritten(request: VerbRequest, tools: VerbTools, object: KubeObject, json?: Buffer): boolean {
  const { definition, version } = request.resource;
  if (originOf(definition, version) !== version || json?.includes(":null") === true) return false;
  const { status = undefined } = object;
  if (status === undefined && tools.schemaOf(version)?.root.defaulted.some(([name]) => name === "status")) return false;
  return !hasEmptyMetadata(object);
}

/** Gives what clients would see of an object if it had been written. @param json its bytes, where it may hold nulls. */
export async function triedView(
  request: VerbRequest,
  tools: VerbTools,
  object: KubeObject,
  json?: Buffer,
): Promise<ObjectView> {
  if (isReadAsWritten(request, tools, object, json)) return viewOf(object);
  const shown = await clone(object);
  const { definition, version } = request.resource;
  coerceMetadata(shown, { dropMalformed: true });
  for (const steps of readingSteps(tools.schemaOf, definition, version, shown)) await runSized(steps, slicedFromBytes);
  return viewOf(shown);
}

function writtenView(object: KubeObject, json: Buffer, revision: bigint): ObjectView {
  return new WrittenView(object, insertRevision(json, revision), revision);
}

/** What was written. Its value is made when somebody asks. */
class WrittenView implements ObjectView {
  readonly json: Uint8Array;
  readonly #object: KubeObject;
  readonly #revision: bigint;
  #value: KubeObject | undefined;

  constructor(object: KubeObject, json: Uint8Array, revision: bigint) {
    this.json = json;
    this.#object = object;
    this.#revision = revision;
  }

  get value(): KubeObject {
    if (this.#value === undefined) {
      this.#value = shallowCopy(this.#object);
      const metadata = shallowCopy(metadataOf(this.#object) ?? {});
      metadata["resourceVersion"] = String(this.#revision);
      delete metadata["selfLink"];
      this.#value["metadata"] = metadata;
    }
    return this.#value;
  }
}

/** Gives a view of an object that was not written. */
export function viewOf(value: KubeObject): ObjectView {
  return new UnwrittenView(value);
}

/** Its bytes are made when somebody asks. */
class UnwrittenView implements ObjectView {
  readonly value: KubeObject;
  #json: Buffer | undefined;

  constructor(value: KubeObject) {
    this.value = value;
  }

  get json(): Buffer {
    if (this.#json === undefined) {
      const encoder = jsonEncoder(this.value);
      while (!encoder.step(1_000_000));
      this.#json = encoder.result();
    }
    return this.#json;
  }
}

/**
 * Checks the next state against metadata rules and schema.
 *
 * @param metadataErrors what lifecycle found.
 * @throws StatusError 422 with every fault.
 */
export async function assertValid(
  request: VerbRequest,
  tools: VerbTools,
  scope: WriteScope,
  next: KubeObject,
  current: KubeObject | undefined,
  metadataErrors: readonly FieldError[],
): Promise<void> {
  const errors = [...metadataErrors];
  const schema = tools.schemaOf(request.resource.version);
  if (validateTypeMeta(next, request.resource).length === 0) {
    // Slices cost little when nothing is due; the size of a parsed object isn't known.
    if (schema !== undefined)
      errors.push(...(await runSized(schemaSteps(schema, scope, next, current), slicedFromBytes)));
    errors.push(...validateScale(next, scope));
  }
  if (errors.length > 0) throw invalid(ownKindWord(next, request), scope.name, errors);
}

/** Through status nothing else can change, and faults are told from there. */
function schemaSteps(schema: Schema, scope: WriteScope, next: KubeObject, current: KubeObject | undefined) {
  if (scope.subresource === "status" && current !== undefined) return validateStatusSteps(schema, next, current);
  return validateSteps(schema, next, current, { embeddedMetadata: validateEmbeddedMeta });
}

/** A refusal names the object as it names itself, which may be what is wrong with it. */
function ownKindWord(object: KubeObject, request: VerbRequest): GroupWord {
  const { kind, apiVersion } = object;
  if (typeof kind !== "string" || typeof apiVersion !== "string") return kindWord(request.resource);
  return { group: apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "", word: kind };
}

/** @throws StatusError 504 when the request's time is over. */
export function assertInTime(request: VerbRequest): void {
  if (performance.now() < request.deadline) return;
  throw timeout("request did not complete within requested timeout - context deadline exceeded");
}
