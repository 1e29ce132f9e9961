/**
 * YAML as Kubernetes reads and writes it: text that stands for a JSON value.
 *
 * Read as YAML 1.1 (`yes` is true, `0777` is octal) but without dates; numbers keep 64 bits;
 * keys that come twice are reported with their line. Written with two spaces, lists not indented
 * under their key, strings quoted when they would read as something else.
 * Source: sigs.k8s.io/yaml; go.yaml.in/yaml/v2 resolve.go.
 */
import { type Document, isMap, isNode, LineCounter, type Pair, parseDocument, stringify, type Tags, visit } from "yaml";
import { cloneJson, type JsonObject, type JsonValue, newJsonObject, sortedKeys } from "./json.ts";

/** Text that is no YAML, or stands for no JSON value. The message is Go's form. */
export class YamlSyntaxError extends Error {
  override readonly name = "YamlSyntaxError";
}

/** What a parse gives: the value, and keys that came twice as `line 6: key "size" already set in map`. */
export interface ParsedYaml {
  readonly value: JsonValue;
  readonly duplicates: readonly string[];
}

/** Aliases that one document may expand to: the bound against a bomb of nested aliases. */
const maxAliases = 1_000;
const minInt64 = -(2n ** 63n);
const maxUint64 = 2n ** 64n - 1n;

/** Without the types of YAML that have no place in JSON: their text stays text, their maps stay maps. */
function jsonTags(tags: Tags): Tags {
  return tags.filter((tag) => typeof tag !== "object" || !/:(timestamp|omap|set|pairs|binary)$/.test(tag.tag));
}

/** For writing, dates are known, so that text which looks like one is quoted. */
function jsonAndDateTags(tags: Tags): Tags {
  return tags.filter((tag) => typeof tag !== "object" || !/:(omap|set|pairs|binary)$/.test(tag.tag));
}

/** Parses one document. @throws YamlSyntaxError. */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: "1.1",
    schema: "yaml-1.1",
    customTags: jsonTags,
    intAsBigInt: true,
    uniqueKeys: false,
    merge: true,
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "silent",
  });
  const fault = document.errors[0];
  if (fault !== undefined) {
    const line = lines.linePos(fault.pos[0]).line;
    throw new YamlSyntaxError(`error converting YAML to JSON: yaml: line ${line}: ${fault.message}`);
  }
  const duplicates = duplicateKeys(document, lines);
  let plain: unknown;
  try {
    plain = document.toJS({ mapAsMap: true, maxAliasCount: maxAliases });
  } catch (error) {
    throw new YamlSyntaxError(`error converting YAML to JSON: yaml: ${(error as Error).message}`);
  }
  return { value: jsonFrom(plain), duplicates };
}

function duplicateKeys(document: Document, lines: LineCounter): string[] {
  const found: string[] = [];
  visit(document, {
    Map(_, map) {
      const seen = new Set<string>();
      for (const pair of map.items as Pair[]) {
        const key = pair.key;
        if (!isNode(key) || isMap(key)) continue;
        const text = String((key as { value?: unknown }).value ?? "");
        if (seen.has(text)) {
          const line = lines.linePos(key.range?.[0] ?? 0).line;
          found.push(`line ${line}: key ${JSON.stringify(text)} already set in map`);
        }
        seen.add(text);
      }
    },
  });
  return found;
}

/** Turns what the library gives into JSON values, with an explicit stack. */
function jsonFrom(root: unknown): JsonValue {
  const holder: JsonValue[] = [];
  const work: { from: unknown; put: (value: JsonValue) => void }[] = [
    { from: root, put: (value) => holder.push(value) },
  ];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const { from, put } = item;
    if (from instanceof Map) {
      const object = newJsonObject();
      put(object);
      for (const [key, value] of from) {
        const name = keyText(key);
        object[name] = null;
        work.push({
          from: value,
          put: (child) => {
            object[name] = child;
          },
        });
      }
    } else if (Array.isArray(from)) {
      const array: JsonValue[] = from.map(() => null);
      put(array);
      from.forEach((value, index) => {
        work.push({
          from: value,
          put: (child) => {
            array[index] = child;
          },
        });
      });
    } else put(scalarFrom(from));
  }
  return holder[0] ?? null;
}

function scalarFrom(value: unknown): JsonValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    return value >= minInt64 && value <= maxUint64 ? value : Number(value);
  }
  if (typeof value === "string") return value.toWellFormed();
  if (typeof value === "number") {
    if (Number.isFinite(value)) return value;
    throw new YamlSyntaxError(`error converting YAML to JSON: json: unsupported value: ${value}`);
  }
  if (typeof value === "boolean") return value;
  return String(value);
}

function keyText(key: unknown): string {
  if (typeof key === "object" && key !== null) {
    throw new YamlSyntaxError("error converting YAML to JSON: yaml: invalid map key");
  }
  return String(key ?? "null");
}

/** Writes a value, keys in byte order. Ends in a newline. */
export function encodeYaml(value: JsonValue): string {
  return stringify(plainFrom(value), {
    version: "1.1",
    schema: "yaml-1.1",
    indentSeq: false,
    lineWidth: 0,
    aliasDuplicateObjects: false,
    sortMapEntries: false,
    customTags: jsonAndDateTags,
    nullStr: "null",
  });
}

/** The library writes Maps in their order, and plain objects would lose `__proto__`. */
function plainFrom(value: JsonValue): unknown {
  const copy = cloneJson(value);
  const holder: { root: unknown } = { root: copy };
  const work: { from: JsonValue; put: (made: unknown) => void }[] = [
    {
      from: copy,
      put: (made) => {
        holder.root = made;
      },
    },
  ];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const { from, put } = item;
    if (typeof from !== "object" || from === null) {
      put(from);
      continue;
    }
    if (Array.isArray(from)) {
      const array: unknown[] = new Array(from.length);
      put(array);
      from.forEach((child, index) => {
        work.push({
          from: child,
          put: (made) => {
            array[index] = made;
          },
        });
      });
      continue;
    }
    const map = new Map<string, unknown>();
    put(map);
    for (const key of sortedKeys(from as JsonObject)) map.set(key, undefined);
    for (const key of map.keys()) {
      work.push({
        from: (from as JsonObject)[key] as JsonValue,
        put: (made) => map.set(key, made),
      });
    }
  }
  return holder.root;
}
