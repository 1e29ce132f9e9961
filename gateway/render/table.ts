/**
 * Tables: an object or a list as rows of cells, for `kubectl get`.
 *
 * Name first, then the version's printer columns; without any, Name and Age.
 * Source: apiextensions-apiserver pkg/registry/customresource/tableconvertor; apiserver
 * pkg/endpoints/handlers/response.go; meta.k8s.io/v1 Table.
 */
import { encodeJson, type JsonObject, type JsonValue } from "../apimachinery/json.ts";
import { nameOf, type ObjectView } from "../apimachinery/object.ts";
import type { IncludeObject } from "../apimachinery/options.ts";
import type { PrinterColumn } from "../apimachinery/resource.ts";
import { parseTime } from "../apimachinery/time.ts";
import { formatAge } from "./duration.ts";
import { compileJsonPath } from "./jsonpath.ts";
import { partialOf } from "./partial.ts";

/** A version's columns, compiled once. */
export interface TableColumns {
  readonly definitions: readonly JsonObject[];
  readonly cells: readonly ((value: JsonObject, now: Date) => JsonValue)[];
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

/** Compiles columns. @throws Error for a path that can't be read. */
export function compileTable(columns: readonly PrinterColumn[]): TableColumns {
  const shown = columns.length === 0 ? [ageColumn] : columns;
  return {
    definitions: [
      nameColumn,
      ...shown.map(({ name, type, format, description, priority, jsonPath }) => ({
        name,
        type,
        format,
        description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
        priority,
      })),
    ],
    cells: shown.map((column) => {
      const find = compileJsonPath(column.jsonPath);
      return (value, now) => {
        const found = find(value)[0];
        return found === undefined ? null : cellOf(column.type, found, now);
      };
    }),
  };
}

/** Gives one row. `object` is what of the object the client asked for. */
export function rowOf(
  view: ObjectView,
  columns: TableColumns,
  options: { readonly includeObject: IncludeObject; readonly now: Date; readonly version: string },
): JsonObject {
  const { value } = view;
  const cells = columns.cells.map((cell) => cell(value, options.now));
  return { cells: [nameOf(value), ...cells], object: objectOf(value, options) };
}

/** Gives a Table around rows. `columnDefinitions` null: as in the Table before. */
export function tableOf(
  rows: JsonValue[],
  columnDefinitions: readonly JsonObject[] | null,
  metadata: JsonObject,
  version: string,
): JsonObject {
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${version}`,
    metadata,
    columnDefinitions: columnDefinitions === null ? null : [...columnDefinitions],
    rows,
  };
}

function objectOf(
  value: JsonObject,
  options: { readonly includeObject: IncludeObject; readonly version: string },
): JsonValue {
  if (options.includeObject === "None") return null;
  return options.includeObject === "Object" ? value : partialOf(value, options.version);
}

function cellOf(type: PrinterColumn["type"], value: JsonValue, now: Date): JsonValue {
  switch (type) {
    case "string":
      return printed(value);
    case "integer":
      if (typeof value === "number") return Math.trunc(value);
      return typeof value === "bigint" ? value : null;
    case "number":
      return typeof value === "number" || typeof value === "bigint" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date": {
      if (typeof value !== "string") return null;
      const time = parseTime(value);
      return time === undefined ? "<invalid>" : formatAge(now.getTime() - time.getTime());
    }
  }
}

/** A value as a template would print it: text bare, structures as JSON. */
function printed(value: JsonValue): JsonValue {
  if (value === null) return "<nil>";
  return typeof value === "string" ? value : encodeJson(value);
}
