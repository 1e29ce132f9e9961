/**
 * Tables: an object or a list as rows of cells, for `kubectl get`.
 *
 * Name first, then the version's printer columns; without any, Name and Age. Rows are written as
 * JSON text; a row's whole object is its own bytes.
 * Source: apiextensions-apiserver pkg/registry/customresource/tableconvertor; apiserver
 * pkg/endpoints/handlers/response.go; meta.k8s.io/v1 Table.
 */
import { encodeJson, encodeJsonBytes, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { labelsOf, metadataOf, nameOf, type ObjectView } from "../apimachinery/object.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import { ownBytes } from "../apimachinery/own-bytes.ts";
import { Recent } from "../apimachinery/recent.ts";
import type { PrinterColumn } from "../apimachinery/resource.ts";
import { Age, type Cell, cellJson, cellOf } from "./cells.ts";
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

/** Rows by their objects' views, for whoever lists them next. The cost is their texts and bytes, and the objects' bytes. */
export type KeptRows = Recent<ObjectView, Row>;

/** A row: its texts, with an age between each two, and its bytes with the ages that it had when it was last shown. */
interface Row {
  readonly form: string;
  readonly texts: readonly string[];
  readonly ages: readonly Age[];
  /** As JSON; of several with commas between, which no age has in it. */
  shownAges: string;
  bytes: Uint8Array;
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
  const row = rowStart(view, columns, options);
  return options.includeObject === "Object" ? [row, view.json, "}"] : [row];
}

/** A row, up to the whole object if that is included. */
function rowStart(view: ObjectView, columns: TableColumns, options: RowOptions): string | Uint8Array {
  const { cells, includeObject, now, version } = options;
  if (cells !== undefined) return `{"cells":${encodeJson([nameOf(view.value), ...cells])},${objectText(view, options)}`;
  const form = `${includeObject} ${version}`;
  let row = columns.kept.get(view);
  if (row?.form !== form) {
    row = { form, ...textsOf(view, columns, options), shownAges: "", bytes: nothing };
    showAges(row, agesAt(row, now));
    // The view is held as well, also when nobody else has it any more.
    const chars = row.texts.reduce((sum, text) => sum + text.length, 0);
    columns.kept.set(view, row, rowBytes + chars + row.bytes.length + view.json.length);
    return row.bytes;
  }
  const ages = agesAt(row, now);
  if (ages !== row.shownAges) showAges(row, ages);
  return row.bytes;
}

/** What a row costs beside its texts and bytes: itself, its arrays and its buffer, and as much of its view. */
const rowBytes = 1024;
const nothing = new Uint8Array();

function agesAt({ ages }: Row, now: Date): string {
  return ages.length === 1 ? cellJson(ages[0] as Age, now) : ages.map((age) => cellJson(age, now)).join();
}

function showAges(row: Row, ages: string): void {
  const shown = row.ages.length < 2 ? [ages] : ages.split(",");
  let text = row.texts[0] as string;
  for (let index = 0; index < row.ages.length; index++) text += (shown[index] as string) + row.texts[index + 1];
  row.shownAges = ages;
  row.bytes = ownBytes(Buffer.from(text));
}

function textsOf(view: ObjectView, columns: TableColumns, options: RowOptions): Pick<Row, "texts" | "ages"> {
  const texts: string[] = [];
  const ages: Age[] = [];
  let parts = [`{"cells":[${encodeJson(nameOf(view.value))}`];
  for (const cellOf of columns.cells) {
    const cell = cellOf(view.value);
    parts.push(",");
    if (cell instanceof Age) {
      // Joined, a text is one piece in memory; added up, it keeps every part that it was made of.
      texts.push(parts.join(""));
      ages.push(cell);
      parts = [];
    } else parts.push(cellJson(cell, options.now));
  }
  parts.push("],", objectText(view, options));
  texts.push(parts.join(""));
  return { texts, ages };
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
