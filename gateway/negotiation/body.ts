/**
 * A request's body into a JSON value: JSON or YAML, with what a strict decoder holds against it.
 *
 * A custom resource must name its own apiVersion and kind: they are checked here, for what they say
 * decides how the rest is read.
 * Source: apimachinery pkg/runtime/serializer/json, pkg/apis/meta/v1/unstructured;
 * apiserver pkg/endpoints/handlers/{create,rest}.go.
 */
import { Worker } from "node:worker_threads";
import type { GroupVersionKind } from "../apimachinery/gvk.ts";
import { formatGroupVersion, parseGroupVersion } from "../apimachinery/gvk.ts";
import {
  isJsonObject,
  type JsonObject,
  JsonSyntaxError,
  type JsonValue,
  jsonParser,
  type ParsedJson,
} from "../apimachinery/json.ts";
import { badRequest, unsupportedMediaType } from "../apimachinery/status.ts";
import { finish, finishInSlices } from "../apimachinery/steps.ts";
import { type ParsedYaml, parseYaml, YamlSyntaxError } from "../apimachinery/yaml.ts";

/** A body as read. */
export interface DecodedBody {
  readonly value: JsonObject;
  /** Keys that came twice, in the words of the strict decoder. */
  readonly strictErrors: readonly string[];
  /** Size as sent. */
  readonly bytes: number;
}

/** Media types of bodies that are read. */
export type BodyFormat = "json" | "yaml";

/** JSON from here on is parsed in slices: about a millisecond's worth. */
const slicedFromBytes = 128 * 1024;
/** YAML from here on is parsed in a worker: no YAML parser can stop half-way. */
const workerFromBytes = 32 * 1024;

const accepted = "application/json, application/yaml";

/**
 * Gives the format of a Content-Type; none means JSON.
 * @throws StatusError 415.
 */
export function bodyFormat(contentType: string | undefined): BodyFormat {
  const media = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (media === "" || media === "application/json") return "json";
  if (media === "application/yaml") return "yaml";
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
}

/**
 * Reads the body of a create or an update.
 *
 * @param expected what the endpoint serves.
 * @throws StatusError 400 with Go's words if it can't be read, or is of another version or kind.
 */
export async function decodeObject(
  bytes: Buffer,
  format: BodyFormat,
  expected: GroupVersionKind,
): Promise<DecodedBody> {
  let decoded: { value: JsonValue; strictErrors: readonly string[] };
  try {
    decoded = await decode(bytes, format);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw unrecognized(expected, syntaxText(error, format), bytes);
    if (error instanceof YamlSyntaxError) throw unrecognized(expected, error.message, bytes);
    throw error;
  }
  const { value, strictErrors } = decoded;
  if (!isJsonObject(value)) {
    const what = `couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(value)} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`;
    throw unrecognized(expected, what, bytes);
  }
  const apiVersion = stringField(value, "apiVersion", expected, bytes);
  const kind = stringField(value, "kind", expected, bytes);
  if (kind === "") throw unrecognized(expected, `Object 'Kind' is missing in '${bytes.toString()}'`, bytes);
  const wanted = formatGroupVersion(expected.group, expected.version);
  if (apiVersion !== wanted) {
    try {
      parseGroupVersion(apiVersion);
    } catch (error) {
      throw badRequest(`${kind} in version "" cannot be handled as a ${expected.kind}: ${(error as Error).message}`);
    }
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${wanted})`);
  }
  return { value, strictErrors, bytes: bytes.length };
}

/**
 * Reads a body as a bare value: a patch, delete options.
 * @throws JsonSyntaxError, YamlSyntaxError
 */
export async function decodeValue(bytes: Buffer, format: BodyFormat): Promise<JsonValue> {
  return (await decode(bytes, format)).value;
}

async function decode(
  bytes: Buffer,
  format: BodyFormat,
): Promise<{ value: JsonValue; strictErrors: readonly string[] }> {
  if (format === "json") {
    const parsed = await parse(bytes);
    return { value: parsed.value, strictErrors: parsed.duplicates.map((path) => `duplicate field "${path}"`) };
  }
  const yaml = bytes.length < workerFromBytes ? parseYaml(bytes.toString()) : await parseYamlInWorker(bytes);
  const duplicates = yaml.duplicates.length === 0 ? [] : [`yaml: unmarshal errors:\n  ${yaml.duplicates.join("\n  ")}`];
  return { value: yaml.value, strictErrors: duplicates };
}

async function parse(bytes: Buffer): Promise<ParsedJson> {
  const work = jsonParser(bytes, { duplicates: true });
  return bytes.length < slicedFromBytes ? finish(work) : await finishInSlices(work);
}

/** What the worker sends back: the value's JSON text, so that 64-bit integers survive the way. */
export type YamlWorkerAnswer =
  | { readonly json: Uint8Array; readonly duplicates: readonly string[] }
  | { readonly syntaxError: string };

async function parseYamlInWorker(bytes: Buffer): Promise<ParsedYaml> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./yaml-worker.${extension}`, import.meta.url), { workerData: bytes.toString() });
  const answer = await new Promise<YamlWorkerAnswer>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  if ("syntaxError" in answer) throw new YamlSyntaxError(answer.syntaxError);
  const parsed = await finishInSlices(jsonParser(answer.json));
  return { value: parsed.value, duplicates: answer.duplicates };
}

function stringField(
  value: JsonObject,
  field: "apiVersion" | "kind",
  expected: GroupVersionKind,
  bytes: Buffer,
): string {
  const found = value[field];
  if (found === undefined || found === null) return "";
  if (typeof found === "string") return found;
  const what = `couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(found)} into Go struct field .${field} of type string`;
  throw unrecognized(expected, what, bytes);
}

function syntaxText(error: JsonSyntaxError, format: BodyFormat): string {
  return format === "yaml" ? error.message : `couldn't get version/kind; json parse error: ${error.message}`;
}

function goType(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "number":
    case "bigint":
      return "number";
    case "string":
      return "string";
    default:
      return "object";
  }
}

/** The body's first bytes, as kube-apiserver shows them. */
function unrecognized(expected: GroupVersionKind, why: string, bytes: Buffer) {
  return badRequest(
    `the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${excerpt(bytes)})`,
  );
}

function excerpt(bytes: Buffer): string {
  if (bytes.length === 0) return "<empty>";
  const isText = bytes[0] === 0x7b;
  const shown = bytes.subarray(0, 30);
  const text = isText ? shown.toString() : shown.toString("hex");
  return bytes.length > 30 ? `${text} ...` : text;
}
