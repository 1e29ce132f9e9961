/**
 * Reads of the log, on a connection of their own: they never wait for the writer's fsync.
 *
 * Each read happens in one transaction together with the log's mark. So a list's mark is the head of
 * the very state that was listed, and a read of history that compaction has eaten into finds the
 * mark above it, whatever this process has heard of that compaction so far.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type LogMark, type LogRow, markFrom, markSql, readerPragmas, rowFrom } from "./log.ts";

/** One page of a list. */
export interface Page extends LogMark {
  readonly rows: readonly LogRow[];
  /** Whether there are more rows after the last. */
  readonly hasMore: boolean;
}

/** Rows of a resource with `after < key < end`; `at` is a revision, undefined: now. */
export interface KeyRange {
  readonly resource: string;
  readonly after: string;
  readonly end: string;
  readonly at: bigint | undefined;
}

/** One page of history. */
export interface Changes extends LogMark {
  readonly rows: readonly LogRow[];
  /** Whether these are all up to the head. */
  readonly isWhole: boolean;
}

/** Reads. */
export interface Reader {
  /** `row` is undefined if there is no such object. */
  get(resource: string, key: string, at: bigint | undefined): LogMark & { readonly row: LogRow | undefined };
  /** In key order. A page ends at `limit` rows, or once it has `maxBytes`. */
  list(range: KeyRange, limit: number, maxBytes: number): Page;
  count(range: KeyRange): bigint;
  /** Rows of a resource after a revision, in order. A page ends as a list's. */
  changes(resource: string, after: bigint, limit: number, maxBytes: number): Changes;
  row(revision: bigint): LogRow | undefined;
  mark(): LogMark;
  /** At least the revision of the resource's last change. */
  lastChange(resource: string): bigint;
  close(): void;
}

const columns = "l.revision, l.resource, l.key, l.uid, l.deleted, l.previous, l.json";
const inRange = "l.resource = ? AND l.key > ? AND l.key < ?";
const presentRows = `FROM present p JOIN log l ON l.revision = p.revision
  WHERE p.resource = ? AND p.key > ? AND p.key < ?`;
/** For each key the last row at or below a revision, unless it is a delete; in key order by the index. */
const rowsAt = `FROM log l WHERE ${inRange} AND l.revision <= ? AND l.deleted = 0 AND NOT EXISTS (
  SELECT 1 FROM log n WHERE n.resource = l.resource AND n.key = l.key AND n.revision > l.revision AND n.revision <= ?)`;

/** Opens a reader on a database that the writer has made. */
export function openReader(file: string): Reader {
  const database = new DatabaseSync(file, { readOnly: true });
  database.exec(readerPragmas);
  const prepare = (sql: string): StatementSync => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  const begin = database.prepare("BEGIN");
  const commit = database.prepare("COMMIT");
  const markOf = prepare(markSql);
  const getPresent = prepare(
    `SELECT ${columns} FROM present p JOIN log l ON l.revision = p.revision WHERE p.resource = ? AND p.key = ?`,
  );
  const getAt = prepare(
    `SELECT ${columns} FROM log l WHERE resource = ? AND key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1`,
  );
  const listPresent = prepare(`SELECT ${columns} ${presentRows} ORDER BY p.key LIMIT ?`);
  const listAt = prepare(`SELECT ${columns} ${rowsAt} ORDER BY l.key LIMIT ?`);
  const countPresent = prepare("SELECT count(*) AS n FROM present WHERE resource = ? AND key > ? AND key < ?");
  const countAt = prepare(`SELECT count(*) AS n ${rowsAt}`);
  const changesAfter = prepare(
    `SELECT ${columns} FROM log l WHERE resource = ? AND revision > ? ORDER BY revision LIMIT ?`,
  );
  const byRevision = prepare(`SELECT ${columns} FROM log l WHERE revision = ?`);
  const lastOf = prepare("SELECT coalesce(max(revision), 0) AS last FROM log WHERE resource = ?");

  function transaction<T>(work: (mark: LogMark) => T): T {
    begin.run();
    try {
      return work(markFrom(markOf));
    } finally {
      commit.run();
    }
  }

  return {
    get: (resource, key, at) =>
      transaction((mark) => {
        const raw = at === undefined ? getPresent.get(resource, key) : getAt.get(resource, key, at);
        const row = raw === undefined ? undefined : rowFrom(raw);
        return { ...mark, row: row?.deleted ? undefined : row };
      }),
    list: ({ resource, after, end, at }, limit, maxBytes) =>
      transaction((mark) => {
        const isPresent = at === undefined || at === mark.head;
        const raw = isPresent
          ? listPresent.iterate(resource, after, end, limit + 1)
          : listAt.iterate(resource, after, end, at, at, limit + 1);
        const { rows, isWhole } = firstRows(raw, limit, maxBytes);
        return { ...mark, rows, hasMore: !isWhole };
      }),
    count: ({ resource, after, end, at }) =>
      transaction((mark) => {
        const isPresent = at === undefined || at === mark.head;
        const raw = isPresent ? countPresent.get(resource, after, end) : countAt.get(resource, after, end, at, at);
        return raw?.["n"] as bigint;
      }),
    changes: (resource, after, limit, maxBytes) =>
      transaction((mark) => ({
        ...mark,
        ...firstRows(changesAfter.iterate(resource, after, limit + 1), limit, maxBytes),
      })),
    row(revision) {
      const raw = byRevision.get(revision);
      return raw === undefined ? undefined : rowFrom(raw);
    },
    mark: () => transaction((mark) => mark),
    lastChange(resource) {
      return transaction(({ compacted }) => {
        // Rows at or below the mark may be gone, and one of them may have been the last.
        const last = lastOf.get(resource)?.["last"] as bigint;
        return last > compacted ? last : compacted;
      });
    },
    close: () => database.close(),
  };
}

/** Takes rows until there are enough; leaving the loop frees the statement. */
function firstRows(raw: Iterable<Record<string, unknown>>, limit: number, maxBytes: number) {
  const rows: LogRow[] = [];
  let bytes = 0;
  for (const item of raw) {
    if (rows.length >= limit || (rows.length > 0 && bytes >= maxBytes)) return { rows, isWhole: false };
    const row = rowFrom(item);
    rows.push(row);
    bytes += row.json.length;
  }
  return { rows, isWhole: true };
}
