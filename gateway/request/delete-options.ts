/**
 * The options of delete and deletecollection: from the body if there is one, else from the query.
 *
 * A body's kind must be DeleteOptions, of any group and version; a body without kind is taken as
 * one. Unknown fields are ignored. Absent on purpose: protobuf bodies, which no client sends for
 * resources that aren't built in, and ignoreStoreReadErrorWithClusterBreakingPotential, which is
 * read and dropped as Kubernetes 1.36 does.
 * Source: apiserver pkg/endpoints/handlers/delete.go; apimachinery pkg/apis/meta/v1/validation.
 */
import { type FieldError, invalid } from "../apimachinery/field-error.ts";
import { goQuote } from "../apimachinery/go-text.ts";
import { formatGroupVersion, parseGroupVersion } from "../apimachinery/gvk.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import type { DeleteOptions, PropagationPolicy } from "../apimachinery/options.ts";
import { badRequest } from "../apimachinery/status.ts";
import { invalidWord, metaKind, notSupportedWord } from "./option-errors.ts";
import { integerOf, type Query, switchOf, textOf } from "./query.ts";
import { dryRunErrors } from "./write-options.ts";

/** DeleteOptions as sent, before their rules. */
interface RawDeleteOptions {
  gracePeriodSeconds: number | undefined;
  propagationPolicy: string | undefined;
  orphanDependents: boolean | undefined;
  dryRun: readonly string[];
  uid: string | undefined;
  resourceVersion: string | undefined;
}

/**
 * Gives the options of a delete.
 *
 * @param body the parsed body; undefined if it was empty.
 * @throws StatusError 400 for a body or a number that can't be read, 422 for options that don't go together.
 */
export function parseDeleteOptions(query: Query, body: JsonValue | undefined): DeleteOptions {
  const raw = body === undefined ? fromQuery(query) : fromBody(body);
  const errors = deleteErrors(raw);
  if (errors.length > 0) throw invalid(metaKind("DeleteOptions"), "", errors);
  return {
    dryRun: raw.dryRun.length > 0,
    gracePeriodSeconds: raw.gracePeriodSeconds,
    propagationPolicy: raw.propagationPolicy as PropagationPolicy | undefined,
    orphanDependents: raw.orphanDependents,
    preconditions: { uid: raw.uid, resourceVersion: raw.resourceVersion },
  };
}

function fromQuery(query: Query): RawDeleteOptions {
  return {
    gracePeriodSeconds: integerOf(query, "gracePeriodSeconds"),
    propagationPolicy: query.get("propagationPolicy")?.[0],
    orphanDependents: switchOf(query, "orphanDependents"),
    dryRun: query.get("dryRun") ?? [],
    uid: textOf(query, "uid") || undefined,
    resourceVersion: textOf(query, "resourceVersion") || undefined,
  };
}

function fromBody(body: JsonValue): RawDeleteOptions {
  const raw: RawDeleteOptions = {
    gracePeriodSeconds: undefined,
    propagationPolicy: undefined,
    orphanDependents: undefined,
    dryRun: [],
    uid: undefined,
    resourceVersion: undefined,
  };
  if (body !== null && !isJsonObject(body)) {
    throw badRequest(`couldn't get version/kind; json parse error: ${mismatch(body, "value", metaStruct)}`);
  }
  if (body === null) return raw;
  checkKind(body);
  for (const key of Object.keys(body)) readField(raw, key, body[key] ?? null);
  return raw;
}

/** The Go type that a body's version and kind are read into, as its error names it. */
const metaStruct =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
/** How the scheme that knows DeleteOptions names itself. */
const schemeName = "pkg/runtime/scheme.go:111";
/** Kinds that are known in every group and version, and are no DeleteOptions. */
const unversionedKinds = new Set([
  "APIGroup",
  "APIGroupList",
  "APIResourceList",
  "APIVersions",
  "CreateOptions",
  "Status",
  "UpdateOptions",
]);
/** Kinds that are known in meta.k8s.io/v1 only. */
const metaKinds = new Set([
  "GetOptions",
  "ListOptions",
  "PatchOptions",
  "PartialObjectMetadata",
  "PartialObjectMetadataList",
  "Table",
  "TableOptions",
  "WatchEvent",
]);

function checkKind(body: JsonObject): void {
  const text = (field: string) => {
    // Go takes KIND for kind too, and the last of them.
    const key = Object.keys(body).findLast((name) => name.toLowerCase() === field.toLowerCase()) ?? field;
    const value = body[key] ?? "";
    if (typeof value === "string") return value;
    const why = mismatch(value, `struct field .${field}`, "string");
    throw badRequest(`couldn't get version/kind; json parse error: ${why}`);
  };
  const apiVersion = text("apiVersion");
  const kind = text("kind");
  const { group, version } = groupVersionOf(apiVersion);
  if (kind === "" || kind === "DeleteOptions") return;
  const gv = apiVersion === "" ? "meta.k8s.io/v1" : formatGroupVersion(group, version);
  if (unversionedKinds.has(kind) || (gv === "meta.k8s.io/v1" && metaKinds.has(kind))) {
    throw badRequest(`converting (v1.${kind}) to (v1.DeleteOptions): unknown conversion`);
  }
  throw badRequest(`no kind ${goQuote(kind)} is registered for version ${goQuote(gv)} in scheme "${schemeName}"`);
}

function groupVersionOf(apiVersion: string): { group: string; version: string } {
  try {
    return parseGroupVersion(apiVersion);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

function readField(raw: RawDeleteOptions, key: string, value: JsonValue): void {
  if (value === null) return;
  const field = (type: string) => badRequest(mismatch(value, `struct field DeleteOptions.${key}`, type));
  switch (key) {
    case "gracePeriodSeconds":
      if (!isInt64(value)) throw field("int64");
      raw.gracePeriodSeconds = Number(value);
      return;
    case "orphanDependents":
      if (typeof value !== "boolean") throw field("bool");
      raw.orphanDependents = value;
      return;
    case "ignoreStoreReadErrorWithClusterBreakingPotential":
      if (typeof value !== "boolean") throw field("bool");
      return;
    case "propagationPolicy":
      if (typeof value !== "string") throw field("v1.DeletionPropagation");
      raw.propagationPolicy = value;
      return;
    case "dryRun":
      if (!Array.isArray(value)) throw field("[]string");
      raw.dryRun = value.map(dryRunItem);
      return;
    case "preconditions":
      if (!isJsonObject(value)) throw field("v1.Preconditions");
      for (const name of Object.keys(value)) readPrecondition(raw, name, value[name] ?? null);
  }
}

function dryRunItem(item: JsonValue): string {
  if (item === null) return "";
  if (typeof item === "string") return item;
  throw badRequest(mismatch(item, "struct field DeleteOptions.dryRun", "string"));
}

function readPrecondition(raw: RawDeleteOptions, name: string, value: JsonValue): void {
  if (value === null || (name !== "uid" && name !== "resourceVersion")) return;
  if (typeof value !== "string") {
    const field = `struct field Preconditions.preconditions.${name}`;
    throw badRequest(mismatch(value, field, name === "uid" ? "types.UID" : "string"));
  }
  raw[name] = value;
}

function isInt64(value: JsonValue): boolean {
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value;
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

/** Go's text for a JSON value of the wrong type; `where` is `value` or `struct field <path>`. */
function mismatch(value: JsonValue, where: string, type: string): string {
  const shown = type === "int64" && jsonWord(value) === "number" ? `number ${value}` : jsonWord(value);
  return `json: cannot unmarshal ${shown} into Go ${where} of type ${type}`;
}

function jsonWord(value: JsonValue): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  return typeof value === "object" ? "object" : "number";
}

function deleteErrors(raw: RawDeleteOptions): FieldError[] {
  const errors: FieldError[] = [];
  const policy = raw.propagationPolicy;
  if (policy !== undefined && raw.orphanDependents !== undefined) {
    const why = "orphanDependents and deletionPropagation cannot be both set";
    errors.push(invalidWord("propagationPolicy", policy, why));
  }
  if (policy !== undefined && policy !== "Foreground" && policy !== "Background" && policy !== "Orphan") {
    errors.push(notSupportedWord("propagationPolicy", policy, ["Foreground", "Background", "Orphan", "nil"]));
  }
  return [...errors, ...dryRunErrors(raw.dryRun)];
}
