/**
 * Watch events as frames: one JSON document and a newline each.
 *
 * A plain frame is the same for every watcher who sees the change as the same type, so it is made
 * once. A Table's frames are not: the first has the columns.
 * Source: apiserver pkg/endpoints/handlers/{watch,response}.go.
 */
import type { AnswerForm } from "../apimachinery/answer-form.ts";
import { encodeJsonBytes, type JsonObject, jsonEncoder } from "../apimachinery/json.ts";
import { metadataString, type ObjectView } from "../apimachinery/object.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import { type Status, statusToJson } from "../apimachinery/status.ts";
import { finish } from "../apimachinery/steps.ts";
import { partialOf } from "./partial.ts";
import { rowOf, type TableColumns, tableOf } from "./table.ts";

/** Types of events that carry an object. */
export type EventType = "ADDED" | "MODIFIED" | "DELETED";

/** What a bookmark says. */
export interface Bookmark {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resourceVersion: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Makes the frames of one watch. */
export interface EventRenderer {
  /** True: a frame may be sent to every watcher whose renderer has the same key. */
  readonly isShared: boolean;
  readonly sharedKey: string;
  event(type: EventType, view: ObjectView): Buffer;
  bookmark(bookmark: Bookmark): Buffer;
  error(status: Status): Buffer;
}

/** Makes a renderer for one watch in the form that it asked for. */
export function eventRenderer(form: AnswerForm, columns: TableColumns, includeObject: IncludeObject): EventRenderer {
  const isTable = form.as === "Table";
  let hasColumns = false;
  const frame = (type: string, json: Uint8Array) =>
    Buffer.concat([Buffer.from(`{"type":"${type}","object":`), json, Buffer.from("}\n")]);
  const row = (view: ObjectView, include: IncludeObject): Uint8Array => {
    const definitions = hasColumns ? null : columns.definitions;
    hasColumns = true;
    const options = { includeObject: include, now: new Date(), version: form.asVersion };
    const metadata = { resourceVersion: metadataString(view.value, "resourceVersion") };
    return ordered(tableOf([rowOf(view, columns, options)], definitions, metadata, form.asVersion));
  };
  return {
    isShared: !isTable,
    sharedKey: `${form.as} ${form.asVersion}`,
    event(type, view) {
      if (isTable) return frame(type, row(view, includeObject));
      if (form.as !== "") return frame(type, ordered(partialOf(view.value, form.asVersion)));
      return frame(type, view.json);
    },
    bookmark({ apiVersion, kind, resourceVersion, annotations }) {
      const metadata: JsonObject = {
        ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
        resourceVersion,
      };
      const value: JsonObject = { apiVersion, kind, metadata };
      if (!isTable)
        return frame("BOOKMARK", form.as === "" ? encodeJsonBytes(value) : ordered(partialOf(value, form.asVersion)));
      const cells = ["", ...columns.cells.map(() => null)];
      const object = partialOf({ metadata }, form.asVersion);
      const definitions = hasColumns ? null : columns.definitions;
      hasColumns = true;
      return frame("BOOKMARK", ordered(tableOf([{ cells, object }], definitions, { resourceVersion }, form.asVersion)));
    },
    error: (status) => frame("ERROR", ordered(statusToJson(status))),
  };
}

function ordered(value: JsonObject): Buffer {
  return finish(jsonEncoder(value, { keepOrder: true }));
}
