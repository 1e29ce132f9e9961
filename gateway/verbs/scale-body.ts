/**
 * A Scale as clients send it: read into the fields that a Scale has, as Go decodes into a struct.
 *
 * Whatever else is in it is named and left out; kind and apiVersion may be missing, but not others.
 * Source: k8s.io/api autoscaling/v1 types.go; Go encoding/json; apiserver pkg/endpoints/handlers/rest.go
 * (transformDecodeError, which finds no Scale among the types of custom resources).
 */
import { fieldInvalid, invalid } from "../apimachinery/field-error.ts";
import { goQuote } from "../apimachinery/go-text.ts";
import { goTypeWord } from "../apimachinery/go-type.ts";
import { encodeJson, isJsonObject, type JsonObject, type JsonValue, jsonEncoder } from "../apimachinery/json.ts";
import type { WriteOptions } from "../apimachinery/options.ts";
import { badRequest, type StatusError } from "../apimachinery/status.ts";
import { finish } from "../apimachinery/steps.ts";
import { MetadataTypeError, readMetadata } from "../schema/schema.ts";
import type { VerbRequest } from "./verb-request.ts";

/** What can't be read as a Scale. The message is Go's. */
class ScaleError extends Error {
  override readonly name = "ScaleError";
}

/** A sent Scale: the value, undefined where the body can't be read at all, and keys that came twice. */
export interface ScaleBody {
  readonly value: JsonValue | undefined;
  readonly strictErrors: readonly string[];
}

/** What a patch made of a Scale. `touches` tells whether it is about one of its fields. */
export interface PatchedScale {
  readonly value: JsonObject;
  readonly touches: (field: string) => boolean;
  readonly strictErrors: readonly string[];
}

const scheme = 'in scheme "pkg/runtime/scheme.go:111"';
/** Scales of old that are still known, and of no use here. */
const olderScales = new Set(["extensions/v1beta1", "apps/v1beta1", "apps/v1beta2"]);
const maxInt32 = 2n ** 31n - 1n;

/**
 * Takes in the body of a PUT.
 * @throws StatusError 400 with one text for all that is wrong, as kube-apiserver.
 */
export function takeScale(request: VerbRequest, body: ScaleBody, validation: WriteOptions["fieldValidation"]) {
  const refused = () => badRequest(`no kind is registered for the type v1.Scale ${scheme}`);
  if (body.value === undefined) throw refused();
  return take(request, body.value, body.strictErrors, validation, refused);
}

/**
 * Takes in what a patch made of a Scale.
 * @throws StatusError 422 that shows it.
 */
export function takePatchedScale(
  request: VerbRequest,
  patched: PatchedScale,
  validation: WriteOptions["fieldValidation"],
): JsonObject {
  const refused = (why: string) =>
    invalid({ group: "", word: "" }, "", [fieldInvalid("patch", patchedText(patched), why)]);
  return take(request, patched.value, patched.strictErrors, validation, refused);
}

function take(
  request: VerbRequest,
  value: JsonValue,
  strictErrors: readonly string[],
  validation: WriteOptions["fieldValidation"],
  refused: (why: string) => StatusError,
): JsonObject {
  let read: { scale: JsonObject; unknown: readonly string[] };
  try {
    read = readScale(value);
  } catch (error) {
    if (!(error instanceof ScaleError) && !(error instanceof MetadataTypeError)) throw error;
    throw refused(
      error.message
        .replace("field ObjectMeta.", "field ObjectMeta.metadata.")
        .replace("Go value of type v1.ObjectMeta", "Go struct field Scale.metadata of type v1.ObjectMeta"),
    );
  }
  const faults = [...strictErrors, ...read.unknown.map((path) => `unknown field ${goQuote(path)}`)];
  if (validation === "Strict" && faults.length > 0) throw refused(`strict decoding error: ${faults.join(", ")}`);
  if (validation === "Warn") for (const fault of faults) request.warn(fault);
  return read.scale;
}

function readScale(value: JsonValue): { scale: JsonObject; unknown: readonly string[] } {
  if (value !== null && !isJsonObject(value)) throw wrongType(value, "value", "v1.Scale");
  const whole = value ?? {};
  assertKind(whole);
  const unknown: string[] = [];
  const part = (name: string, type: string, known: readonly string[]): JsonObject => {
    const found = whole[name] ?? {};
    if (!isJsonObject(found)) throw wrongType(found, `struct field Scale.${name}`, `v1.${type}`);
    for (const key of Object.keys(found).sort()) if (!known.includes(key)) unknown.push(`${name}.${key}`);
    return found;
  };
  for (const key of Object.keys(whole).sort())
    if (!["apiVersion", "kind", "metadata", "spec", "status"].includes(key)) unknown.push(key);
  const metadata = readMetadata(whole["metadata"] ?? null, false);
  unknown.push(...metadata.unknown.map((path) => `metadata.${path}`));
  const spec = part("spec", "ScaleSpec", ["replicas"]);
  const status = part("status", "ScaleStatus", ["replicas", "selector"]);
  const selector = status["selector"] ?? "";
  if (typeof selector !== "string") throw wrongType(selector, "struct field ScaleStatus.status.selector", "string");
  const scale: JsonObject = {
    kind: "Scale",
    // As sent: in a Scale that names no version nobody's fields are told apart.
    apiVersion: whole["apiVersion"] ?? "",
    metadata: metadata.metadata,
    spec: { replicas: int32(spec["replicas"], "ScaleSpec.spec.replicas") },
    status: { replicas: int32(status["replicas"], "ScaleStatus.status.replicas"), selector },
  };
  return { scale, unknown };
}

/** What names neither is a Scale; what names one of them only is taken at its word. */
function assertKind(whole: JsonObject): void {
  const text = (field: string) => {
    const found = whole[field] ?? "";
    if (typeof found === "string") return found;
    throw new ScaleError(
      `couldn't get version/kind; json parse error: ${wrongType(found, `struct field .${field}`, "string").message}`,
    );
  };
  const apiVersion = text("apiVersion") || "autoscaling/v1";
  const kind = text("kind") || "Scale";
  if (apiVersion === "autoscaling/v1" && kind === "Scale") return;
  if (kind === "Scale" && olderScales.has(apiVersion))
    throw new ScaleError(`converting (${apiVersion.replace(/^.*\//, "")}.Scale) to (v1.Scale): unknown conversion`);
  throw new ScaleError(`no kind ${goQuote(kind)} is registered for version ${goQuote(apiVersion)} ${scheme}`);
}

function int32(value: JsonValue | undefined, field: string): number {
  const found = value ?? 0;
  const isInteger = typeof found === "bigint" || (typeof found === "number" && Number.isInteger(found));
  if (isInteger && BigInt(found) <= maxInt32 && BigInt(found) >= -maxInt32 - 1n) return Number(found);
  const word = typeof found === "number" || typeof found === "bigint" ? `number ${encodeJson(found)}` : undefined;
  throw wrongType(found, `struct field ${field}`, "int32", word);
}

function wrongType(value: JsonValue, where: string, type: string, word = goTypeWord(value)): ScaleError {
  return new ScaleError(`json: cannot unmarshal ${word} into Go ${where} of type ${type}`);
}

/** A patch leaves what it doesn't touch as it was written: metadata in the order of Go's struct. */
function patchedText({ value, touches }: PatchedScale): string {
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${encodeJson(key)}:${finish(jsonEncoder(value[key] ?? null, { keepOrder: !touches(key) }))}`);
  return `{${fields.join(",")}}`;
}
