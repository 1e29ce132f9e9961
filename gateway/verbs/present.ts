/**
 * Turns what lies in a store into what clients of a version see, and back.
 *
 * An object is stored as it was written, in the storage version. It is read under the schema of
 * now: pruned and defaulted again, as kube-apiserver does for custom resources, so that a changed
 * default shows at once and nothing is rewritten.
 */

import { formatGroupVersion } from "../apimachinery/gvk.ts";
import {
  encodeJsonBytes,
  isJsonObject,
  type JsonObject,
  jsonEncoder,
  jsonParser,
  newJsonObject,
} from "../apimachinery/json.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import type { ResourceDefinition, ResourceVersionDefinition, ServedResource } from "../apimachinery/resource.ts";
import { finish, finishInSlices, type Steps } from "../apimachinery/steps.ts";
import type { StoredObject } from "../registry/registry.ts";
import { coerceEmbedded, coerceMetadata, defaultSteps, pruneSteps, type Schema } from "../schema/schema.ts";

/** Finds a version's compiled schema; undefined: it has none, any object is taken as it is. */
export type SchemaOf = (version: ResourceVersionDefinition) => Schema | undefined;

/** Bytes from which work on one object is cut into slices: about a millisecond's worth. */
export const slicedFromBytes = 128 * 1024;

/** Runs work now if its input is small, else in slices. */
export async function runSized<T>(work: Steps<T>, bytes: number): Promise<T> {
  return bytes < slicedFromBytes ? finish(work) : finishInSlices(work);
}

/** Gives what clients of a version see of a stored object, in one go. `revision` is what it is shown under. */
export function present(
  schemaOf: SchemaOf,
  definition: ResourceDefinition,
  version: ResourceVersionDefinition,
  stored: StoredObject,
  revision: bigint,
): ObjectView {
  const value = presentValue(schemaOf, definition, version, stored, revision);
  return { json: encodeJsonBytes(value), value };
}

/** Gives the same without its bytes. */
export function presentValue(
  schemaOf: SchemaOf,
  definition: ResourceDefinition,
  version: ResourceVersionDefinition,
  stored: StoredObject,
  revision: bigint,
): JsonObject {
  const value = asObject(finish(jsonParser(formOf(stored, version))).value, stored);
  coerceMetadata(value, { dropMalformed: true });
  for (const steps of readingSteps(schemaOf, definition, version, value)) finish(steps);
  stamp(value, definition, version, revision);
  return value;
}

/** Gives the same, with turns of the event loop between slices when the object is large. */
export async function presentInSlices(
  schemaOf: SchemaOf,
  resource: ServedResource,
  stored: StoredObject,
  revision = stored.revision,
): Promise<ObjectView> {
  const { definition, version } = resource;
  const form = formOf(stored, version);
  const bytes = form.length;
  if (bytes < slicedFromBytes) return present(schemaOf, definition, version, stored, revision);
  const value = asObject((await finishInSlices(jsonParser(form))).value, stored);
  coerceMetadata(value, { dropMalformed: true });
  for (const steps of readingSteps(schemaOf, definition, version, value)) await finishInSlices(steps);
  stamp(value, definition, version, revision);
  const json = await finishInSlices(jsonEncoder(value));
  return { json, value };
}

/** Gives the work that makes an object of a version out of what is stored: its defaults are the storage version's. */
export function* readingSteps(
  schemaOf: SchemaOf,
  definition: ResourceDefinition,
  version: ResourceVersionDefinition,
  value: JsonObject,
): Generator<Steps<unknown>> {
  const origin = originOf(definition, version);
  const schema = schemaOf(origin);
  if (schema !== undefined) {
    yield pruneSteps(schema, value, { trackUnknown: false });
    coerceEmbedded(schema, value, true);
    yield defaultSteps(schema, value);
  }
  if (origin !== version) yield* convertingSteps(schemaOf(version), value);
}

/** Gives the work that makes an object fit another version's schema: what that doesn't know goes, nothing comes. */
export function* convertingSteps(schema: Schema | undefined, value: JsonObject): Generator<Steps<unknown>> {
  if (schema === undefined) return;
  yield pruneSteps(schema, value, { trackUnknown: false });
  coerceEmbedded(schema, value, true);
  yield defaultSteps(schema, value, { fills: false });
}

/** Gives the version in which an object is stored, or in which its store gives it. */
export function originOf(
  definition: ResourceDefinition,
  version: ResourceVersionDefinition,
): ResourceVersionDefinition {
  if (definition.capabilities.hookConvert) return version;
  return definition.versions.find(({ name }) => name === definition.storageVersion) ?? version;
}

/**
 * Gives the bytes to store of an object of a version: without a resourceVersion, under the storage
 * version's apiVersion, or under its own where the store is to convert it.
 */
export async function storedBytes(
  object: JsonObject,
  definition: ResourceDefinition,
  sizeHint: number,
  version: ResourceVersionDefinition,
): Promise<Buffer> {
  const written = definition.capabilities.hookConvert ? version.name : definition.storageVersion;
  const apiVersion = formatGroupVersion(definition.group, written);
  const copy = shallowCopy(object);
  copy["apiVersion"] = apiVersion;
  const metadata = object["metadata"];
  // The revision is the store's, and selfLink nobody sets any more, clients neither.
  if (isJsonObject(metadata) && (metadata["resourceVersion"] ?? metadata["selfLink"]) !== undefined) {
    const bare = shallowCopy(metadata);
    delete bare["resourceVersion"];
    delete bare["selfLink"];
    copy["metadata"] = bare;
  }
  return await runSized(jsonEncoder(copy), sizeHint);
}

/** The bytes of the version, which a store that converts gives beside its own. */
function formOf(stored: StoredObject, version: ResourceVersionDefinition): Uint8Array {
  return stored.versions?.get(version.name) ?? stored.json;
}

/** Gives a copy that shares its values, to change a field at the top of. */
export function shallowCopy(object: JsonObject): JsonObject {
  const copy = newJsonObject();
  for (const key of Object.keys(object)) copy[key] = object[key] as JsonObject;
  return copy;
}

function stamp(
  value: JsonObject,
  definition: ResourceDefinition,
  version: ResourceVersionDefinition,
  revision: bigint,
): void {
  value["apiVersion"] = formatGroupVersion(definition.group, version.name);
  value["kind"] = definition.kind;
  let metadata = value["metadata"];
  if (!isJsonObject(metadata)) {
    metadata = newJsonObject();
    value["metadata"] = metadata;
  }
  metadata["resourceVersion"] = String(revision);
}

function asObject(value: unknown, stored: StoredObject): JsonObject {
  if (isJsonObject(value)) return value;
  throw new Error(`the store holds no JSON object under "${stored.namespace}/${stored.name}"`);
}
