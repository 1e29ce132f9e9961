import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { failureFrom, type LogWriter, openLogWriter } from "./log-writer.ts";
import { openReader, type Reader } from "./reader.ts";
import type { WriteRequest } from "./writes.ts";

function withLog(work: (writer: LogWriter, reader: Reader, file: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "annex-log-"));
  const file = join(folder, "objects.db");
  const writer = openLogWriter(file);
  const reader = openReader(file);
  try {
    work(writer, reader, file);
  } finally {
    reader.close();
    writer.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function request(verb: WriteRequest["verb"], key: string, json = "{}"): WriteRequest {
  const bytes = Buffer.from(json);
  return { verb, resource: "things", key, uid: "u", json: bytes, revision: undefined, presentUid: undefined };
}

const all = { resource: "things", after: "", end: "\u{10ffff}", at: undefined };
const later = Number.MAX_SAFE_INTEGER;
const keysAt = (reader: Reader, at: bigint) => reader.list({ ...all, at }, 100, 1_000).rows.map((row) => row.key);

test("openLogWriter() begins at revision 1, which is never 0", () => {
  withLog((writer, reader) => {
    assert.equal(writer.incarnation().head, 1n);
    assert.deepEqual({ ...reader.mark() }, { head: 1n, compacted: 0n });
  });
});

test("compact() keeps every present object and every state that can still be read", () => {
  withLog((writer, reader) => {
    // 2 a, 3 b, 4 a, 5 b gone, 6 c, 7 a, 8 c gone, 9 b
    writer.write([request("create", "a"), request("create", "b"), request("update", "a"), request("delete", "b")]);
    writer.write([request("create", "c"), request("update", "a"), request("delete", "c"), request("create", "b")]);
    assert.deepEqual(writer.compact(6n, later), { type: "compacted", compacted: 6n });
    assert.deepEqual(
      [2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n].filter((revision) => reader.row(revision) !== undefined),
      [4n, 6n, 7n, 8n, 9n],
    );
    assert.deepEqual(keysAt(reader, 6n), ["a", "c"]);
    assert.deepEqual(keysAt(reader, 8n), ["a"]);
    assert.deepEqual(
      reader.changes("things", 6n, 10, 1_000).rows.map((row) => row.revision),
      [7n, 8n, 9n],
    );
    assert.equal(reader.row(7n)?.previous, 4n);
    writer.compact(9n, later);
    assert.deepEqual(keysAt(reader, 9n), ["a", "b"]);
    assert.equal(reader.row(8n), undefined);
  });
});

test("compact() leaves what is younger than the window", () => {
  withLog((writer, reader) => {
    writer.write([request("create", "a"), request("update", "a")]);
    assert.deepEqual(writer.compact(3n, 0), { type: "compacted", compacted: 0n });
    assert.equal(reader.row(2n)?.key, "a");
  });
});

test("changes() shows the mark that compaction has set, so that lost rows are never taken for none", () => {
  withLog((writer, reader) => {
    writer.write([request("create", "a"), request("update", "a"), request("delete", "a")]);
    assert.equal(reader.changes("things", 1n, 10, 1_000).rows.length, 3);
    writer.compact(4n, later);
    const page = reader.changes("things", 1n, 10, 1_000);
    assert.deepEqual([page.rows.length, page.compacted], [0, 4n]);
    assert.equal(reader.get("things", "a", 2n).compacted, 4n);
    assert.equal(reader.list({ ...all, at: 2n }, 10, 1_000).compacted, 4n);
  });
});

test("openLogWriter() begins above what was compacted, if nothing else is left", () => {
  withLog((writer, reader, file) => {
    writer.write([request("create", "a"), request("delete", "a")]);
    writer.compact(3n, later);
    assert.equal(reader.mark().head, 3n);
    assert.equal(reader.lastChange("things"), 3n);
    const again = openLogWriter(file);
    assert.equal(again.incarnation().head, 3n);
    again.close();
  });
});

test("begin() keeps the objects and nothing of the history, in a new epoch that lasts", () => {
  withLog((writer, reader, file) => {
    writer.write([request("create", "a"), request("update", "a"), request("create", "b")]);
    const { epoch } = writer.incarnation();
    const begun = writer.begin(100n);
    assert.equal(begun.type === "begun" && begun.head, 100n);
    assert.notEqual(writer.incarnation().epoch, epoch);
    assert.deepEqual({ ...reader.mark() }, { head: 100n, compacted: 100n });
    assert.deepEqual(keysAt(reader, 100n), ["a", "b"]);
    assert.equal(reader.row(2n), undefined);
    const again = openLogWriter(file);
    assert.deepEqual(again.incarnation(), writer.incarnation());
    again.close();
    const written = writer.write([request("create", "c")]);
    assert.equal(
      written.type === "batch" && written.results[0]?.done === "written" && written.results[0].revision,
      101n,
    );
  });
});

test("write() does a batch whole or not at all", () => {
  withLog((writer, reader) => {
    const broken = { ...request("create", "b"), json: 5 as unknown as Uint8Array };
    assert.equal(writer.write([request("create", "a"), broken]).type, "failed");
    assert.equal(reader.get("things", "a", undefined).row, undefined);
    const next = writer.write([request("create", "c")]);
    assert.equal(next.type === "batch" && next.results[0]?.done === "written" && next.results[0].revision, 2n);
  });
});

test("list() and changes() end a page by bytes, but never before its first row", () => {
  withLog((writer, reader) => {
    writer.write(["a", "b", "c"].map((key) => request("create", key, JSON.stringify("x".repeat(100)))));
    const page = reader.list(all, 10, 150);
    assert.deepEqual([page.rows.length, page.hasMore], [2, true]);
    assert.equal(reader.list(all, 10, 1).rows.length, 1);
    const changes = reader.changes("things", 1n, 10, 1);
    assert.deepEqual([changes.rows.length, changes.isWhole], [1, false]);
    assert.equal(reader.list(all, 3, 10_000).hasMore, false);
    assert.equal(reader.count({ ...all, after: "a" }), 2n);
    assert.equal(reader.count({ ...all, at: 3n }), 2n);
  });
});

test("failureFrom() tells a full disk from a failing one", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("PRAGMA max_page_count = 2; CREATE TABLE t (b BLOB)");
  const full = (() => {
    try {
      database.prepare("INSERT INTO t VALUES (?)").run(Buffer.alloc(100_000));
    } catch (error) {
      return failureFrom(error);
    }
    return assert.fail("two pages took 100 KB");
  })();
  assert.deepEqual(full, { type: "failed", message: "database or disk is full", isFull: true });
  const failing = Object.assign(new Error("disk I/O error"), { errcode: 10 | (4 << 8) });
  assert.deepEqual(failureFrom(failing), { type: "failed", message: "disk I/O error", isFull: false });
  database.close();
});
