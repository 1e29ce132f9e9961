/**
 * managedFields of two servers, so that they can be compared.
 *
 * Kubernetes sorts entries by operation, time to the second, manager, version and subresource. Two
 * servers write in other seconds, so whether one order is right can only be seen on each side alone.
 * Source: apimachinery pkg/util/managedfields/internal/managedfields.go, sortEncodedManagedFields.
 */
import {
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  parseJson,
} from "../../gateway/apimachinery/json.ts";

/** Times before the servers' own are the scenario's, and compared. */
const ownTimes = /^20(?:2[6-9]|[3-9])/;
/** What stands at the end of entries that aren't in Kubernetes' order. */
const outOfOrder = "<out of order>";

/** Gives an object whose managedFields, if it has any, are in an order that no time is part of, without the server's times. */
export function withComparableEntries(object: JsonObject): JsonObject {
  const entries = object["managedFields"];
  return isEntries(entries) ? { ...object, managedFields: comparable(entries) } : object;
}

function isEntries(value: JsonValue | undefined): value is JsonObject[] {
  return Array.isArray(value) && value.length > 0 && value.every(isJsonObject);
}

function comparable(entries: readonly JsonObject[]): JsonArray {
  const isOrdered = entries.every((entry, index) => index === 0 || !isBefore(entry, entries[index - 1] ?? {}));
  const sorted = entries.map(withoutTime).sort((a, b) => compareTexts(keyOf(a), keyOf(b)));
  return isOrdered ? sorted : [...sorted, outOfOrder];
}

function isBefore(a: JsonObject, b: JsonObject): boolean {
  return compareTexts(orderOf(a), orderOf(b)) < 0;
}

const names = ["manager", "apiVersion", "subresource"];
const textsOf = (entry: JsonObject, keys: readonly string[]) => keys.map((key) => String(entry[key] ?? ""));
const orderOf = (entry: JsonObject) => textsOf(entry, ["operation", "time", ...names]);
const keyOf = (entry: JsonObject) => [...textsOf(entry, ["operation", ...names]), JSON.stringify(entry)];

function compareTexts(a: readonly string[], b: readonly string[]): number {
  const index = a.findIndex((text, at) => text !== b[at]);
  return index < 0 ? 0 : (a[index] ?? "") < (b[index] ?? "") ? -1 : 1;
}

function withoutTime(entry: JsonObject): JsonObject {
  const { time } = entry;
  return typeof time === "string" && ownTimes.test(time) ? { ...entry, time: "<time>" } : entry;
}

/** The same for a message that quotes objects, as JSON, or as JSON in a string of Go's. */
export function withComparableEntriesInText(text: string): string {
  const start = /(\\*)"managedFields\\*":(?=\[)/.exec(text);
  if (start === null) return text;
  const from = start.index + start[0].length;
  const end = endOfList(text, from);
  const escapes = Math.log2((start[1] ?? "").length + 1);
  const entries = parseJson(unescaped(text.slice(from, end), escapes));
  const list = isEntries(entries) ? comparable(entries) : entries;
  return text.slice(0, from) + escaped(JSON.stringify(list), escapes) + withComparableEntriesInText(text.slice(end));
}

function endOfList(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "[") depth++;
    if (text[at] === "]" && --depth === 0) return at + 1;
  }
  return text.length;
}

function unescaped(text: string, times: number): string {
  return times === 0 ? text : unescaped(JSON.parse(`"${text}"`) as string, times - 1);
}

function escaped(text: string, times: number): string {
  return times === 0 ? text : escaped(JSON.stringify(text).slice(1, -1), times - 1);
}
