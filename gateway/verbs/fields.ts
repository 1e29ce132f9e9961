/** Who owns which field after a write: verbs' way into the room that knows. */
import { formatGroupVersion, parseGroupVersion } from "../apimachinery/gvk.ts";
import { type KubeObject, metadataOf } from "../apimachinery/object.ts";
import type { WriteOptions } from "../apimachinery/options.ts";
import type { Convert, FieldTarget } from "../apply/apply.ts";
import { callOf, type VerbRequest, type VerbTools } from "./verb-request.ts";

/** Gives what the request's field management is about. */
export function fieldTargetOf(request: VerbRequest, { registry }: Pick<VerbTools, "registry">): FieldTarget {
  const { definition, version } = request.resource;
  const convert = definition.capabilities.hookConvert ? convertFor(request, registry) : undefined;
  return { definition, version: version.name, subresource: request.info.subresource, convert };
}

function convertFor(request: VerbRequest, registry: VerbTools["registry"]): Convert {
  const { definition } = request.resource;
  const { hooks } = registry.client(definition);
  return (apiVersion, objects) => hooks.convert(parseGroupVersion(apiVersion).version, objects, callOf(request));
}

/** A write that is no apply. */
export interface TrackedStates {
  /** Undefined: it doesn't exist yet. */
  readonly live: KubeObject | undefined;
  readonly next: KubeObject;
  /** About how large they are. */
  readonly bytes: number;
}

/**
 * Gives the next state with its managedFields.
 * @param options whose fieldManager is the one asked for, or the one of the User-Agent.
 * @throws StatusError 429 if too many large objects wait.
 */
export async function tracked(
  request: VerbRequest,
  tools: VerbTools,
  options: WriteOptions,
  { live, next, bytes }: TrackedStates,
): Promise<KubeObject> {
  // A status whose object claims to be another kind has no fields that could be told apart, nor has a Scale of no version.
  const { definition } = request.resource;
  const ofKind = definition.versions.some(
    ({ name, served }) => served && next["apiVersion"] === formatGroupVersion(definition.group, name),
  );
  const isOther = next["kind"] !== definition.kind || !ofKind;
  if (request.info.subresource === "status" && isOther) return withoutManagedFields(next);
  if (request.info.subresource === "scale" && next["apiVersion"] === "") return withoutManagedFields(next);
  const write = { live, next, manager: options.fieldManager, now: tools.clock() };
  return await tools.fields.track(fieldTargetOf(request, tools), write, bytes);
}

/** Gives the object without managedFields: the same one if it has none. */
export function withoutManagedFields(object: KubeObject): KubeObject {
  const metadata = metadataOf(object);
  if (metadata?.["managedFields"] === undefined) return object;
  const { managedFields: _, ...rest } = metadata;
  return { ...object, metadata: rest };
}
