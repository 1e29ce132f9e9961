/**
 * Objects, lists and documents into the bytes asked for.
 *
 * Plain JSON is never parsed: an object is its own bytes, a list is its items' bytes with commas
 * between. Every other form is made of the same bytes, a large one with turns of the event loop in
 * between. What is written by hand here is compact JSON in Go's order; indentation and YAML are made
 * from that.
 * Source: apiserver pkg/endpoints/handlers/response.go, pkg/endpoints/handlers/responsewriters.
 */
import type { AnswerForm } from "../apimachinery/answer-form.ts";
import { always, type ItemForm } from "../apimachinery/item-form.ts";
import { encodeJson, type JsonObject, type JsonValue, jsonEncoder } from "../apimachinery/json.ts";
import { metadataString, type ObjectView } from "../apimachinery/object.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import { notAcceptable, type Status, statusToJson } from "../apimachinery/status.ts";
import { createTurns, finish } from "../apimachinery/steps.ts";
import { encodeYaml } from "../apimachinery/yaml.ts";
import { listMetadataJson, partialJson } from "./go-struct.ts";
import { createIndenter, goesOf } from "./indent.ts";
import { createPieces, type Pieces } from "./pieces.ts";
import { type RowOptions, rowForm, rowJson, type TableColumns, tableFrame } from "./table.ts";
import { yamlList, yamlOf } from "./yaml.ts";

export { type Bookmark, type EventRenderer, type EventType, eventRenderer } from "./events.ts";
export { compressIfAsked } from "./gzip.ts";
export { protobufMediaType, statusProtobuf } from "./status-protobuf.ts";
export { compileTable, type KeptRows, type TableColumns } from "./table.ts";

/** What a Table needs to know besides its columns. */
export interface TableOptions {
  readonly includeObject: IncludeObject;
  readonly now: Date;
  /** The cells of each object beside its name. Default: made by the columns' paths. */
  readonly rows?: readonly (readonly JsonValue[])[] | undefined;
}

/** A list as it is answered. */
export interface ObjectList {
  /** `group/version`. */
  readonly apiVersion: string;
  readonly listKind: string;
  readonly items: readonly ObjectView[];
  /** JSON of the items as itemForm() shows them with commas between, in their place. Default: it is made of them. */
  readonly itemsJson?: readonly Uint8Array[] | undefined;
  readonly resourceVersion: string;
  /** `""`: nothing is left. */
  readonly continueToken: string;
  readonly remainingItemCount: bigint | undefined;
}

const newline = Buffer.from("\n");
const comma = Buffer.from(",");

/** Gives an object. @throws StatusError 406 for the list form of metadata. */
export function renderObject(
  view: ObjectView,
  form: AnswerForm,
  columns: TableColumns,
  options: TableOptions,
): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
  return form.as === "" ? formed([view.json], form) : renderAs(form.as, view, form, columns, options);
}

async function renderAs(
  as: Exclude<AnswerForm["as"], "">,
  view: ObjectView,
  form: AnswerForm,
  columns: TableColumns,
  options: TableOptions,
): Promise<readonly Uint8Array[]> {
  switch (as) {
    case "PartialObjectMetadata":
      return await formed([Buffer.from(partialJson(view.value, form.asVersion))], form);
    case "Table": {
      const metadata = listMetadataJson({
        resourceVersion: metadataString(view.value, "resourceVersion"),
        continueToken: "",
        remainingItemCount: undefined,
      });
      return await formed(await tablePieces({ items: [view] }, metadata, form, columns, options), form);
    }
    case "PartialObjectMetadataList":
      throw notAcceptable(
        "you requested PartialObjectMetadataList, but the requested object is not a list (*unstructured.Unstructured)",
      );
  }
}

/** Gives a list. @throws StatusError 406 for the single form of metadata. */
export async function renderList(
  list: ObjectList,
  form: AnswerForm,
  columns: TableColumns,
  options: TableOptions,
): Promise<readonly Uint8Array[]> {
  switch (form.as) {
    case "":
      if (form.mediaType === "application/yaml") return await yamlList({ ...list, metadata: plainMetadata(list) });
      return formed(plainList(list), form);
    case "Table":
      return await formed(await tablePieces(list, listMetadataJson(list), form, columns, options), form);
    case "PartialObjectMetadataList":
      return await formed(await partialList(list, form), form);
    case "PartialObjectMetadata":
      throw notAcceptable(
        "you requested PartialObjectMetadata, but the requested object is a list (*unstructured.UnstructuredList)",
      );
  }
}

/** Gives how a list shows its items. Undefined: not each by itself, or not at all. */
export function itemForm(
  { as, asVersion, mediaType }: AnswerForm,
  columns: TableColumns,
  { includeObject, now }: Omit<TableOptions, "rows">,
): ItemForm | undefined {
  switch (as) {
    case "":
      return mediaType === "application/json" ? plainForm : undefined;
    case "Table":
      return rowForm(columns, { includeObject, now, version: asVersion });
    case "PartialObjectMetadataList":
      return timeless(`metadata ${asVersion}`, (view) => Buffer.from(partialJson(view.value, asVersion)));
    case "PartialObjectMetadata":
      return undefined;
  }
}

const plainForm = timeless("", ({ json }) => json);

function timeless(name: string, bytesOf: (view: ObjectView) => Uint8Array): ItemForm {
  return { name, nowMs: 0, show: (view) => ({ pieces: [bytesOf(view)], ...always }) };
}

/** Gives a document of the server's own. `keepOrder`: its fields as they are set, as Go writes a struct. */
export function renderDocument(
  value: JsonValue,
  form: AnswerForm,
  { keepOrder = false }: { readonly keepOrder?: boolean } = {},
): readonly Uint8Array[] {
  if (form.mediaType === "application/yaml") return [Buffer.from(encodeYaml(value))];
  const json = finish(jsonEncoder(value, { indent: form.pretty, keepOrder }));
  return form.pretty ? [json] : [json, newline];
}

/** Gives a failure. */
export function renderStatus(status: Status, form: AnswerForm): readonly Uint8Array[] {
  return renderDocument(statusToJson(status), form, { keepOrder: true });
}

/** Gives the Status that a delete answers with. `kind` is the resource. */
export function successStatus(details: {
  readonly name: string;
  readonly group: string;
  readonly kind: string;
  readonly uid: string;
}): JsonObject {
  const { name, group, kind, uid } = details;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(group === "" ? {} : { group }), kind, ...(uid === "" ? {} : { uid }) },
  };
}

function plainList(list: ObjectList): readonly Uint8Array[] {
  const head = Buffer.from(`{"apiVersion":${encodeJson(list.apiVersion)},"items":[`);
  const buffers: Uint8Array[] = [head, ...(list.itemsJson ?? [])];
  list.items.forEach((item, index) => {
    if (index > 0) buffers.push(comma);
    buffers.push(item.json);
  });
  buffers.push(Buffer.from(`],"kind":${encodeJson(list.listKind)},"metadata":${plainMetadata(list)}}`));
  return buffers;
}

/** A list of custom resources always says `continue`. */
function plainMetadata({ continueToken, remainingItemCount, resourceVersion }: ObjectList): string {
  const remaining = remainingItemCount === undefined ? "" : `"remainingItemCount":${remainingItemCount},`;
  return `{"continue":${encodeJson(continueToken)},${remaining}"resourceVersion":${encodeJson(resourceVersion)}}`;
}

type Items = Pick<ObjectList, "items" | "itemsJson">;

async function tablePieces(
  list: Items,
  metadata: string,
  form: AnswerForm,
  columns: TableColumns,
  options: TableOptions,
): Promise<readonly Uint8Array[]> {
  const { head, tail } = tableFrame(columns.definitions, metadata, form.asVersion);
  const { includeObject, now, rows } = options;
  return await listPieces(list, head, tail, (item, pieces, index) => {
    const rowOptions: RowOptions = { includeObject, now, version: form.asVersion, cells: rows?.[index] };
    for (const piece of rowJson(item, columns, rowOptions)) pieces.add(piece);
  });
}

async function partialList(list: ObjectList, { asVersion }: AnswerForm): Promise<readonly Uint8Array[]> {
  const head = `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${asVersion}","metadata":${listMetadataJson(list)},"items":`;
  // Go's typed list starts as nil and stays it when nothing is appended.
  if (list.items.length === 0 && !list.itemsJson?.length) return [Buffer.from(`${head}null}`)];
  return await listPieces(list, `${head}[`, "]}", (item, pieces) => pieces.add(partialJson(item.value, asVersion)));
}

async function listPieces(
  { items, itemsJson = [] }: Items,
  head: string,
  tail: string,
  add: (item: ObjectView, pieces: Pieces, index: number) => void,
): Promise<readonly Uint8Array[]> {
  const pieces = createPieces();
  const turn = createTurns();
  pieces.add(head);
  for (const piece of itemsJson) pieces.add(piece);
  for (const [index, item] of items.entries()) {
    if (index > 0) pieces.add(comma);
    add(item, pieces, index);
    const due = turn();
    if (due !== undefined) await due;
  }
  pieces.add(tail);
  return pieces.buffers();
}

/** Puts a document of compact JSON into the form asked for. */
function formed(json: readonly Uint8Array[], form: AnswerForm): readonly Uint8Array[] | Promise<readonly Uint8Array[]> {
  if (form.mediaType === "application/yaml") return asYaml(json);
  return form.pretty ? indented(json) : [...json, newline];
}

async function asYaml(json: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  return [await yamlOf(json.length === 1 ? (json[0] as Uint8Array) : Buffer.concat(json))];
}

async function indented(json: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  const indenter = createIndenter();
  const turn = createTurns();
  const buffers: Uint8Array[] = [];
  for (const go of goesOf(json)) {
    buffers.push(indenter.write(go));
    await turn();
  }
  return buffers;
}
