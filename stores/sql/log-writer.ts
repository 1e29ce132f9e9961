/**
 * Appends to the log. Each batch is one transaction: every write that waited is checked and appended
 * in order, and one fsync makes them all durable before any is acknowledged.
 */
import { randomUUID } from "node:crypto";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { markFrom, markSql, schemaSql, writerPragmas } from "./log.ts";
import type { Incarnation, Present, WriteRequest, WriteResult, WriterAnswer } from "./writes.ts";

/** Revisions that one step of a compaction looks at, so that writes wait for milliseconds at most. */
const compactRevisions = 500;
/** SQLITE_FULL, the low byte of an extended code. */
const sqliteFull = 13;

/** Writes to one database file. */
export interface LogWriter {
  incarnation(): Incarnation;
  write(writes: readonly WriteRequest[]): WriterAnswer;
  /** Removes one portion of the history up to a revision that was written before a time. */
  compact(upTo: bigint, before: number): WriterAnswer;
  /** Begins a new epoch above a revision; what was before can't be resumed from. */
  begin(above: bigint): WriterAnswer;
  close(): void;
}

/** Opens the log, or makes it. @throws Error from SQLite. */
export function openLogWriter(file: string): LogWriter {
  const database = new DatabaseSync(file);
  database.exec(writerPragmas);
  database.exec(schemaSql);
  const begin = database.prepare("BEGIN IMMEDIATE");
  const commit = database.prepare("COMMIT");
  const bigints = (sql: string): StatementSync => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  const select = bigints(
    "SELECT p.revision, l.uid FROM present p JOIN log l ON l.revision = p.revision WHERE p.resource = ? AND p.key = ?",
  );
  const selectJson = database.prepare("SELECT json FROM log WHERE revision = ?");
  const append = database.prepare(
    "INSERT INTO log (revision, resource, key, uid, deleted, previous, written, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const setPresent = database.prepare("INSERT OR REPLACE INTO present (resource, key, revision) VALUES (?, ?, ?)");
  const dropPresent = database.prepare("DELETE FROM present WHERE resource = ? AND key = ?");
  const getMeta = database.prepare("SELECT value FROM meta WHERE name = ?");
  const setMeta = database.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");
  const lastOfPortion = bigints(
    "SELECT max(revision) AS last FROM (SELECT revision FROM log WHERE revision > ? AND revision <= ? AND written < ? ORDER BY revision LIMIT ?)",
  );
  // A row is superseded by the row that names it as previous; a delete's own row is nobody's previous.
  const dropSuperseded = database.prepare(
    "DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous IS NOT NULL)",
  );
  const dropDeletes = database.prepare("DELETE FROM log WHERE revision > ? AND revision <= ? AND deleted = 1");
  let { head, compacted } = markFrom(bigints(markSql));
  let epoch = getMeta.get("epoch")?.["value"] as string | undefined;
  if (epoch === undefined) {
    epoch = randomUUID();
    setMeta.run("epoch", epoch);
  }

  /** All or nothing; `head` is as before if it was nothing. */
  function transaction(work: () => WriterAnswer): WriterAnswer {
    const before = head;
    try {
      begin.run();
      const answer = work();
      commit.run();
      return answer;
    } catch (error) {
      head = before;
      if (database.isTransaction) database.exec("ROLLBACK");
      return failureFrom(error);
    }
  }

  function writeOne(write: WriteRequest): WriteResult {
    const { resource, key, verb } = write;
    const found = select.get(resource, key);
    const previous = found?.["revision"] as bigint | undefined;
    const uid = found?.["uid"] as string | undefined;
    const present = (): Present => ({
      revision: previous as bigint,
      uid: uid as string,
      json: selectJson.get(previous as bigint)?.["json"] as Uint8Array,
    });
    if (verb === "create" && previous !== undefined) return { done: "alreadyExists" };
    if (verb !== "create" && previous === undefined) return { done: "notFound" };
    const isStale = write.revision !== undefined && write.revision !== previous;
    const isAnother = write.presentUid !== undefined && write.presentUid !== uid;
    if (verb !== "create" && (isStale || isAnother)) return { done: "conflict", current: present() };
    const revision = head + 1n;
    const last = verb === "delete" ? present() : undefined;
    const { uid: writtenUid, json } = last ?? write;
    append.run(revision, resource, key, writtenUid, verb === "delete" ? 1 : 0, previous ?? null, Date.now(), json);
    if (verb === "delete") dropPresent.run(resource, key);
    else setPresent.run(resource, key, revision);
    head = revision;
    return { done: "written", revision, previous, last };
  }

  return {
    incarnation: () => ({ head, epoch: epoch as string }),
    write: (writes) => transaction(() => ({ type: "batch", results: writes.map(writeOne) })),
    compact(upTo, before) {
      const last = lastOfPortion.get(compacted, upTo, before, compactRevisions)?.["last"] as bigint | null | undefined;
      if (last === null || last === undefined) return { type: "compacted", compacted };
      const answer = transaction(() => {
        setMeta.run("compacted", String(last));
        dropSuperseded.run(compacted, last);
        dropDeletes.run(compacted, last);
        return { type: "compacted", compacted: last };
      });
      if (answer.type === "compacted") compacted = last;
      return answer;
    },
    begin(above) {
      const fresh = randomUUID();
      const answer = transaction(() => {
        setMeta.run("epoch", fresh);
        setMeta.run("compacted", String(above));
        database.exec("DELETE FROM log WHERE revision NOT IN (SELECT revision FROM present)");
        return { type: "begun", head: above, epoch: fresh };
      });
      if (answer.type === "begun") {
        head = above;
        compacted = above;
        epoch = fresh;
      }
      return answer;
    },
    close: () => database.close(),
  };
}

/** What became of a request that SQLite refused. */
export function failureFrom(error: unknown): WriterAnswer {
  const code = (error as { errcode?: number }).errcode ?? 0;
  return { type: "failed", message: (error as Error).message, isFull: (code & 0xff) === sqliteFull };
}
