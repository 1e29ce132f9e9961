/**
 * Objects, lists and documents into the bytes asked for.
 *
 * Plain JSON is never parsed: an object is its own bytes, a list is its items' bytes with commas
 * between. Everything else is made from parsed values, a large list with turns of the event loop in
 * between.
 * Source: apiserver pkg/endpoints/handlers/response.go, pkg/endpoints/handlers/responsewriters.
 */
import type { AnswerForm } from "../apimachinery/answer-form.ts";
import { encodeJson, type JsonObject, type JsonValue, jsonEncoder } from "../apimachinery/json.ts";
import { metadataString, type ObjectView } from "../apimachinery/object.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import { notAcceptable, type Status, statusToJson } from "../apimachinery/status.ts";
import { finish, finishInSlices } from "../apimachinery/steps.ts";
import { encodeYaml } from "../apimachinery/yaml.ts";
import { partialOf } from "./partial.ts";
import { rowOf, type TableColumns, tableOf } from "./table.ts";

export { type EventRenderer, eventRenderer } from "./events.ts";
export { compressIfAsked } from "./gzip.ts";
export { compileTable, type TableColumns } from "./table.ts";

/** What a Table needs to know besides its columns. */
export interface TableOptions {
  readonly includeObject: IncludeObject;
  readonly now: Date;
}

/** A list as it is answered. */
export interface ObjectList {
  /** `group/version`. */
  readonly apiVersion: string;
  readonly listKind: string;
  readonly items: readonly ObjectView[];
  readonly resourceVersion: string;
  /** `""`: nothing is left. */
  readonly continueToken: string;
  readonly remainingItemCount: bigint | undefined;
}

const newline = Buffer.from("\n");
const comma = Buffer.from(",");
/** Work between two turns of the event loop. */
const sliceMs = 5;
const slicedFromBytes = 128 * 1024;

/** Gives an object. @throws StatusError 406 for the list form of metadata. */
export async function renderObject(
  view: ObjectView,
  form: AnswerForm,
  columns: TableColumns,
  options: TableOptions,
): Promise<readonly Uint8Array[]> {
  switch (form.as) {
    case "":
      if (form.mediaType === "application/json" && !form.pretty) return [view.json, newline];
      return await renderValue(view.value, form, view.json.length, false);
    case "PartialObjectMetadata":
      return await renderValue(partialOf(view.value, form.asVersion), form, view.json.length, true);
    case "Table": {
      const row = rowOf(view, columns, { ...options, version: form.asVersion });
      const metadata = { resourceVersion: metadataString(view.value, "resourceVersion") };
      const table = tableOf([row], columns.definitions, metadata, form.asVersion);
      return await renderValue(table, form, view.json.length, true);
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
  const bytes = list.items.reduce((sum, item) => sum + item.json.length, 0);
  switch (form.as) {
    case "":
      if (form.mediaType === "application/json" && !form.pretty) return plainList(list);
      return await renderValue(await wholeList(list), form, bytes, false);
    case "Table": {
      const rowOptions = { ...options, version: form.asVersion };
      const rows = await mapInSlices(list.items, (item): JsonValue => rowOf(item, columns, rowOptions));
      return await renderValue(
        tableOf(rows, columns.definitions, listMetadata(list, false), form.asVersion),
        form,
        bytes,
        true,
      );
    }
    case "PartialObjectMetadataList": {
      const items = await mapInSlices(list.items, (item): JsonValue => partialOf(item.value, form.asVersion));
      const value = {
        kind: "PartialObjectMetadataList",
        apiVersion: `meta.k8s.io/${form.asVersion}`,
        metadata: listMetadata(list, false),
        items,
      };
      return await renderValue(value, form, bytes, true);
    }
    case "PartialObjectMetadata":
      throw notAcceptable(
        "you requested PartialObjectMetadata, but the requested object is a list (*unstructured.UnstructuredList)",
      );
  }
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
  const buffers: Uint8Array[] = [Buffer.from(`{"apiVersion":${encodeJson(list.apiVersion)},"items":[`)];
  list.items.forEach((item, index) => {
    if (index > 0) buffers.push(comma);
    buffers.push(item.json);
  });
  const metadata = encodeJson(listMetadata(list, true));
  buffers.push(Buffer.from(`],"kind":${encodeJson(list.listKind)},"metadata":${metadata}}\n`));
  return buffers;
}

async function wholeList(list: ObjectList): Promise<JsonObject> {
  const items = await mapInSlices(list.items, (item): JsonValue => item.value);
  return { apiVersion: list.apiVersion, items, kind: list.listKind, metadata: listMetadata(list, true) };
}

/** A list of unstructured objects always says `continue`; the typed ones leave out what is empty. */
function listMetadata(list: ObjectList, withEmpty: boolean): JsonObject {
  return {
    resourceVersion: list.resourceVersion,
    ...(withEmpty || list.continueToken !== "" ? { continue: list.continueToken } : {}),
    ...(list.remainingItemCount === undefined ? {} : { remainingItemCount: safeNumber(list.remainingItemCount) }),
  };
}

function safeNumber(value: bigint): JsonValue {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

async function renderValue(
  value: JsonObject,
  form: AnswerForm,
  bytes: number,
  keepOrder: boolean,
): Promise<readonly Uint8Array[]> {
  if (form.mediaType === "application/yaml") return [Buffer.from(encodeYaml(value))];
  const work = jsonEncoder(value, { indent: form.pretty, keepOrder });
  const json = bytes < slicedFromBytes ? finish(work) : await finishInSlices(work);
  return form.pretty ? [json] : [json, newline];
}

async function mapInSlices<T, R>(items: readonly T[], make: (item: T) => R): Promise<R[]> {
  const made: R[] = [];
  let until = performance.now() + sliceMs;
  for (const item of items) {
    made.push(make(item));
    if (performance.now() < until) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    until = performance.now() + sliceMs;
  }
  return made;
}
