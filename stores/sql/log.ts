/**
 * The shape of the log: one row for each write, and beside it which row is each object's present.
 *
 *   log      revision | resource | key | uid | deleted | previous | written | json
 *   present  resource, key → revision      (no row: no such object)
 *   meta     name → value                  (epoch; compacted: revisions at or below it may be gone)
 *
 * A key is `namespace/name`, compared as bytes, so that a list is in Kubernetes' order. A delete is a
 * row of its own that holds the last state. `previous` is the revision of the state before.
 */

/** One row of the log. */
export interface LogRow {
  readonly revision: bigint;
  readonly resource: string;
  readonly key: string;
  readonly uid: string;
  readonly deleted: boolean;
  readonly previous: bigint | undefined;
  readonly json: Uint8Array;
}

/** Creates what is missing. */
export const schemaSql = `
CREATE TABLE IF NOT EXISTS log (
  revision INTEGER PRIMARY KEY,
  resource TEXT NOT NULL,
  key TEXT NOT NULL,
  uid TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  previous INTEGER,
  written INTEGER NOT NULL,
  json BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS log_by_key ON log (resource, key, revision);
CREATE INDEX IF NOT EXISTS log_by_resource ON log (resource, revision);
CREATE TABLE IF NOT EXISTS present (
  resource TEXT NOT NULL,
  key TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (resource, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/** How every connection is set: durable at each commit, readers beside the writer. */
export const pragmaSql = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA busy_timeout = 5000;
PRAGMA wal_autocheckpoint = 2000;
`;

/** Gives a row as the driver returns it, with bigints, as a LogRow. */
export function rowFrom(raw: Record<string, unknown>): LogRow {
  return {
    revision: raw["revision"] as bigint,
    resource: raw["resource"] as string,
    key: raw["key"] as string,
    uid: raw["uid"] as string,
    deleted: raw["deleted"] !== 0n,
    previous: (raw["previous"] as bigint | null) ?? undefined,
    json: raw["json"] as Uint8Array,
  };
}
