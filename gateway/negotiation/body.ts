/**
 * A request's body into a JSON value, with what a strict decoder holds against it.
 *
 * A custom resource must name its own apiVersion and kind: that it names a kind, and this version,
 * is checked here; whether the kind is the right one, lifecycle validates.
 * Source: apimachinery pkg/runtime/serializer/json; apiserver pkg/endpoints/handlers/{create,rest}.go.
 */
import { goQuote } from "../apimachinery/go-text.ts";
import { formatGroupVersion, type GroupVersionKind, parseGroupVersion } from "../apimachinery/gvk.ts";
import {
  isJsonObject,
  JsonNumberError,
  type JsonObject,
  JsonSyntaxError,
  type JsonValue,
  jsonParser,
  type ParsedJson,
} from "../apimachinery/json.ts";
import { badRequest, type StatusError } from "../apimachinery/status.ts";
import { finish, finishInSlices, type Steps } from "../apimachinery/steps.ts";
import { groupVersionFault, typeMetaFault } from "../apimachinery/type-meta.ts";
import { textFromUtf8 } from "../apimachinery/utf8.ts";
import { YamlSyntaxError, yamlParser } from "../apimachinery/yaml.ts";
import type { BodyFormat } from "./media-type.ts";

/** A body as read. */
export interface DecodedBody {
  readonly value: JsonObject;
  /** Keys that came twice, in the words of the strict decoder. */
  readonly strictErrors: readonly string[];
  /** Size as sent. */
  readonly bytes: number;
}

/** From here on parsing goes in slices, with turns of the event loop between: about a millisecond's worth. */
const slicedFromBytes: Readonly<Record<BodyFormat, number>> = { json: 128 * 1024, yaml: 16 * 1024 };
/** Of a body that can't be recognized, so many bytes are shown. */
const excerptBytes = 30;

/**
 * Reads the body of a create or an update.
 *
 * @param expected what the endpoint serves.
 * @throws StatusError 400 with kube-apiserver's words if it can't be read, names no kind, or another version.
 */
export async function decodeObject(
  bytes: Buffer,
  format: BodyFormat,
  expected: GroupVersionKind,
): Promise<DecodedBody> {
  const { value, strictErrors } = await decode(bytes, format).catch((error: unknown) => {
    throw decodingFault(error, bytes, expected);
  });
  const fault = typeMetaFault(value, () => textFromUtf8(bytes));
  if (fault !== undefined || !isJsonObject(value)) throw unrecognized(fault ?? "", bytes, expected);
  assertVersion(value, expected);
  return { value, strictErrors, bytes: bytes.length };
}

/**
 * Reads a body that goes into a Go struct, such as delete options or a Scale. A number that fits
 * nothing is no fault: where it counts, its field is held against its own type.
 * @throws JsonSyntaxError, YamlSyntaxError
 */
export async function decodeLoosely(bytes: Buffer, format: BodyFormat): Promise<Decoded> {
  try {
    return await decode(bytes, format);
  } catch (error) {
    if (error instanceof JsonNumberError) return { value: error.value, strictErrors: [] };
    throw error;
  }
}

/**
 * Reads a body as JSON, and finds keys that come twice.
 * @throws JsonSyntaxError
 */
export async function decodeJson(bytes: Buffer): Promise<ParsedJson> {
  return await run(jsonParser(bytes, { duplicates: true }), bytes, "json");
}

async function run<T>(work: Steps<T>, bytes: Buffer, format: BodyFormat): Promise<T> {
  return bytes.length < slicedFromBytes[format] ? finish(work) : await finishInSlices(work);
}

/** A value, and what a strict decoder holds against it. */
export interface Decoded {
  readonly value: JsonValue;
  readonly strictErrors: readonly string[];
}

async function decode(bytes: Buffer, format: BodyFormat): Promise<Decoded> {
  if (format === "json") {
    const { value, duplicates } = await decodeJson(bytes);
    return { value, strictErrors: duplicates.map((path) => `duplicate field ${goQuote(path)}`) };
  }
  const { value, duplicates } = await run(yamlParser(bytes), bytes, "yaml");
  return { value, strictErrors: duplicates.length === 0 ? [] : [unmarshalErrors(duplicates)] };
}

/** go-yaml tells all in one text of several lines. */
function unmarshalErrors(faults: readonly string[]): string {
  return `yaml: unmarshal errors:\n  ${faults.join("\n  ")}`;
}

function decodingFault(error: unknown, bytes: Buffer, expected: GroupVersionKind): unknown {
  if (error instanceof YamlSyntaxError) return unrecognized(error.message, bytes, expected);
  if (error instanceof JsonNumberError) return numberFault(error, bytes, expected);
  if (!(error instanceof JsonSyntaxError)) return error;
  return unrecognized(`couldn't get version/kind; json parse error: ${error.message}`, bytes, expected);
}

/** By the time that kube-apiserver looks at numbers, it knows what the body says it is. */
function numberFault(error: JsonNumberError, bytes: Buffer, expected: GroupVersionKind): StatusError {
  const { value } = error;
  const fault = groupVersionFault(value);
  if (fault !== undefined) return unrecognized(fault, bytes, expected);
  const { group, version } = parseGroupVersion(textOf(value, "apiVersion"));
  const isVersionless = version === "" && (group === "" || group === expected.group);
  return badRequest(
    `${textOf(value, "kind") || expected.kind} in version ${goQuote(isVersionless ? expected.version : version)} ` +
      `cannot be handled as a ${expected.kind}: ${error.message}`,
  );
}

function assertVersion(value: JsonObject, expected: GroupVersionKind): void {
  const { group, version } = parseGroupVersion(textOf(value, "apiVersion"));
  if (group === expected.group && version === expected.version) return;
  throw badRequest(
    `the API version in the data (${formatGroupVersion(group, version)}) does not match ` +
      `the expected API version (${formatGroupVersion(expected.group, expected.version)})`,
  );
}

function textOf(value: JsonValue, field: string): string {
  const found = isJsonObject(value) ? value[field] : undefined;
  return typeof found === "string" ? found : "";
}

function unrecognized(why: string, bytes: Buffer, { kind }: GroupVersionKind): StatusError {
  return badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why} (${excerpt(bytes)})`);
}

/** The body's first bytes: as text if it looks like JSON. */
function excerpt(bytes: Buffer): string {
  if (bytes.length === 0) return "<empty>";
  const shown = bytes.subarray(0, excerptBytes);
  const text = bytes[0] === 0x7b ? textFromUtf8(shown) : shown.toString("hex");
  return bytes.length > excerptBytes ? `${text} ...` : text;
}
