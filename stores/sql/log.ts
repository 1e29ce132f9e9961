/**
 * The shape of the log: one row for each write, and beside it which row is each object's present.
 *
 *   log      revision | resource | key | uid | deleted | previous | written | json
 *   present  resource, key → revision      (no row: no such object)
 *   meta     name → value                  (epoch; compacted: revisions at or below it may be gone)
 *
 * A key is `namespace/name`, compared as bytes, so that a list is in Kubernetes' order. A delete is a
 * row of its own that holds the last state. `previous` is the revision of the state before. The head
 * is the last row's revision, or `compacted` if that is higher.
 */
import type { StatementSync } from "node:sqlite";

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

/** Where the log begins and ends. */
export interface LogMark {
  readonly head: bigint;
  /** Revisions at or below it may be gone: it is the oldest that can be read or resumed from. */
  readonly compacted: bigint;
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

/** How the writer's connection is set: durable at each commit, readers beside it. */
export const writerPragmas = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA busy_timeout = 5000;
PRAGMA wal_autocheckpoint = 2000;
`;

/** How a reader's connection is set. */
export const readerPragmas = "PRAGMA busy_timeout = 5000;";

/** One row of LogMark. Revisions begin at 1, for 0 is never one. */
export const markSql = `
SELECT c.compacted, max(1, c.compacted, coalesce((SELECT max(revision) FROM log), 0)) AS head
FROM (SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'compacted'), 0) AS compacted) c
`;

/** Gives a statement's row, with bigints, as a LogMark. */
export function markFrom(statement: StatementSync): LogMark {
  const raw = statement.get() as Record<string, unknown>;
  return { head: raw["head"] as bigint, compacted: raw["compacted"] as bigint };
}

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
