/**
 * YAML nodes into a JSON value: aliases followed, maps merged, keys made text.
 *
 * Works on an explicit stack. Expanding aliases is bounded as go-yaml bounds it: by the share of the
 * work that they cause.
 * Source: go.yaml.in/yaml/v2 decode.go; sigs.k8s.io/yaml convertToJSONableObject.
 */
import { goQuote } from "./go-text.ts";
import { type JsonArray, type JsonObject, type JsonValue, newJsonObject } from "./json.ts";
import { JsonSyntaxError } from "./json-parser.ts";
import { textFromUtf8 } from "./utf8.ts";
import { YamlSyntaxError, yamlFault } from "./yaml-error.ts";
import type { YamlNode } from "./yaml-parser.ts";
import { formatFloat, type ResolvedScalar, resolvePlain } from "./yaml-scalar.ts";

/** go-yaml's bounds: the share of aliases falls from 99 to 10 percent between these counts of nodes. */
const fewNodes = 400_000;
const manyNodes = 4_000_000;
/** The nesting at which the JSON that this stands for would be refused. */
const maxDepth = 10_000;

const prefix = "tag:yaml.org,2002:";

interface Frame {
  readonly node: YamlNode;
  readonly object: JsonObject | undefined;
  readonly array: JsonArray | undefined;
  /** The keys set so far as they were written, to tell 1 from "1". */
  readonly seen: Set<string>;
  /** The children left to do, a mapping's in pairs. */
  next: number;
  /** The alias that led here. */
  readonly alias: YamlNode | undefined;
  /** Whether this is a map that another one takes over. */
  readonly isMerged: boolean;
  /** The key that this is the value of. */
  readonly entry: Entry | undefined;
}

/** Decodes one document. */
export class YamlDecoder {
  readonly #stack: Frame[] = [];
  readonly #followed = new Set<YamlNode>();
  #depth = 0;
  #nodes = 0;
  #aliasedNodes = 0;
  #aliasDepth = 0;
  /** Maps with a key that JSON can't have, as Go shows it; and whether there is a number that it can't have. */
  readonly #badKeys = new Map<JsonObject, string>();
  #hasNonFinite = false;
  /** What stands for the document; null if that is empty. */
  value: JsonValue = null;
  /** Keys that came twice, as `line 6: key "size" already set in map`. */
  readonly duplicates: string[] = [];

  constructor(root: YamlNode | undefined) {
    if (root !== undefined)
      this.#visit(root, (value) => {
        this.value = value;
      });
  }

  /** Works on the next node; true when all are done. @throws YamlSyntaxError, JsonSyntaxError */
  step(): boolean {
    const frame = this.#stack[this.#stack.length - 1];
    if (frame === undefined) return this.#end();
    const child = frame.node.children[frame.next];
    if (child === undefined) this.#leave(frame);
    else if (frame.array !== undefined) this.#nextElement(frame, frame.array, child);
    else this.#nextPair(frame, frame.object as JsonObject, child);
    return false;
  }

  /** Only what the value still holds counts against it: a key that came twice may have replaced it. */
  #end(): true {
    if (this.#badKeys.size > 0) assertKeys(this.value, this.#badKeys);
    if (this.#hasNonFinite) assertFinite(this.value);
    return true;
  }

  #leave(frame: Frame): void {
    this.#stack.pop();
    if (!frame.isMerged) this.#depth--;
    if (frame.alias !== undefined) this.#unfollow(frame.alias);
    if (frame.entry !== undefined) this.#noteKey(frame.entry);
  }

  #nextElement(frame: Frame, array: JsonArray, child: YamlNode): void {
    frame.next++;
    const index = array.push(null) - 1;
    this.#visit(child, (value) => {
      array[index] = value;
    });
  }

  #nextPair(frame: Frame, object: JsonObject, keyNode: YamlNode): void {
    const valueNode = frame.node.children[frame.next + 1] as YamlNode;
    frame.next += 2;
    if (isMergeKey(keyNode)) return this.#merge(frame, object, valueNode);
    const key = this.#keyOf(keyNode);
    if (key.name === undefined) this.#badKeys.set(object, key.source);
    this.#visit(
      valueNode,
      (value) => {
        if (key.name !== undefined) object[key.name] = value;
      },
      { frame, key, line: valueNode.line },
    );
  }

  #keyOf(node: YamlNode): Key {
    let target = node;
    const followed: YamlNode[] = [];
    while (target.kind === "alias") {
      this.#count();
      this.#follow(target);
      followed.push(target);
      target = target.target as YamlNode;
    }
    this.#count();
    for (const alias of followed.reverse()) this.#unfollow(alias);
    if (target.kind !== "scalar") throw yamlFault("invalid map key");
    return keyFrom(resolve(target));
  }

  #merge(frame: Frame, object: JsonObject, node: YamlNode): void {
    const into = { object, seen: frame.seen };
    const source = node.kind === "alias" ? node.target : node;
    if (source?.kind === "mapping") return this.#enterMerged(node, into);
    if (node.kind !== "sequence") throw notAMap();
    for (const child of node.children) {
      const map = child.kind === "alias" ? child.target : child;
      if (map?.kind !== "mapping") throw notAMap();
    }
    // The stack turns their order round: what stands first wins.
    for (const child of node.children) this.#enterMerged(child, into);
  }

  #enterMerged(given: YamlNode, into: { readonly object: JsonObject; readonly seen: Set<string> }): void {
    this.#count();
    let node = given;
    if (given.kind === "alias") {
      this.#follow(given);
      this.#count();
      node = given.target as YamlNode;
    }
    const alias = given.kind === "alias" ? given : undefined;
    this.#stack.push({ node, ...into, array: undefined, next: 0, alias, isMerged: true, entry: undefined });
  }

  #visit(given: YamlNode, put: (value: JsonValue) => void, entry?: Entry): void {
    let node = given;
    let alias: YamlNode | undefined;
    this.#count();
    if (node.kind === "alias") {
      alias = node;
      this.#follow(node);
      node = node.target as YamlNode;
      this.#count();
    }
    if (node.kind !== "scalar") this.#enter(node, put, alias, entry);
    else {
      const value = jsonFrom(resolve(node));
      if (typeof value === "number" && !Number.isFinite(value)) this.#hasNonFinite = true;
      put(value);
      if (alias !== undefined) this.#unfollow(alias);
      if (entry !== undefined) this.#noteKey(entry);
    }
  }

  #enter(node: YamlNode, put: (value: JsonValue) => void, alias: YamlNode | undefined, entry: Entry | undefined): void {
    if (++this.#depth > maxDepth) {
      throw new JsonSyntaxError(`invalid character '${node.kind === "mapping" ? "{" : "["}' exceeded max depth`, 0);
    }
    const object = node.kind === "mapping" ? newJsonObject() : undefined;
    const array: JsonArray | undefined = object === undefined ? [] : undefined;
    put((object ?? array) as JsonValue);
    this.#stack.push({ node, object, array, seen: new Set(), next: 0, alias, isMerged: false, entry });
  }

  /** A key that came twice is told after what is inside its value. */
  #noteKey({ frame, key, line }: Entry): void {
    if (frame.seen.has(key.source)) this.duplicates.push(`line ${line + 1}: key ${key.source} already set in map`);
    else frame.seen.add(key.source);
  }

  #follow(alias: YamlNode): void {
    if (this.#followed.has(alias)) throw yamlFault(`anchor '${alias.value}' value contains itself`);
    this.#followed.add(alias);
    this.#aliasDepth++;
  }

  #unfollow(alias: YamlNode): void {
    this.#followed.delete(alias);
    this.#aliasDepth--;
  }

  #count(): void {
    this.#nodes++;
    if (this.#aliasDepth > 0) this.#aliasedNodes++;
    if (this.#aliasedNodes <= 100 || this.#nodes <= 1000) return;
    if (this.#aliasedNodes / this.#nodes > allowedAliasShare(this.#nodes)) {
      throw yamlFault("document contains excessive aliasing");
    }
  }
}

interface Key {
  /** As JSON has it; undefined for null and for integers of more than 63 bits. */
  readonly name: string | undefined;
  /** As Go shows it. */
  readonly source: string;
}

interface Entry {
  readonly frame: Frame;
  readonly key: Key;
  readonly line: number;
}

function notAMap(): YamlSyntaxError {
  return yamlFault("map merge requires map or sequence of maps as the value");
}

function allowedAliasShare(nodes: number): number {
  if (nodes <= fewNodes) return 0.99;
  if (nodes >= manyNodes) return 0.1;
  return 0.99 - 0.89 * ((nodes - fewNodes) / (manyNodes - fewNodes));
}

function isMergeKey(node: YamlNode): boolean {
  return node.kind === "scalar" && node.value === "<<" && (node.isPlain || node.tag === `${prefix}merge`);
}

/** Gives what a scalar stands for, its tag considered. */
function resolve(node: YamlNode): ResolvedScalar {
  const { tag, value } = node;
  if (tag === "") return node.isPlain ? resolvePlain(value) : { tag: "str", value };
  if (tag === `${prefix}binary`) return { tag: "str", value: decodeBinary(value) };
  if (tag === `${prefix}str` || !resolvableTags.includes(tag.slice(prefix.length)) || !tag.startsWith(prefix)) {
    return { tag: "str", value };
  }
  const wanted = tag.slice(prefix.length);
  const plain = resolvePlain(value);
  const found: ResolvedScalar = plain.tag === "timestamp" && wanted !== "timestamp" ? { tag: "str", value } : plain;
  if (found.tag === wanted) return found;
  if (wanted === "float" && found.tag === "int" && isInt64(found.value as bigint)) {
    return { tag: "float", value: Number(found.value) };
  }
  throw yamlFault(`cannot decode !!${found.tag} \`${value}\` as a !!${wanted}`);
}

const resolvableTags = ["bool", "int", "float", "null", "timestamp"];

function decodeBinary(text: string): string {
  const base64 = text.replace(/[\r\n]/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) {
    throw yamlFault("!!binary value contains invalid base64 data");
  }
  return textFromUtf8(Buffer.from(base64, "base64"));
}

function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

function jsonFrom({ value }: ResolvedScalar): JsonValue {
  if (typeof value === "bigint") return integerFrom(value);
  if (typeof value !== "number") return value;
  // As JSON a whole float looks like an integer, and is read as one.
  if (!Number.isInteger(value) || Math.abs(value) >= 1e21) return value;
  return integerFrom(BigInt(String(value)));
}

function integerFrom(value: bigint): JsonValue {
  const number = Number(value);
  return Number.isSafeInteger(number) || !isInt64(value) ? number : value;
}

function assertKeys(root: JsonValue, badKeys: ReadonlyMap<JsonObject, string>): void {
  for (const value of within(root)) {
    const key = badKeys.get(value as JsonObject);
    if (key === undefined) continue;
    const type = key === "<nil>" ? "%!s(<nil>)" : "uint64";
    throw new YamlSyntaxError(`unsupported map key of type: ${type}, key: ${key}, value: <nil>`);
  }
}

function assertFinite(root: JsonValue): void {
  for (const value of within(root)) {
    if (typeof value !== "number" || Number.isFinite(value)) continue;
    const word = Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
    throw new YamlSyntaxError(`json: unsupported value: ${word}`);
  }
}

function* within(root: JsonValue): Generator<JsonValue> {
  const work = [root];
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    yield value;
    if (typeof value !== "object" || value === null) continue;
    for (const child of Array.isArray(value) ? value : Object.values(value)) work.push(child);
  }
}

function keyFrom({ value }: ResolvedScalar): Key {
  if (typeof value === "string") return { name: value, source: goQuote(value) };
  if (value === null) return { name: undefined, source: "<nil>" };
  if (typeof value === "bigint" && !isInt64(value)) return { name: undefined, source: `0x${value.toString(16)}` };
  if (typeof value !== "number") return { name: String(value), source: String(value) };
  return { name: floatKey(value), source: formatFloat(value) };
}

/** A float as a key has 32 bits. */
function floatKey(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
  const narrow = Math.fround(value);
  if (narrow === 0) return formatFloat(narrow);
  if (!Number.isFinite(narrow)) return narrow > 0 ? ".inf" : "-.inf";
  for (let digits = 1; digits < 10; digits++) {
    const text = narrow.toPrecision(digits);
    if (Math.fround(Number(text)) === narrow) return formatFloat(Number(text));
  }
  return formatFloat(narrow);
}
