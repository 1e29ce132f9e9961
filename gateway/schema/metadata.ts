/**
 * Brings metadata into the shape of ObjectMeta: known fields of the right types, nothing else.
 *
 * On a write an ill-typed field is refused with Go's words; on a read it is dropped. Unknown fields
 * are dropped and named. Empty values go, as a Go struct's omitted ones would, and times become whole
 * seconds of UTC. Fields are read in the order of their names: of several faults Go tells the first,
 * but a time that can't be read goes before all others.
 * Source: apiextensions-apiserver pkg/apiserver/schema/objectmeta/coerce.go; metav1.ObjectMeta;
 * apiserver pkg/endpoints/handlers/rest.go (transformDecodeError).
 */
import { goQuote } from "../apimachinery/go-text.ts";
import { goTypeWord } from "../apimachinery/go-type.ts";
import { encodeJson, isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { badRequest, type StatusError } from "../apimachinery/status.ts";
import { formatTime, isCanonicalTime, parseTime } from "../apimachinery/time.ts";
import { goTimeFault } from "./go-time.ts";

/** A field that does not have its type; the message is Go's. */
export class MetadataTypeError extends Error {
  override readonly name = "MetadataTypeError";
}

/** A time that can't be read: Go's decoder stops at once. */
class MetadataTimeError extends MetadataTypeError {}

/** How to treat what is wrong. */
export interface CoerceOptions {
  /** True: drop ill-typed fields, for reads. False: throw, for writes. */
  readonly dropMalformed: boolean;
  /** For the message of a refusal. Default: the object's own. */
  readonly kind?: string;
  readonly version?: string;
}

/** Where a field stands: the Go struct that has it, and its path from ObjectMeta. */
interface Place {
  readonly struct: string;
  readonly field: string;
}

/** Reads a field; undefined leaves it out. Throws MetadataTypeError. */
type Reader = (value: JsonValue, place: Place, unknown: (path: string) => void) => JsonValue | undefined;

const text: Reader = (value, place) => {
  if (value === null || value === "") return undefined;
  if (typeof value === "string") return value;
  throw wrongType(value, place, "string");
};
const integer: Reader = (value, place) => {
  if (value === null) return undefined;
  if (typeof value === "bigint") return value;
  if (typeof value !== "number") throw wrongType(value, place, "int64");
  if (Number.isSafeInteger(value)) return value;
  const exact = Number.isInteger(value) ? BigInt(value) : undefined;
  if (exact !== undefined && BigInt.asIntN(64, exact) === exact) return exact;
  throw new MetadataTypeError(
    `json: cannot unmarshal number ${encodeJson(value)} into ${intoField(place)} of type int64`,
  );
};
const nonZero: Reader = (value, place, unknown) => integer(value, place, unknown) || undefined;
const flag: Reader = (value, place) => {
  if (value === null) return undefined;
  if (typeof value === "boolean") return value;
  throw wrongType(value, place, "bool");
};
const zeroTime = "0001-01-01T00:00:00Z";
const time: Reader = (value, place) => {
  if (value === null) return undefined;
  if (typeof value !== "string") throw new MetadataTimeError(wrongType(value, place, "string").message);
  if (isCanonicalTime(value) && value !== zeroTime) return value;
  // Go takes an hour of one digit too.
  const parsed = parseTime(value.replace(/T(\d:)/, "T0$1"));
  if (parsed === undefined) throw new MetadataTimeError(goTimeFault(value));
  const shown = formatTime(parsed);
  return shown === zeroTime ? undefined : shown;
};
const texts: Reader = (value, place) => {
  if (value === null) return undefined;
  if (!Array.isArray(value)) throw wrongType(value, place, "[]string");
  if (value.length === 0) return undefined;
  return value.map((item) => text(item, place, () => {}) ?? "");
};
const textMap: Reader = (value, place) => {
  if (value === null) return undefined;
  if (!isJsonObject(value)) throw wrongType(value, place, "map[string]string");
  const keys = Object.keys(value).sort();
  if (keys.length === 0) return undefined;
  const out = newJsonObject();
  for (const key of keys) out[key] = text(value[key] as JsonValue, place, () => {}) ?? "";
  return out;
};
const anyValue: Reader = (value) => value ?? undefined;

function listOf(struct: string, fields: Readonly<Record<string, Reader>>, kept: readonly string[]): Reader {
  return (value, place, unknown) => {
    if (value === null) return undefined;
    if (!Array.isArray(value)) throw wrongType(value, place, `[]v1.${struct}`);
    if (value.length === 0) return undefined;
    return value.map((item, index) => {
      if (item !== null && !isJsonObject(item)) throw wrongType(item, place, `v1.${struct}`);
      const inner = { struct, prefix: `${place.field}.` };
      const out = readFields(item ?? newJsonObject(), fields, inner, (path) => unknown(`[${index}].${path}`), false);
      for (const key of kept) out[key] ??= "";
      return out;
    });
  };
}

const fields: Readonly<Record<string, Reader>> = {
  name: text,
  generateName: text,
  namespace: text,
  selfLink: text,
  uid: text,
  resourceVersion: text,
  generation: nonZero,
  creationTimestamp: time,
  deletionTimestamp: time,
  deletionGracePeriodSeconds: integer,
  labels: textMap,
  annotations: textMap,
  ownerReferences: listOf(
    "OwnerReference",
    { apiVersion: text, kind: text, name: text, uid: text, controller: flag, blockOwnerDeletion: flag },
    ["apiVersion", "kind", "name", "uid"],
  ),
  finalizers: texts,
  managedFields: listOf(
    "ManagedFieldsEntry",
    {
      manager: text,
      operation: text,
      apiVersion: text,
      time,
      fieldsType: text,
      fieldsV1: anyValue,
      subresource: text,
    },
    [],
  ),
};

/**
 * Brings an object's metadata into shape, in place.
 *
 * @returns the paths of unknown fields, `metadata.foo`, sorted.
 * @throws StatusError 400 for an ill-typed field, unless malformed ones are dropped.
 */
export function coerceMetadata(object: JsonObject, options: CoerceOptions): { readonly unknown: readonly string[] } {
  const metadata = object["metadata"];
  if (metadata === undefined) return { unknown: [] };
  try {
    const read = readMetadata(metadata, options.dropMalformed);
    object["metadata"] = read.metadata;
    return { unknown: read.unknown.map((path) => `metadata.${path}`) };
  } catch (error) {
    if (!(error instanceof MetadataTypeError)) throw error;
    if (options.dropMalformed) {
      object["metadata"] = newJsonObject();
      return { unknown: [] };
    }
    throw cannotBeHandled(options.kind ?? String(object["kind"]), options.version ?? "", error.message);
  }
}

/** 400 for a body that can't be taken as an object of its kind. */
export function cannotBeHandled(kind: string, version: string, why: string): StatusError {
  return badRequest(`${kind} in version ${goQuote(version)} cannot be handled as a ${kind}: ${why}`);
}

/**
 * Reads metadata of any object, embedded ones too.
 * @throws MetadataTypeError if it is no object; for an ill-typed field too, unless those are dropped.
 */
export function readMetadata(
  metadata: JsonValue,
  dropMalformed: boolean,
): { readonly metadata: JsonObject; readonly unknown: readonly string[] } {
  if (metadata === null) return { metadata: newJsonObject(), unknown: [] };
  if (!isJsonObject(metadata))
    throw new MetadataTypeError(`json: cannot unmarshal ${goTypeWord(metadata)} into Go value of type v1.ObjectMeta`);
  const unknown: string[] = [];
  const place = { struct: "ObjectMeta", prefix: "" };
  return { metadata: readFields(metadata, fields, place, (path) => unknown.push(path), dropMalformed), unknown };
}

function readFields(
  source: JsonObject,
  readers: Readonly<Record<string, Reader>>,
  place: { readonly struct: string; readonly prefix: string },
  unknown: (path: string) => void,
  dropMalformed: boolean,
): JsonObject {
  const out = newJsonObject();
  let first: MetadataTypeError | undefined;
  for (const key of Object.keys(source).sort()) {
    const reader = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (reader === undefined) {
      unknown(key);
      continue;
    }
    try {
      const where = { struct: place.struct, field: place.prefix + key };
      const value = reader(source[key] as JsonValue, where, (path) => unknown(key + path));
      if (value !== undefined) out[key] = value;
    } catch (error) {
      if (!(error instanceof MetadataTypeError)) throw error;
      if (dropMalformed) continue;
      if (error instanceof MetadataTimeError) throw error;
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
  return out;
}

function wrongType(value: JsonValue, place: Place, wanted: string): MetadataTypeError {
  return new MetadataTypeError(
    `json: cannot unmarshal ${goTypeWord(value)} into ${intoField(place)} of type ${wanted}`,
  );
}

function intoField({ struct, field }: Place): string {
  return `Go struct field ${struct}.${field}`;
}
