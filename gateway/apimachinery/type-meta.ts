/**
 * An object's kind and apiVersion, as kube-apiserver looks for them before it decodes the rest.
 *
 * It looks with Go's encoding/json, which takes `KIND` for `kind` too: such a key can make a body
 * unreadable, but doesn't stand in for the right one.
 * Source: apimachinery pkg/runtime/serializer/json/{meta,json}.go.
 */
import { goTypeWord } from "./go-type.ts";
import { parseGroupVersion } from "./gvk.ts";
import { isJsonObject, type JsonValue } from "./json.ts";

/** What is wrong with a document, or undefined. `text` gives the document as it was sent. */
export function typeMetaFault(value: JsonValue, text: () => string): string | undefined {
  return groupVersionFault(value) ?? kindFault(value, text);
}

/** Why kind and apiVersion can't be read: of a wrong type, or the apiVersion has more than one slash. */
export function groupVersionFault(value: JsonValue): string | undefined {
  const unreadable = "couldn't get version/kind; json parse error: json: cannot unmarshal";
  if (value === null) return undefined;
  if (!isJsonObject(value)) {
    const into =
      'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
    return `${unreadable} ${goTypeWord(value)} into Go value of type ${into}`;
  }
  let apiVersion = "";
  for (const key of Object.keys(value)) {
    const field = fieldOf(key);
    const found = value[key] as JsonValue;
    if (field === undefined || found === null) continue;
    if (typeof found !== "string")
      return `${unreadable} ${goTypeWord(found)} into Go struct field .${field} of type string`;
    if (field === "apiVersion") apiVersion = found;
  }
  try {
    parseGroupVersion(apiVersion);
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

function fieldOf(key: string): "apiVersion" | "kind" | undefined {
  const lower = key.length <= 10 ? key.toLowerCase() : "";
  if (lower === "kind") return "kind";
  return lower === "apiversion" ? "apiVersion" : undefined;
}

function kindFault(value: JsonValue, text: () => string): string | undefined {
  if (isJsonObject(value) && typeof value["kind"] === "string" && value["kind"] !== "") return undefined;
  return `Object 'Kind' is missing in '${text()}'`;
}
