/**
 * Brings metadata into the shape of ObjectMeta: known fields of the right types, nothing else.
 *
 * On a write an ill-typed field is refused with Go's words; on a read it is dropped. Unknown fields
 * are dropped and named. Empty values go, as a Go struct's omitted ones would.
 * Source: apiextensions-apiserver pkg/apiserver/schema/objectmeta/coerce.go; metav1.ObjectMeta.
 */
import { isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";
import { badRequest } from "../apimachinery/status.ts";
import { parseTime } from "../apimachinery/time.ts";

/** A field that does not have its type; the message is Go's. */
export class MetadataTypeError extends Error {
  override readonly name = "MetadataTypeError";
}

/** How to treat what is wrong. */
export interface CoerceOptions {
  /** True: drop ill-typed fields, for reads. False: throw, for writes. */
  readonly dropMalformed: boolean;
  /** For the message of a refusal. Default: the object's own. */
  readonly kind?: string;
  readonly version?: string;
}

/** Reads a field; undefined leaves it out. Throws MetadataTypeError. */
type Reader = (value: JsonValue, field: string, unknown: (path: string) => void) => JsonValue | undefined;

const text: Reader = (value, field) => {
  if (value === null || value === "") return undefined;
  if (typeof value === "string") return value;
  throw wrongType(value, field, "string");
};
const integer: Reader = (value, field) => {
  if (value === null) return undefined;
  if (typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value))) return value;
  if (typeof value === "number")
    throw new MetadataTypeError(
      `json: cannot unmarshal number ${value} into Go struct field ObjectMeta.${field} of type int64`,
    );
  throw wrongType(value, field, "int64");
};
const nonZero: Reader = (value, field, unknown) => integer(value, field, unknown) || undefined;
const flag: Reader = (value, field) => {
  if (value === null) return undefined;
  if (typeof value === "boolean") return value;
  throw wrongType(value, field, "bool");
};
const time: Reader = (value, field) => {
  if (value === null) return undefined;
  if (typeof value !== "string") throw wrongType(value, field, "string");
  if (parseTime(value) === undefined) {
    throw new MetadataTypeError(
      `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(value)} as "2006"`,
    );
  }
  return value;
};
const texts: Reader = (value, field) => {
  if (value === null) return undefined;
  if (!Array.isArray(value)) throw wrongType(value, field, "[]string");
  if (value.length === 0) return undefined;
  return value.map((item) => text(item, field, () => {}) ?? "");
};
const textMap: Reader = (value, field) => {
  if (value === null) return undefined;
  if (!isJsonObject(value)) throw wrongType(value, field, "map[string]string");
  const keys = Object.keys(value);
  if (keys.length === 0) return undefined;
  const out = newJsonObject();
  for (const key of keys) out[key] = text(value[key] as JsonValue, field, () => {}) ?? "";
  return out;
};
const anyObject: Reader = (value, field) => {
  if (value === null) return undefined;
  if (!isJsonObject(value)) throw wrongType(value, field, "v1.FieldsV1");
  return value;
};

function listOf(goType: string, fields: Readonly<Record<string, Reader>>, kept: readonly string[]): Reader {
  return (value, field, unknown) => {
    if (value === null) return undefined;
    if (!Array.isArray(value)) throw wrongType(value, field, `[]v1.${goType}`);
    if (value.length === 0) return undefined;
    return value.map((item, index) => {
      if (item !== null && !isJsonObject(item)) throw wrongType(item, field, `v1.${goType}`);
      const out = readFields(item ?? newJsonObject(), fields, `${field}.`, (path) => unknown(`[${index}].${path}`));
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
      fieldsV1: anyObject,
      subresource: text,
    },
    [],
  ),
};

/**
 * Brings an object's metadata into shape, in place, and checks apiVersion and kind.
 *
 * @returns the paths of unknown fields, `metadata.foo`.
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
    const kind = options.kind ?? String(object["kind"]);
    throw badRequest(`${kind} in version "${options.version ?? ""}" cannot be handled as a ${kind}: ${error.message}`);
  }
}

/** Reads metadata of any object, embedded ones too. @throws MetadataTypeError unless malformed fields are dropped. */
export function readMetadata(
  metadata: JsonValue,
  dropMalformed: boolean,
): { readonly metadata: JsonObject; readonly unknown: string[] } {
  const unknown: string[] = [];
  if (metadata === null) return { metadata: newJsonObject(), unknown };
  if (!isJsonObject(metadata)) {
    if (dropMalformed) return { metadata: newJsonObject(), unknown };
    throw new MetadataTypeError(`json: cannot unmarshal ${goType(metadata)} into Go value of type v1.ObjectMeta`);
  }
  return { metadata: readFields(metadata, fields, "", (path) => unknown.push(path), dropMalformed), unknown };
}

function readFields(
  source: JsonObject,
  readers: Readonly<Record<string, Reader>>,
  prefix: string,
  unknown: (path: string) => void,
  dropMalformed = false,
): JsonObject {
  const out = newJsonObject();
  for (const key of Object.keys(source)) {
    const reader = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (reader === undefined) {
      unknown(key);
      continue;
    }
    try {
      const value = reader(source[key] as JsonValue, prefix + key, (path) => unknown(key + path));
      if (value !== undefined) out[key] = value;
    } catch (error) {
      if (!(dropMalformed && error instanceof MetadataTypeError)) throw error;
    }
  }
  return out;
}

function wrongType(value: JsonValue, field: string, wanted: string): MetadataTypeError {
  return new MetadataTypeError(
    `json: cannot unmarshal ${goType(value)} into Go struct field ObjectMeta.${field} of type ${wanted}`,
  );
}

function goType(value: JsonValue): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "object") return "object";
  if (typeof value === "boolean") return "bool";
  return typeof value === "string" ? "string" : "number";
}
