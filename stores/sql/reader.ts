/**
 * Reads of the log, on a connection of their own: they never wait for the writer's fsync.
 *
 * Every list is read in one transaction together with the head, so that its mark is the head of the
 * very state that was listed.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type LogRow, pragmaSql, rowFrom } from "./log.ts";

/** One page of a list. */
export interface Page {
  readonly rows: readonly LogRow[];
  /** The head of the state that was read. */
  readonly head: bigint;
  /** Whether there are more rows after the last. */
  readonly hasMore: boolean;
  readonly remaining: bigint;
}

/** Reads. */
export interface Reader {
  get(resource: string, key: string, at: bigint | undefined): LogRow | undefined;
  /** Rows of a resource with `after < key < end`, in key order. */
  list(range: { resource: string; after: string; end: string; limit: number; at: bigint | undefined }): Page;
  /** Rows of a resource after a revision, in order. */
  changes(resource: string, after: bigint, limit: number): readonly LogRow[];
  row(revision: bigint): LogRow | undefined;
  head(): bigint;
  close(): void;
}

const columns = "l.revision, l.resource, l.key, l.uid, l.deleted, l.previous, l.json";

/** Opens a reader on a database that the writer has made. */
export function openReader(file: string): Reader {
  const database = new DatabaseSync(file, { readOnly: true });
  database.exec(pragmaSql.replace(/PRAGMA (journal_mode|wal_autocheckpoint)[^;]*;/g, ""));
  const prepare = (sql: string): StatementSync => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  const getPresent = prepare(
    `SELECT ${columns} FROM present p JOIN log l ON l.revision = p.revision WHERE p.resource = ? AND p.key = ?`,
  );
  const getAt = prepare(
    `SELECT ${columns} FROM log l WHERE resource = ? AND key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1`,
  );
  const listPresent = prepare(
    `SELECT ${columns} FROM present p JOIN log l ON l.revision = p.revision WHERE p.resource = ? AND p.key > ? AND p.key < ? ORDER BY p.key LIMIT ?`,
  );
  const countPresent = prepare("SELECT count(*) AS n FROM present WHERE resource = ? AND key > ? AND key < ?");
  // For each key the last row at or below the revision, unless that row is a delete.
  const lastAt =
    "SELECT max(revision) AS revision FROM log WHERE resource = ? AND key > ? AND key < ? AND revision <= ? GROUP BY key";
  const listAt = prepare(
    `SELECT ${columns} FROM (${lastAt}) m JOIN log l ON l.revision = m.revision WHERE l.deleted = 0 ORDER BY l.key LIMIT ?`,
  );
  const countAt = prepare(
    `SELECT count(*) AS n FROM (${lastAt}) m JOIN log l ON l.revision = m.revision WHERE l.deleted = 0`,
  );
  const changesAfter = prepare(
    `SELECT ${columns} FROM log l WHERE resource = ? AND revision > ? ORDER BY revision LIMIT ?`,
  );
  const byRevision = prepare(`SELECT ${columns} FROM log l WHERE revision = ?`);
  const headOf = prepare("SELECT coalesce(max(revision), 1) AS head FROM log");
  const readHead = () => headOf.get()?.["head"] as bigint;

  return {
    get(resource, key, at) {
      const raw = at === undefined ? getPresent.get(resource, key) : getAt.get(resource, key, at);
      const row = raw === undefined ? undefined : rowFrom(raw);
      return row === undefined || row.deleted ? undefined : row;
    },
    list({ resource, after, end, limit, at }) {
      database.exec("BEGIN");
      try {
        const head = readHead();
        const most = limit === 0 ? -1 : limit + 1;
        const raw =
          at === undefined ? listPresent.all(resource, after, end, most) : listAt.all(resource, after, end, at, most);
        const hasMore = limit > 0 && raw.length > limit;
        const rows = (hasMore ? raw.slice(0, limit) : raw).map(rowFrom);
        const last = rows[rows.length - 1]?.key ?? after;
        let remaining = 0n;
        if (hasMore) {
          const count = at === undefined ? countPresent.get(resource, last, end) : countAt.get(resource, last, end, at);
          remaining = count?.["n"] as bigint;
        }
        return { rows, head, hasMore, remaining };
      } finally {
        database.exec("COMMIT");
      }
    },
    changes: (resource, after, limit) => changesAfter.all(resource, after, limit).map(rowFrom),
    row(revision) {
      const raw = byRevision.get(revision);
      return raw === undefined ? undefined : rowFrom(raw);
    },
    head: readHead,
    close: () => database.close(),
  };
}
