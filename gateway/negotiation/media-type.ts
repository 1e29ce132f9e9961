/**
 * Content-Type into the format of a body.
 *
 * Source: Go mime.ParseMediaType; apiserver pkg/endpoints/handlers/negotiation/negotiate.go.
 */
import { unsupportedMediaType } from "../apimachinery/status.ts";

/** Formats of bodies that are read. */
export type BodyFormat = "json" | "yaml";

/** kube-apiserver lists protobuf for custom resources too, and breaks on it. */
const accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
const acceptedButProtobuf = "application/json, application/yaml";

/**
 * Gives the format of a Content-Type; none means JSON.
 * @throws StatusError 415.
 */
export function bodyFormat(contentType: string | undefined): BodyFormat {
  const mediaType = contentType ? parseMediaType(contentType) : "application/json";
  if (mediaType === "application/json") return "json";
  if (mediaType === "application/yaml") return "yaml";
  const list = mediaType === "application/vnd.kubernetes.protobuf" ? acceptedButProtobuf : accepted;
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${list}`,
  );
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameter = new RegExp(`^\\s*;\\s*(${token})\\s*=\\s*(?:${token}|"(?:[^"\\\\\\r\\n]|\\\\.)*")`);

/** Gives the media type in lower case, or undefined if the header is malformed, its parameters included. */
function parseMediaType(contentType: string): string | undefined {
  const semicolon = contentType.indexOf(";");
  const mediaType = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  let rest = semicolon < 0 ? "" : contentType.slice(semicolon);
  const seen = new Set<string>();
  for (let found = parameter.exec(rest); found !== null; found = parameter.exec(rest)) {
    const name = (found[1] as string).toLowerCase();
    if (seen.has(name)) return undefined;
    seen.add(name);
    rest = rest.slice(found[0].length);
  }
  return /^\s*;?\s*$/.test(rest) ? mediaType : undefined;
}
