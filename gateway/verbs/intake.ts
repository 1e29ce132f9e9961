/**
 * A sent object into one that the schema knows: metadata in shape, unknown fields dropped and told,
 * defaults filled in.
 *
 * Source: apiextensions-apiserver pkg/apiserver/customresource_handler.go (schemaCoercingDecoder).
 */
import { fieldInvalid, invalid } from "../apimachinery/field-error.ts";
import { goQuote } from "../apimachinery/go-text.ts";
import { encodeJson, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { type KubeObject, metadataOf } from "../apimachinery/object.ts";
import type { WriteOptions } from "../apimachinery/options.ts";
import { badRequest, internalError, StatusError } from "../apimachinery/status.ts";
import { typeMetaFault } from "../apimachinery/type-meta.ts";
import { validateTypeMeta } from "../lifecycle/lifecycle.ts";
import { coerceEmbedded, coerceMetadata, defaultSteps, pruneSteps } from "../schema/schema.ts";
import { runSized } from "./present.ts";
import type { RequestBody, VerbRequest, VerbTools } from "./verb-request.ts";

/**
 * Takes in the body of a create or an update. Takes ownership of the body's value.
 * @throws StatusError 400 for ill-typed metadata, and under Strict for anything the decoder holds against it.
 */
export async function takeBody(
  request: VerbRequest,
  tools: VerbTools,
  body: RequestBody,
  validation: WriteOptions["fieldValidation"],
): Promise<JsonObject> {
  const { definition, version } = request.resource;
  const faults = await shape(request, tools, body, validation);
  if (validation === "Strict" && faults.length > 0) {
    throw badRequest(
      `${definition.kind} in version ${goQuote(version.name)} cannot be handled as a ${definition.kind}: ` +
        `strict decoding error: ${faults.join(", ")}`,
    );
  }
  tellFaults(request, validation, faults);
  return body.value;
}

/**
 * Takes in the result of a patch.
 *
 * @param patched gives the result, another copy of it each time.
 * @throws StatusError 422 that shows the patched object, for what takeBody answers with 400.
 */
export async function takePatched(
  request: VerbRequest,
  tools: VerbTools,
  patched: () => Promise<JsonObject>,
  told: Omit<RequestBody, "value">,
  validation: WriteOptions["fieldValidation"],
): Promise<JsonObject> {
  const body = { ...told, value: await patched() };
  // Shown as the patch made it, with what is unknown in it.
  const refuse = async (why: string) =>
    invalid({ group: "", word: "" }, "", [fieldInvalid("patch", encodeJson(await patched()), why)]);
  const unnamed = typeMetaFault(body.value, () => encodeJson(body.value));
  if (unnamed !== undefined) throw await refuse(unnamed);
  if ((body.value["apiVersion"] ?? "") === "")
    throw internalError("Object 'apiVersion' is missing in 'object has no apiVersion field'");
  let faults: readonly string[];
  try {
    faults = await shape(request, tools, body, validation);
  } catch (error) {
    if (!(error instanceof StatusError) || error.status.code !== 400) throw error;
    throw await refuse(error.message.replace(/^.* cannot be handled as a [^:]*: /, ""));
  }
  if (validation === "Strict" && faults.length > 0) throw await refuse(`strict decoding error: ${faults.join(", ")}`);
  tellFaults(request, validation, faults);
  return body.value;
}

/**
 * Takes in what an apply made: it names nothing that the schema doesn't know, and what is null in it is stored
 * so. Takes ownership of the value.
 * @throws StatusError 400 for ill-typed metadata.
 */
export async function takeApplied(
  request: VerbRequest,
  tools: VerbTools,
  { value, bytes }: Pick<RequestBody, "value" | "bytes">,
): Promise<JsonObject> {
  const { definition, version } = request.resource;
  coerceMetadata(value, { dropMalformed: false, kind: definition.kind, version: version.name });
  const schema = tools.schemaOf(version);
  if (schema === undefined) return value;
  coerceEmbedded(schema, value, false);
  await runSized(defaultSteps(schema, value, { dropsNulls: false }), bytes);
  return value;
}

/** Gives the fields of metadata that say nothing, which an apply stores all the same. */
export function emptyMetadata(object: KubeObject): JsonObject {
  const empty: JsonObject = {};
  for (const [field, value] of Object.entries(metadataOf(object) ?? {})) {
    if (isEmpty(value)) empty[field] = value;
  }
  return empty;
}

/** Whether there are any. */
export function hasEmptyMetadata(object: KubeObject): boolean {
  const metadata = metadataOf(object);
  for (const field in metadata) if (isEmpty(metadata[field] as JsonValue)) return true;
  return false;
}

function isEmpty(value: JsonValue): boolean {
  if (value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** Warns of what a strict decoder would refuse, if that is asked for: each fault by itself. */
export function tellFaults(
  request: VerbRequest,
  validation: WriteOptions["fieldValidation"],
  faults: readonly string[],
): void {
  if (validation !== "Warn") return;
  // A YAML decoder tells all in one text, a line each below a title.
  for (const line of faults.flatMap((fault) => fault.split("\n  ")))
    if (line !== "yaml: unmarshal errors:") request.warn(line);
}

async function shape(
  request: VerbRequest,
  tools: VerbTools,
  body: RequestBody,
  validation: WriteOptions["fieldValidation"],
): Promise<readonly string[]> {
  const { definition, version } = request.resource;
  const { value, bytes } = body;
  const trackUnknown = validation !== "Ignore";
  const metadata = coerceMetadata(value, { dropMalformed: false, kind: definition.kind, version: version.name });
  const unknown = [...metadata.unknown];
  // An object of another kind, which will be refused, is held against no schema.
  const schema = validateTypeMeta(value, request.resource).length === 0 ? tools.schemaOf(version) : undefined;
  if (schema !== undefined) {
    unknown.push(...(await runSized(pruneSteps(schema, value, { trackUnknown }), bytes)).unknown);
    unknown.push(...coerceEmbedded(schema, value, false));
    await runSized(defaultSteps(schema, value), bytes);
  }
  return [...body.strictErrors, ...unknown.map((path) => `unknown field "${path}"`)];
}
