/**
 * The cells of a Table by the store's own hook, where it declares one.
 *
 * What the store says is counted and read before any of it is shown. A store that can't show one of
 * the objects leaves all that were asked about with it to the declared columns.
 * Source: proto/annex/store/v1/hook.proto; rancher/steve pkg/ext (ConvertToTable).
 */
import { JsonSyntaxError, type JsonValue, parseJson } from "../apimachinery/json.ts";
import { metadataString, nameOf, namespaceOf, type ObjectView, uidOf } from "../apimachinery/object.ts";
import { internalError } from "../apimachinery/status.ts";
import { callOf, type VerbRequest, type VerbTools } from "./verb-request.ts";

/**
 * Gives each object's cells beside its name; undefined: they are to be made by the columns' paths.
 * @throws StatusError 500 for cells that don't fit the columns, 503 if the store is away.
 */
export function tabulate(
  request: VerbRequest,
  tools: VerbTools,
  views: readonly ObjectView[],
): Promise<Rows | undefined> | undefined {
  return isTabulated(request) && views.length > 0 ? rowsOf(request, tools, views) : undefined;
}

/** The cells of each object. */
type Rows = readonly (readonly JsonValue[])[];

async function rowsOf(request: VerbRequest, tools: VerbTools, views: readonly ObjectView[]): Promise<Rows | undefined> {
  const { definition, version } = request.resource;
  const objects = views.map(({ value, json }) => ({
    namespace: namespaceOf(value),
    name: nameOf(value),
    uid: uidOf(value),
    revision: BigInt(metadataString(value, "resourceVersion") || 0),
    json,
  }));
  const { hooks } = tools.registry.client(definition);
  const rows = await hooks.tabulate(version.name, objects, callOf(request));
  return rows?.map((cells) => readCells(cells, version.columns.length));
}

/** Whether the store makes the cells of what is asked for. */
export function isTabulated({ form, resource }: VerbRequest): boolean {
  return form.as === "Table" && resource.definition.capabilities.hookTabulate;
}

function readCells(cells: readonly Uint8Array[], columns: number): readonly JsonValue[] {
  if (cells.length !== columns) throw internalError(`defined ${columns} columns but got ${cells.length} cells`);
  try {
    return cells.map((cell) => parseJson(cell) as JsonValue);
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause;
    throw internalError("a cell is no JSON", { cause });
  }
}
