/**
 * An answer without what must differ between two servers, and so that two can be compared.
 *
 * What must differ is replaced, not dropped, wherever something can be known of it: the first uid of
 * a scenario is `uid#1` in every answer, the third revision of its objects `rv#3`, so a write that
 * changes nothing must keep its revision on both sides. Times, a list's revision and continue tokens
 * only must be there, and look like one. Numbers stay the text that they were written as. Entries of
 * managedFields must stand in Kubernetes' order; as it begins with their times, two servers' are compared in another.
 */
import {
  isJsonObject,
  type JsonObject,
  JsonSyntaxError,
  type JsonValue,
  parseJson,
} from "../../gateway/apimachinery/json.ts";
import { parseYaml } from "../../gateway/apimachinery/yaml.ts";
import type { Told } from "./client.ts";
import { withComparableEntries, withComparableEntriesInText } from "./seen-entries.ts";

/** What is compared of an answer. */
export interface Seen {
  readonly status: number;
  /** Only those that matter, and only where they are there. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** How the text is laid out: `json`, `indented json`, `yaml`, `text`, `events`, `empty`. */
  readonly form: string;
  /** A text's value is the text; a watch's the list of its events. */
  readonly body: JsonValue;
}

/** Headers that are compared by their values, and those where only their presence counts. */
const compared = [
  "content-type",
  "content-encoding",
  "warning",
  "retry-after",
  "vary",
  "cache-control",
  "x-content-type-options",
  "allow",
  "location",
  "www-authenticate",
];
const present = ["etag", "last-modified", "audit-id"];

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const time = /\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const serverTimes = new Set(["creationTimestamp", "deletionTimestamp"]);
/** Five letters that only generateName gives, after the prefix that the scenarios use. */
const generated = /\bgenerated-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g;
/** A number in JSON; strings are matched so that what they hold is left alone. */
const numbers = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

/** How an answer is seen. */
export interface SeeOptions {
  /** Gives what to look at. Default: all of it. */
  readonly about?: ((body: JsonObject) => JsonValue) | undefined;
  /** A new revision of an object counts as its last one. Default false. */
  readonly isPerhapsNone?: boolean | undefined;
}

/** What one scenario's answers of one server have in common. */
export interface Sight {
  /** Gives what is compared of an answer; called in the order of the steps. */
  see(told: Told, options?: SeeOptions): Seen;
  /** The same for a watch's lines. */
  seeWatch(told: Omit<Told, "body">, lines: readonly string[]): Seen;
}

/** Starts a scenario. */
export function createSight(): Sight {
  const uids = new Map<string, string>();
  const revisions = new Map<string, string>();
  /** By an object's uid the name of its last revision. */
  const last = new Map<string, string>();
  const nameOf = (known: Map<string, string>, prefix: string, value: string) => {
    const name = known.get(value) ?? `${prefix}#${known.size + 1}`;
    known.set(value, name);
    return name;
  };
  const text = (value: string): string =>
    value.replaceAll(uuid, (found) => nameOf(uids, "uid", found)).replaceAll(generated, "generated-?????");
  const message = (value: string): string =>
    text(withComparableEntriesInText(value))
      .replaceAll(time, "<time>")
      .replaceAll(/("?resourceVersion\\*"?: ?\\*"?)(\d+)/gi, (all, start, digits) =>
        revisions.has(digits) ? `${start}${revisions.get(digits)}` : all,
      )
      // A list's revision may happen to be an object's.
      .replaceAll(/(ResourceVersion in the precondition )\(\d+\)/g, "$1(<revision>)")
      .replaceAll(/(ResourceVersion in record )\((\d+)\)/g, (_, start, digits) => {
        return `${start}(${revisions.get(digits) ?? "<revision>"})`;
      })
      .replaceAll(/(resource version: \d+, current: )\d+/g, "$1<revision>")
      // Fields are walked in the order of a Go map.
      .replaceAll(/(?<=\berrors:\n)(?: {2}.*(?:\n|$))+/g, (lines) => lines.split("\n").sort().join("\n"))
      .replaceAll(/(too old resource version: )\d+ \(\d+\)/g, "$1<revision> (<revision>)");
  const string = (key: string, value: string, owner: JsonObject | undefined): string => {
    if (serverTimes.has(key)) return value.replaceAll(time, "<time>");
    if (key === "resourceVersion" && /^[1-9]\d*$/.test(value)) {
      // A list's, a bookmark's: others write in between.
      const uid = owner?.["uid"];
      if (typeof uid !== "string") return "<revision>";
      const before = last.get(uid);
      if (isPerhapsNone && before !== undefined && !revisions.has(value)) revisions.set(value, before);
      const name = revisions.get(value) ?? `rv#${new Set(revisions.values()).size + 1}`;
      revisions.set(value, name);
      last.set(uid, name);
      return name;
    }
    if (key === "continue" && value !== "") return "<continue>";
    return key === "message" ? message(value) : text(value);
  };
  const value = (given: JsonValue, key = "", owner?: JsonObject): JsonValue => {
    if (typeof given === "string") return string(key, given, owner);
    if (Array.isArray(given)) return given.map((item) => value(item, key));
    if (!isJsonObject(given)) return given;
    const whole = withComparableEntries(given);
    // A key of a list of owners holds an uid.
    const names = Object.keys(whole).sort();
    return Object.fromEntries(names.map((name) => [text(name), value(whole[name] ?? null, name, whole)]));
  };
  const body = (given: JsonValue): JsonValue => inAnyOrder(value(withoutAges(given)));
  let isPerhapsNone = false;
  const see: Sight["see"] = (told, { about = (whole: JsonObject) => whole, isPerhapsNone: isNone = false } = {}) => {
    isPerhapsNone = isNone;
    const { form, parsed } = read(told);
    const whole = isJsonObject(parsed) ? about(parsed) : parsed;
    return {
      status: told.status,
      headers: headersOf(told.headers, message),
      form,
      body: typeof whole === "string" ? message(whole) : body(whole),
    };
  };
  return {
    see,
    seeWatch(told, lines) {
      // Refused before it began.
      if (told.status !== 200) return see({ ...told, body: lines.join("\n") });
      const events = withoutTiming(lines.map((line) => body(parseNumberless(line))));
      return { status: told.status, headers: headersOf(told.headers, message), form: "events", body: events };
    },
  };
}

function headersOf(headers: Told["headers"], message: (text: string) => string): Seen["headers"] {
  const values = compared.filter((name) => headers[name]).map((name) => [name, headers[name]?.map(message) ?? []]);
  const names = present.filter((name) => headers[name]).map((name) => [name, ["<there>"]]);
  return Object.fromEntries([...values, ...names]);
}

function read({ headers, body }: Told): { form: string; parsed: JsonValue } {
  const type = headers["content-type"]?.[0] ?? "";
  if (body === "") return { form: "empty", parsed: "" };
  if (/^application\/(json|apidiscovery)/.test(type) || (type.startsWith("text/plain") && body.startsWith("{"))) {
    const layout = `${body.includes("\n  ") ? "indented json" : "json"}${body.endsWith("\n") ? "" : ", no newline"}`;
    try {
      return { form: layout, parsed: parseNumberless(body) };
    } catch (error) {
      if (!(error instanceof JsonSyntaxError)) throw error;
      return { form: "text", parsed: body };
    }
  }
  if (type.startsWith("application/yaml")) return { form: "yaml", parsed: parseYaml(body).value };
  if (type.includes("protobuf")) return { form: "protobuf", parsed: "" };
  return { form: "text", parsed: body };
}

/** Numbers become strings of their text, marked so that no string is taken for one. */
function parseNumberless(text: string): JsonValue {
  return parseJson(text.replaceAll(numbers, (token) => (token.startsWith('"') ? token : `"\\u0000${token}"`)));
}

/** When a bookmark comes among other events is chance, and whether one comes at all that marks nothing. */
function withoutTiming(events: readonly JsonValue[]): JsonValue[] {
  const isBookmark = (event: JsonValue) => isJsonObject(event) && event["type"] === "BOOKMARK";
  const marks = events.filter((event) => isBookmark(event) && JSON.stringify(event).includes("initial-events-end"));
  return [...events.filter((event) => !isBookmark(event) && !isLate(event)), ...marks];
}

/** A deadline that was over before the watch began is told by chance: it races with the stream's own end. */
function isLate(event: JsonValue): boolean {
  return JSON.stringify(event).includes('"message":"context deadline exceeded"');
}

/** Go checks properties in the order of its maps, which is another one each time: causes have none. */
function inAnyOrder(given: JsonValue): JsonValue {
  if (isJsonObject(given) && given["kind"] === "APIResourceList" && Array.isArray(given["resources"])) {
    // kube-apiserver goes through its definitions in the order of a Go map.
    return { ...given, resources: given["resources"].toSorted((a, b) => parentIn(a).localeCompare(parentIn(b))) };
  }
  if (!isJsonObject(given) || !isJsonObject(given["details"])) return given;
  const { causes } = given["details"];
  if (given["reason"] === "Conflict" && Array.isArray(causes)) {
    // Managers come in the order of a Go map, the fields of each in their own.
    const byManager = causes.toSorted((a, b) => messageIn(a).localeCompare(messageIn(b)));
    return { ...given, details: { ...given["details"], causes: byManager } };
  }
  if (given["reason"] !== "Invalid") return given;
  if (!Array.isArray(causes) || causes.length < 2) return given;
  const lines = (causes as JsonObject[]).map(({ field, message }) => `${field}: ${message}`);
  const told = String(given["message"]);
  const message = told.replace(`[${[...new Set(lines)].join(", ")}]`, "[<each cause once>]");
  const sorted = causes.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  return { ...given, message, details: { ...given["details"], causes: sorted } };
}

function messageIn(cause: JsonValue): string {
  return isJsonObject(cause) ? String(cause["message"]) : "";
}

/** The resource that an entry of an APIResourceList is about, whether itself or a subresource of it. */
function parentIn(value: JsonValue): string {
  return isJsonObject(value) ? (String(value["name"]).split("/")[0] ?? "") : "";
}

/** A Table's cells of dates say how long ago that was. */
function withoutAges(given: JsonValue): JsonValue {
  if (!isJsonObject(given)) return given;
  if (given["type"] !== undefined && isJsonObject(given["object"]))
    return { ...given, object: withoutAges(given["object"]) };
  if (given["kind"] !== "Table" || !Array.isArray(given["rows"])) return given;
  const rows = given["rows"].map((row) => {
    if (!isJsonObject(row) || !Array.isArray(row["cells"])) return row;
    return { ...row, cells: row["cells"].map((cell) => (isAge(cell) ? "<age>" : cell)) };
  });
  return { ...given, rows };
}

/** Of seconds, or of years: an answer that was recorded is compared on other days. */
function isAge(cell: JsonValue): boolean {
  return typeof cell === "string" && (/^(\d{1,2}s|\d+y(\d+d)?)$/.test(cell) || time.test(cell));
}
