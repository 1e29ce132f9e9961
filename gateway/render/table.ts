/**
 * Tables: an object or a list as rows of cells, for `kubectl get`.
 *
 * Name first, then the version's printer columns; without any, Name and Age. Rows are written as
 * JSON text; a row's whole object is its own bytes.
 * Source: apiextensions-apiserver pkg/registry/customresource/tableconvertor; apiserver
 * pkg/endpoints/handlers/response.go; meta.k8s.io/v1 Table.
 */
import { always, bothSpans, type ItemForm, isWithin, type TimeSpan } from "../apimachinery/item-form.ts";
import { encodeJson, encodeJsonBytes, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { labelsOf, metadataOf, nameOf, type ObjectView } from "../apimachinery/object.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import { ownBytes } from "../apimachinery/own-bytes.ts";
import { Recent } from "../apimachinery/recent.ts";
import type { PrinterColumn } from "../apimachinery/resource.ts";
import { Age, type Cell, cellJson, cellOf, spanOf } from "./cells.ts";
import { partialJson } from "./go-struct.ts";
import { compileJsonPath } from "./jsonpath.ts";
import { JsonPathSyntaxError } from "./jsonpath-parser.ts";

/** A version's columns, compiled once. */
export interface TableColumns {
  /** The definitions, as JSON text. */
  readonly definitions: string;
  readonly cells: readonly ((value: JsonObject) => Cell)[];
  readonly kept: KeptRows;
}

/** Rows by their objects' views, for whoever shows them next. The cost is their bytes, and the objects'. */
export type KeptRows = Recent<ObjectView, Row>;

/** A row, up to the whole object if that is included. */
interface Row extends Pick<RowOptions, "includeObject" | "version"> {
  readonly ages: readonly Age[];
  /** As it is shown now, and changed when an age has become another. */
  shown: AgedBytes;
}

/** Bytes, and how long they are right. */
interface AgedBytes extends TimeSpan {
  readonly bytes: Uint8Array;
  /** Where each age begins and ends. */
  readonly cuts: readonly number[];
}

/** What a row needs to know besides its columns. */
export interface RowOptions {
  /** Beside the name, in the order of the declared columns. Undefined: they are made by the columns' paths. */
  readonly cells?: readonly JsonValue[] | undefined;
  readonly includeObject: IncludeObject;
  readonly now: Date;
  /** Of meta.k8s.io. */
  readonly version: string;
}

const nameColumn: JsonObject = {
  name: "Name",
  type: "string",
  format: "name",
  description:
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
  priority: 0,
};

const ageColumn: PrinterColumn = {
  name: "Age",
  type: "date",
  format: "",
  description:
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  priority: 0,
  jsonPath: ".metadata.creationTimestamp",
};

/**
 * Compiles columns. From the first whose path can't be read on there are none, as kube-apiserver falls back.
 * @param kept of all tables of a server. Default: rows are made anew each time.
 */
export function compileTable(columns: readonly PrinterColumn[], kept: KeptRows = new Recent(0)): TableColumns {
  const shown = columns.length === 0 ? [ageColumn] : columns;
  const definitions = [structText(nameColumn)];
  const cells: TableColumns["cells"][number][] = [];
  for (const column of shown) {
    const cell = compileCell(column);
    if (cell === undefined) break;
    definitions.push(structText(definitionOf(column)));
    cells.push(cell);
  }
  return { definitions: `[${definitions.join(",")}]`, cells, kept };
}

function compileCell({ type, jsonPath }: PrinterColumn): TableColumns["cells"][number] | undefined {
  // Only the store knows what to show.
  if (jsonPath === "") return () => null;
  try {
    const find = compileJsonPath(jsonPath);
    return (value) => {
      const found = find(value)?.[0];
      return found === undefined ? null : cellOf(type, found);
    };
  } catch (error) {
    if (error instanceof JsonPathSyntaxError) return undefined;
    throw error;
  }
}

function definitionOf({ name, type, format, description, priority, jsonPath }: PrinterColumn): JsonObject {
  const shown = description || `Custom resource definition column (in JSONPath format): ${jsonPath}`;
  return { name, type, format, description: shown, priority };
}

function structText(value: JsonObject): string {
  const fields = Object.keys(value).map((key) => `${encodeJson(key)}:${encodeJson(value[key] as JsonValue)}`);
  return `{${fields.join(",")}}`;
}

/** Gives one row, in pieces: text, and the whole object's own bytes if they are asked for. */
export function rowJson(view: ObjectView, columns: TableColumns, options: RowOptions): (string | Uint8Array)[] {
  const { cells, includeObject } = options;
  const start =
    cells === undefined
      ? shownRow(view, columns, options).bytes
      : `{"cells":${encodeJson([nameOf(view.value), ...cells])},${objectText(view, options)}`;
  return includeObject === "Object" ? [start, view.json, "}"] : [start];
}

/** Gives how a list shows its objects as rows with cells by the columns' paths. */
export function rowForm(columns: TableColumns, options: Omit<RowOptions, "cells">): ItemForm {
  const { includeObject, now, version } = options;
  return {
    name: `Table ${version} ${includeObject}`,
    nowMs: now.getTime(),
    show(view) {
      const { bytes, fromMs, untilMs } = shownRow(view, columns, options);
      return { pieces: includeObject === "Object" ? [bytes, view.json, rowEnd] : [bytes], fromMs, untilMs };
    },
  };
}

const rowEnd = Buffer.from("}");

/** Gives an object's row as it is now. */
function shownRow(view: ObjectView, columns: TableColumns, options: RowOptions): AgedBytes {
  const { includeObject, version, now } = options;
  const known = columns.kept.get(view);
  if (known?.includeObject !== includeObject || known.version !== version) {
    const { texts, ages } = textsOf(view, columns, options);
    const row = {
      includeObject,
      version,
      ages,
      shown: withAges(
        texts.map((text) => Buffer.from(text)),
        ages,
        now,
      ),
    };
    // The view is held as well, also when nobody else has it any more.
    columns.kept.set(view, row, rowBytes + row.shown.bytes.length + view.json.length);
    return row.shown;
  }
  if (!isWithin(known.shown, now.getTime())) known.shown = withAges(aroundAges(known.shown), known.ages, now);
  return known.shown;
}

/** What a row costs beside its bytes: itself, its arrays and its buffer, and as much of its view. */
const rowBytes = 1024;

/** Puts an age between each two texts. */
function withAges(texts: readonly Uint8Array[], ages: readonly Age[], now: Date): AgedBytes {
  const parts = [texts[0] as Uint8Array];
  const cuts: number[] = [];
  let span = always;
  let at = parts[0]?.length as number;
  for (const [index, age] of ages.entries()) {
    const shown = Buffer.from(cellJson(age, now));
    const after = texts[index + 1] as Uint8Array;
    cuts.push(at, at + shown.length);
    parts.push(shown, after);
    at += shown.length + after.length;
    span = bothSpans(span, spanOf(age, now.getTime()));
  }
  // An array that grew has room for more.
  return { ...span, bytes: ownBytes(Buffer.concat(parts, at)), cuts: [...cuts] };
}

/** The same without the ages. */
function aroundAges({ bytes, cuts }: AgedBytes): readonly Uint8Array[] {
  const texts: Uint8Array[] = [];
  for (let index = 0; index <= cuts.length; index += 2) texts.push(bytes.subarray(cuts[index - 1], cuts[index]));
  return texts;
}

/** Gives a row's texts, and the ages that stand between each two. */
function textsOf(
  view: ObjectView,
  columns: TableColumns,
  options: RowOptions,
): { readonly texts: readonly string[]; readonly ages: readonly Age[] } {
  const texts: string[] = [];
  const ages: Age[] = [];
  let parts = [`{"cells":[${encodeJson(nameOf(view.value))}`];
  for (const cellOf of columns.cells) {
    const cell = cellOf(view.value);
    parts.push(",");
    if (cell instanceof Age) {
      texts.push(parts.join(""));
      ages.push(cell);
      parts = [];
    } else parts.push(cellJson(cell, options.now));
  }
  parts.push("],", objectText(view, options));
  texts.push(parts.join(""));
  return { texts, ages: [...ages] };
}

function objectText(view: ObjectView, { includeObject, version }: RowOptions): string {
  switch (includeObject) {
    case "None":
      return `"object":null}`;
    case "Object":
      return `"object":`;
    case "Metadata":
      return `"object":${partialJson(view.value, version)}}`;
  }
}

/** Gives the row of a bookmark. The mark of the initial events' end must show whatever was asked for. */
export function bookmarkRowJson(
  value: JsonObject,
  columns: TableColumns,
  options: RowOptions,
): (string | Uint8Array)[] {
  const isMark = metadataOf(value) !== undefined && annotation(value, "k8s.io/initial-events-end") === "true";
  const includeObject = isMark && options.includeObject === "None" ? "Metadata" : options.includeObject;
  return rowJson({ value, json: encodeJsonBytes(value) }, columns, { ...options, includeObject });
}

function annotation(value: JsonObject, key: string): JsonValue | undefined {
  return labelsOf({ metadata: { labels: metadataOf(value)?.["annotations"] ?? null } })[key];
}

/** Gives what stands before and after the rows. `definitions` undefined: the columns are those of the Table before. */
export function tableFrame(
  definitions: string | undefined,
  metadata: string,
  version: string,
): { readonly head: string; readonly tail: string } {
  return {
    head: `{"kind":"Table","apiVersion":"meta.k8s.io/${version}","metadata":${metadata},"columnDefinitions":${definitions ?? "null"},"rows":[`,
    tail: "]}",
  };
}
