/**
 * The one writer, in a thread of its own so that no fsync stops the event loop.
 *
 * Each batch is one transaction: every write that waited is checked and appended in order, and one
 * fsync makes them all durable before any is acknowledged.
 */
import { randomUUID } from "node:crypto";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { pragmaSql, schemaSql } from "./log.ts";
import type { Present, WriteRequest, WriteResult, WriterAnswer, WriterRequest } from "./writes.ts";

/** Rows that one step of a compaction removes, so that writes wait for milliseconds at most. */
const compactRows = 500;

const port = parentPort;
if (port === null) throw new Error("the writer runs in a worker thread");

const database = new DatabaseSync(workerData as string);
database.exec(pragmaSql);
database.exec(schemaSql);

const select = bigints(
  "SELECT p.revision, l.uid, l.json FROM present p JOIN log l ON l.revision = p.revision WHERE p.resource = ? AND p.key = ?",
);
const append = database.prepare(
  "INSERT INTO log (revision, resource, key, uid, deleted, previous, written, json) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
);
const setPresent = database.prepare("INSERT OR REPLACE INTO present (resource, key, revision) VALUES (?, ?, ?)");
const dropPresent = database.prepare("DELETE FROM present WHERE resource = ? AND key = ?");
const getMeta = database.prepare("SELECT value FROM meta WHERE name = ?");
const setMeta = database.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)");

const epoch = metaText("epoch") ?? begin();
let compacted = BigInt(metaText("compacted") ?? "0");
let head = bigints("SELECT max(revision) AS head FROM log").get()?.["head"] as bigint | null;
head ??= compacted;
if (head === 0n) head = 1n;

answer({ type: "opened", head, epoch, compacted });
port.on("message", (request: WriterRequest) => {
  if (request.type === "batch") answer(writeBatch(request.writes));
  else if (request.type === "compact") answer(compact(request.upTo, request.before));
  else {
    database.close();
    answer({ type: "closed" });
    port.close();
  }
});

function begin(): string {
  const fresh = randomUUID();
  setMeta.run("epoch", fresh);
  return fresh;
}

function writeBatch(writes: readonly WriteRequest[]): WriterAnswer {
  const before = head as bigint;
  try {
    database.exec("BEGIN IMMEDIATE");
    const results = writes.map(writeOne);
    database.exec("COMMIT");
    return { type: "batch", results };
  } catch (error) {
    head = before;
    if (database.isTransaction) database.exec("ROLLBACK");
    return failure(error);
  }
}

function writeOne(write: WriteRequest): WriteResult {
  const current = presentOf(write);
  if (write.verb === "create") {
    if (current !== undefined) return { done: "alreadyExists" };
  } else {
    if (current === undefined) return { done: "notFound" };
    if (write.revision !== undefined && write.revision !== current.revision) return { done: "conflict", current };
    if (write.presentUid !== undefined && write.presentUid !== current.uid) return { done: "conflict", current };
  }
  const revision = (head as bigint) + 1n;
  const { resource, key } = write;
  const isDelete = write.verb === "delete";
  const uid = isDelete ? (current?.uid ?? "") : write.uid;
  const json = isDelete ? (current?.json ?? new Uint8Array()) : write.json;
  append.run(revision, resource, key, uid, isDelete ? 1 : 0, current?.revision ?? null, Date.now(), json);
  if (isDelete) dropPresent.run(resource, key);
  else setPresent.run(resource, key, revision);
  head = revision;
  return { done: "written", revision, previous: current };
}

function presentOf(write: WriteRequest): Present | undefined {
  const row = select.get(write.resource, write.key);
  if (row === undefined) return undefined;
  return { revision: row["revision"] as bigint, uid: row["uid"] as string, json: row["json"] as Uint8Array };
}

/**
 * Removes rows that are nobody's present, up to a revision and older than a time.
 *
 * The mark goes first: a reader that finds rows gone finds the mark above them.
 */
function compact(upTo: bigint, before: number): WriterAnswer {
  try {
    const found = bigints(
      "SELECT max(revision) AS last FROM (SELECT revision FROM log WHERE revision > ? AND revision <= ? AND written < ? ORDER BY revision LIMIT ?)",
    ).get(compacted, upTo, before, compactRows);
    const last = found?.["last"] as bigint | null | undefined;
    if (last === null || last === undefined) return { type: "compacted", compacted };
    database.exec("BEGIN IMMEDIATE");
    setMeta.run("compacted", String(last));
    // An object's last change stays, however old it is: the next change names it as previous.
    database
      .prepare(
        "DELETE FROM log WHERE revision <= ? AND revision NOT IN (SELECT revision FROM present) AND (deleted = 1 OR EXISTS (SELECT 1 FROM log later WHERE later.resource = log.resource AND later.key = log.key AND later.revision > log.revision AND later.revision <= ?))",
      )
      .run(last, last);
    database.exec("COMMIT");
    compacted = last;
    return { type: "compacted", compacted };
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    return failure(error);
  }
}

function failure(error: unknown): WriterAnswer {
  const message = (error as Error).message;
  return { type: "failed", message, isFull: /full|disk/i.test(message) };
}

function bigints(sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  return statement;
}

function metaText(name: string): string | undefined {
  return getMeta.get(name)?.["value"] as string | undefined;
}

function answer(message: WriterAnswer): void {
  port?.postMessage(message);
}
