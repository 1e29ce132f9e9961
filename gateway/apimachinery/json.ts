/**
 * JSON as Kubernetes has it: read and written the way Go does, whatever JavaScript would rather do.
 *
 * 64-bit integers survive (as bigint outside the safe range), `__proto__` is an ordinary key, lone
 * surrogates become U+FFFD, duplicate keys are found, nesting goes to 10,000 levels without
 * recursion. Written: keys in byte order, Go's escapes, Go's numbers. Reader and writer are Steps,
 * so that a large body is worked on in slices.
 * Source: Go encoding/json; sigs.k8s.io/json.
 */
import { type EncodeOptions, JsonEncoder } from "./json-encoder.ts";
import { JsonParser, type ParsedJson, type ParseOptions } from "./json-parser.ts";
import type { JsonValue } from "./json-value.ts";
import { finish, type Steps } from "./steps.ts";

export { type EncodeOptions, sortedKeys } from "./json-encoder.ts";
export { JsonNumberError, JsonSyntaxError, type ParsedJson, type ParseOptions } from "./json-parser.ts";
export {
  cloneJson,
  cloningJson,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  jsonEqual,
  jsonEqualSteps,
  newJsonObject,
} from "./json-value.ts";

/** Parses to the end at once. @throws JsonSyntaxError with Go's text. */
export function parseJson(bytes: Uint8Array | string): JsonValue {
  return finish(jsonParser(typeof bytes === "string" ? Buffer.from(bytes) : bytes)).value;
}

/**
 * Parses step by step; a unit is one value or key.
 *
 * @param bytes UTF-8; what is invalid becomes U+FFFD.
 * @throws JsonSyntaxError from `step`.
 */
export function jsonParser(bytes: Uint8Array, options: ParseOptions = {}): Steps<ParsedJson> {
  return new JsonParser(bytes, options);
}

/** Encodes to the end at once. */
export function encodeJson(value: JsonValue): string {
  return new JsonEncoder(value, {}).text();
}

/** Gives a text that two values share exactly if they encode alike. Several can stand side by side, with commas between. */
export function comparableText(value: JsonValue): string {
  if (typeof value === "string") return JSON.stringify(value.toWellFormed());
  return typeof value === "number" && value !== 0 ? String(value) : encodeJson(value);
}

/** Encodes to the end at once, as UTF-8. */
export function encodeJsonBytes(value: JsonValue): Buffer {
  return finish(jsonEncoder(value));
}

/** Encodes step by step; a unit is one value. No newline at the end. */
export function jsonEncoder(value: JsonValue, options: EncodeOptions = {}): Steps<Buffer> {
  return new JsonEncoder(value, options);
}
