/**
 * Watch events as frames: one JSON document and a newline each.
 *
 * A plain frame is the same for every watcher who sees the change as the same type, so it is made
 * once. A Table's frames are not: the first has the columns.
 * Source: apiserver pkg/endpoints/handlers/{watch,response}.go.
 */
import type { AnswerForm } from "../apimachinery/answer-form.ts";
import { encodeJsonBytes, type JsonObject, type JsonValue, jsonEncoder } from "../apimachinery/json.ts";
import { metadataString, type ObjectView } from "../apimachinery/object.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import { type Status, statusToJson } from "../apimachinery/status.ts";
import { finish } from "../apimachinery/steps.ts";
import { listMetadataJson, partialJson } from "./go-struct.ts";
import { bookmarkRowJson, type RowOptions, rowJson, type TableColumns, tableFrame } from "./table.ts";

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
  /** @param cells beside the name, for a Table's row. Undefined: they are made by the columns' paths. */
  event(type: EventType, view: ObjectView, cells?: readonly JsonValue[]): Buffer;
  bookmark(bookmark: Bookmark): Buffer;
  error(status: Status): Buffer;
}

/** Makes a renderer for one watch in the form that it asked for. `clock` is what ages are counted to. */
export function eventRenderer(
  form: AnswerForm,
  columns: TableColumns,
  includeObject: IncludeObject,
  clock: () => Date = () => new Date(),
): EventRenderer {
  return {
    isShared: form.as !== "Table",
    sharedKey: `${form.as} ${form.asVersion}`,
    ...(form.as === "Table" ? tableFrames(form, columns, includeObject, clock) : sharedFrames(form)),
    error: (status) => frame("ERROR", [finish(jsonEncoder(statusToJson(status), { keepOrder: true }))]),
  };
}

type ObjectFrames = Pick<EventRenderer, "event" | "bookmark">;

function sharedFrames({ as, asVersion }: AnswerForm): ObjectFrames {
  const isPlain = as === "";
  return {
    event: (type, view) => frame(type, [isPlain ? view.json : partialJson(view.value, asVersion)]),
    bookmark(bookmark) {
      const value = bookmarkObject(bookmark);
      return frame("BOOKMARK", [isPlain ? encodeJsonBytes(value) : partialJson(value, asVersion)]);
    },
  };
}

function tableFrames(
  form: AnswerForm,
  columns: TableColumns,
  includeObject: IncludeObject,
  clock: () => Date,
): ObjectFrames {
  let hasColumns = false;
  const table = (type: string, value: JsonObject, row: (options: RowOptions) => (string | Uint8Array)[]) => {
    const resourceVersion = metadataString(value, "resourceVersion");
    const metadata = listMetadataJson({ resourceVersion, continueToken: "", remainingItemCount: undefined });
    const { head, tail } = tableFrame(hasColumns ? undefined : columns.definitions, metadata, form.asVersion);
    hasColumns = true;
    return frame(type, [head, ...row({ includeObject, now: clock(), version: form.asVersion }), tail]);
  };
  return {
    event: (type, view, cells) => table(type, view.value, (options) => rowJson(view, columns, { ...options, cells })),
    bookmark(bookmark) {
      const value = bookmarkObject(bookmark);
      return table("BOOKMARK", value, (options) => bookmarkRowJson(value, columns, options));
    },
  };
}

function bookmarkObject({ apiVersion, kind, resourceVersion, annotations }: Bookmark): JsonObject {
  const metadata: JsonObject = {
    ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
    resourceVersion,
  };
  return { apiVersion, kind, metadata };
}

function frame(type: string, pieces: readonly (string | Uint8Array)[]): Buffer {
  const parts = pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece));
  return Buffer.concat([Buffer.from(`{"type":"${type}","object":`), ...parts, Buffer.from("}\n")]);
}
