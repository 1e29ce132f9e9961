/** Rows of the log as the SDK's values, and back. */
import type { ObjectKey, ResourceId, StoredObject, StoreEvent } from "../sdk/sdk.ts";
import type { LogRow } from "./log.ts";
import type { WriteRequest, WriteResult } from "./writes.ts";

/** A resource's name in the log. Its version is not part of it: objects outlive a change of version. */
export function resourceText(resource: ResourceId): string {
  return `${resource.plural}.${resource.group}`;
}

/** An object's name in the log. */
export function keyText(key: ObjectKey): string {
  return `${key.namespace}/${key.name}`;
}

/** Reads keyText() back. */
export function keyFrom(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** A row as an object. */
export function storedFrom(row: LogRow): StoredObject {
  return { ...keyFrom(row.key), revision: row.revision, uid: row.uid, json: row.json };
}

/** A row as an event. `readRow` gives the state before; undefined: it isn't wanted. */
export function eventFrom(row: LogRow, readRow: ((revision: bigint) => LogRow | undefined) | undefined): StoreEvent {
  const before = row.previous === undefined ? undefined : readRow?.(row.previous);
  return {
    type: row.deleted ? "delete" : "put",
    object: storedFrom(row),
    ...(before === undefined ? {} : { previous: storedFrom(before) }),
  };
}

/** The rows that a batch of writes has appended. */
export function rowsOf(writes: readonly WriteRequest[], results: readonly WriteResult[]): LogRow[] {
  const rows: LogRow[] = [];
  for (const [index, result] of results.entries()) {
    const write = writes[index];
    if (result.done !== "written" || write === undefined) continue;
    const { uid, json } = result.last ?? write;
    const { resource, key } = write;
    const { revision, previous } = result;
    rows.push({ revision, resource, key, uid, deleted: write.verb === "delete", previous, json: ownBytes(json) });
  }
  return rows;
}

/** A view of a request's buffer would keep the whole of it alive, as what a Buffer's own slice() gives would. */
function ownBytes(json: Uint8Array): Uint8Array {
  return json.buffer.byteLength === json.length ? json : new Uint8Array(json);
}
