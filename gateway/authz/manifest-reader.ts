/**
 * Reads YAML by field, and notes what is wrong with file, line and field: `rbac.yaml:7: rules[0].verbs: ...`.
 *
 * Reading goes on after a fault, with the empty value, so that all faults are told at once.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLError } from "yaml";
import { goQuote } from "../apimachinery/go-text.ts";

/** A document being read, and where its faults are noted. */
export interface Reader {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly file: string;
  readonly faults: string[];
}

/** A value of the manifest; `node` is undefined where it is missing, and then its parent says where. */
export interface Place {
  readonly node: Node | undefined;
  readonly path: string;
  readonly parent?: Node;
}

/** A mapping's values by key. */
export type Fields = ReadonlyMap<string, Node>;

/** A mapping's values by key, undefined with a fault for anything else; missing counts as empty. */
export function mapOf(reader: Reader, place: Place): Fields | undefined {
  const node = resolved(reader, place.node);
  if (isMissing(node)) return new Map();
  if (!isMap(node)) {
    fault(reader, place, "Invalid value: must be a mapping");
    return undefined;
  }
  const fields = new Map<string, Node>();
  for (const { key, value } of node.items) fields.set(isScalar(key) ? String(key.value) : "", value as Node);
  return fields;
}

/** Gives the place of a field, whether it is there or not. */
export function fieldOf(fields: Fields, place: Place, name: string): Place {
  const path = place.path === "" ? name : `${place.path}.${name}`;
  const node = fields.get(name);
  return { node, path, ...(place.node === undefined ? {} : { parent: place.node }) };
}

/** Gives the places of a list's items; a missing list is empty, anything else a fault. */
export function itemsOf(reader: Reader, place: Place): Place[] {
  const node = resolved(reader, place.node);
  if (isMissing(node)) return [];
  if (!isSeq(node)) {
    fault(reader, place, "Invalid value: must be a list");
    return [];
  }
  return node.items.map((item, at) => ({ node: item as Node, path: `${place.path}[${at}]`, parent: node }));
}

/** Gives a string; `""` if it is missing, with a fault for anything else. */
export function textOf(reader: Reader, place: Place): string {
  const node = resolved(reader, place.node);
  if (isMissing(node)) return "";
  if (isScalar(node) && typeof node.value === "string") return node.value;
  fault(reader, place, "Invalid value: must be a string");
  return "";
}

/** Gives a list of strings. */
export function textsOf(reader: Reader, place: Place): string[] {
  return itemsOf(reader, place).map((item) => textOf(reader, item));
}

/** Gives a mapping of strings. */
export function textsByKey(reader: Reader, place: Place): Map<string, string> {
  const fields = mapOf(reader, place) ?? new Map<string, Node>();
  return new Map([...fields.keys()].map((key) => [key, textOf(reader, fieldOf(fields, place, key))]));
}

function resolved(reader: Reader, node: Node | undefined): Node | undefined {
  return isAlias(node) ? node.resolve(reader.document) : node;
}

/** Whether there is nothing: no node, or null. */
export function isMissing(node: Node | undefined): boolean {
  return node === undefined || node === null || (isScalar(node) && node.value === null);
}

/** Notes a fault for each field that is not among `known`. */
export function refuseOthers(reader: Reader, place: Place, fields: Fields, known: readonly string[]): void {
  for (const name of fields.keys()) {
    if (!known.includes(name)) fault(reader, fieldOf(fields, place, name), "unknown field");
  }
}

/** Notes that a value is missing. */
export function required(reader: Reader, place: Place, why = ""): void {
  fault(reader, place, why === "" ? "Required value" : `Required value: ${why}`);
}

/** Notes that a value is none of those that are allowed. */
export function unsupported(reader: Reader, place: Place, supported: readonly string[]): void {
  const value = goQuote(textOf(reader, place));
  fault(reader, place, `Unsupported value: ${value}: supported values: ${supported.map(goQuote).join(", ")}`);
}

/** Notes what is wrong at a place; twice the same counts once. */
export function fault(reader: Reader, place: Place, what: string): void {
  const offset = place.node?.range?.[0] ?? place.parent?.range?.[0] ?? 0;
  const line = reader.lines.linePos(offset).line;
  const text = `${reader.file}:${line}: ${place.path === "" ? "" : `${place.path}: `}${what}`;
  if (!reader.faults.includes(text)) reader.faults.push(text);
}

/** Gives the fault of a text that is no YAML. */
export function syntaxFault(error: YAMLError, file: string): string {
  const why = error.message.split("\n")[0]?.replace(/ at line \d+, column \d+:?$/, "");
  return `${file}:${error.linePos?.[0].line ?? 1}: ${why}`;
}
