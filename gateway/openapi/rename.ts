/**
 * Definitions under other names: a prefix of theirs, in a document's keys and references.
 *
 * Kubernetes names a definition after the package of its type; whoever serves types of somebody
 * else's package may want them under the API's own domain. A name that is taken is left to its owner.
 * Source: rancher/steve pkg/ext (OpenAPIDefinitionNameReplacements).
 */
import { isJsonObject, type JsonObject, type JsonValue, newJsonObject } from "../apimachinery/json.ts";

/** From the beginning of a definition's name to what stands for it. The first that fits is applied. */
export type NameReplacements = Readonly<Record<string, string>>;

/** Gives a document with its definitions renamed, v2's or v3's. */
export function renamed(document: JsonObject, replacements: NameReplacements): JsonObject {
  const pairs = Object.entries(replacements);
  if (pairs.length === 0) return document;
  const [holder, definitions] = definitionsOf(document);
  const names = newNames(Object.keys(definitions), pairs);
  const moved = newJsonObject();
  for (const name of Object.keys(definitions)) moved[names.get(name) ?? name] = definitions[name] as JsonValue;
  holder["components" in document ? "schemas" : "definitions"] = moved;
  redirect(document, names);
  return document;
}

function definitionsOf(document: JsonObject): [holder: JsonObject, definitions: JsonObject] {
  const { components } = document;
  const holder = isJsonObject(components) ? components : document;
  const definitions = isJsonObject(components) ? components["schemas"] : document["definitions"];
  return [holder, isJsonObject(definitions) ? definitions : {}];
}

function newNames(names: readonly string[], pairs: readonly [string, string][]): ReadonlyMap<string, string> {
  const taken = new Set(names);
  const renames = new Map<string, string>();
  for (const name of names) {
    const pair = pairs.find(([prefix]) => name.startsWith(prefix));
    if (pair === undefined) continue;
    const next = `${pair[1]}${name.slice(pair[0].length)}`;
    if (taken.has(next)) continue;
    taken.add(next);
    renames.set(name, next);
  }
  return renames;
}

/** Points every reference in the document to the new name. Schemas are shared: each is looked at once. */
function redirect(document: JsonObject, names: ReadonlyMap<string, string>): void {
  const seen = new Set<JsonValue>();
  const work: JsonValue[] = [document];
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (isJsonObject(value)) {
      const ref = value["$ref"];
      if (typeof ref === "string") value["$ref"] = redirected(ref, names);
    }
    work.push(...Object.values(value));
  }
}

function redirected(ref: string, names: ReadonlyMap<string, string>): string {
  const at = ref.lastIndexOf("/") + 1;
  return `${ref.slice(0, at)}${names.get(ref.slice(at)) ?? ref.slice(at)}`;
}
