/**
 * Objects in a log on SQLite: what is acknowledged is on the disk, and every revision within the
 * window can be read and resumed from.
 *
 * One writer appends; reads have a connection of their own; watches are fed from memory and catch up
 * from the log. One process for one folder: a lock says so clearly to a second.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  alreadyExists,
  badRequest,
  type Call,
  conflict,
  expired,
  type ListCall,
  type ListPage,
  notFound,
  type ObjectKey,
  type ResourceDescription,
  type ResourceId,
  type Store,
  type StoredObject,
  type StoreEvent,
  type WatchCall,
  type WatchFrame,
} from "../sdk/sdk.ts";
import { createFeed } from "./feed.ts";
import type { LogRow } from "./log.ts";
import { openReader, type Reader } from "./reader.ts";
import { startWriter, type Writer } from "./writer.ts";
import type { WriteRequest, WriteResult } from "./writes.ts";

/** The declared window: both hold, so a resume works for the longer of the two. */
export const window = { minRevisions: 10_000n, minAgeMs: 600_000 };
/** How often history is looked at, and progress told when the gateway doesn't say. */
const compactEveryMs = 30_000;
const defaultProgressMs = 1_000;
/** Rows of one page of a watch that catches up. */
const catchUpRows = 500;

/**
 * Opens the store in a folder, which is made if need be.
 * @throws Error with a sentence for people: the folder is in use, can't be written, is no database.
 */
export async function openSqlStore(folder: string, resources: readonly ResourceDescription[]): Promise<Store> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = lockFolder(folder);
  const file = join(folder, "objects.db");
  const feedRows: { push(rows: readonly LogRow[]): void } = { push: () => {} };
  const writer = await startWriter(file, (writes, results) => feedRows.push(rowsOf(writes, results)));
  const reader = openReader(file);
  const feed = createFeed(writer.opened.head);
  feedRows.push = feed.push;
  let compacted = writer.opened.compacted;
  const compaction = setInterval(() => {
    compactHistory(writer, feed.head, (upTo) => {
      compacted = upTo;
    }).catch(() => undefined);
  }, compactEveryMs);
  compaction.unref();

  async function write(request: WriteRequest): Promise<Extract<WriteResult, { done: "written" }>> {
    const result = await writer.write(request);
    switch (result.done) {
      case "written":
        return result;
      case "notFound":
        throw notFound();
      case "alreadyExists":
        throw alreadyExists();
      case "conflict":
        throw conflict({ ...keyFrom(request.key), ...result.current });
    }
  }

  return {
    implementation: "annex-sql",
    version: "1",
    revisionScope: "store",
    resources,
    epoch: () => writer.opened.epoch,
    async get(call) {
      if (call.atRevision !== undefined && call.atRevision < compacted) throw expired(compacted);
      const row = reader.get(idOf(call.resource), keyText(call.key), call.atRevision);
      return row === undefined ? undefined : storedFrom(row);
    },
    list: async (call) => listPage(reader, call, compacted),
    async create(call) {
      const { revision } = await write({ verb: "create", ...common(call), ...none });
      return { revision };
    },
    async update(call) {
      const { revision, uid } = call.preconditions;
      const written = await write({ verb: "update", ...common(call), revision, presentUid: uid });
      return { revision: written.revision };
    },
    async delete(call) {
      const { revision, uid } = call.preconditions;
      const request = { verb: "delete" as const, resource: idOf(call.resource), key: keyText(call.key) };
      const written = await write({ ...request, uid: "", json: new Uint8Array(), revision, presentUid: uid });
      const last = written.previous;
      return { ...call.key, revision: written.revision, uid: last?.uid ?? "", json: last?.json ?? new Uint8Array() };
    },
    async currentRevision() {
      return { revision: feed.head };
    },
    async *watch(call: WatchCall): AsyncIterable<WatchFrame> {
      const resource = idOf(call.resource);
      let seen = call.after ?? feed.head;
      if (seen < compacted) {
        yield { frame: "expired", oldestResumable: compacted, revision: feed.head, reason: "the history is compacted" };
        return;
      }
      yield { frame: "started", revision: seen, oldestResumable: compacted };
      while (!call.signal.aborted) {
        if (seen < compacted) {
          yield { frame: "expired", oldestResumable: compacted, revision: feed.head, reason: "the watch fell behind" };
          return;
        }
        const upTo = feed.head;
        const fresh = feed.after(seen);
        // A page that is not full has everything up to the head that was read before it.
        const rows = fresh?.filter((row) => row.resource === resource) ?? reader.changes(resource, seen, catchUpRows);
        const isWhole = fresh !== undefined || rows.length < catchUpRows;
        const events = rows
          .filter((row) => call.namespace === "" || row.key.startsWith(`${call.namespace}/`))
          .map((row) => eventFrom(row, call.previous ? reader : undefined));
        if (events.length > 0) yield { frame: "events", events };
        const last = rows[rows.length - 1]?.revision ?? seen;
        seen = isWhole && upTo > last ? upTo : last;
        if (isWhole && seen > last) yield { frame: "progress", revision: seen };
        await feed.changed(seen, call.progressEveryMs || defaultProgressMs, call.signal);
      }
    },
    async close() {
      clearInterval(compaction);
      reader.close();
      await writer.close();
      lock.close();
    },
  };
}

const none = { revision: undefined, presentUid: undefined };

function common(call: Call & { key: ObjectKey; uid: string; json: Uint8Array }) {
  return { resource: idOf(call.resource), key: keyText(call.key), uid: call.uid, json: call.json };
}

function rowsOf(writes: readonly WriteRequest[], results: readonly WriteResult[]): LogRow[] {
  const rows: LogRow[] = [];
  results.forEach((result, index) => {
    const write = writes[index];
    if (result.done !== "written" || write === undefined) return;
    const deleted = write.verb === "delete";
    rows.push({
      revision: result.revision,
      resource: write.resource,
      key: write.key,
      uid: deleted ? (result.previous?.uid ?? "") : write.uid,
      deleted,
      previous: result.previous?.revision,
      json: deleted ? (result.previous?.json ?? new Uint8Array()) : write.json,
    });
  });
  return rows;
}

/** Removes history outside the window, a portion at a time. */
async function compactHistory(writer: Writer, head: bigint, onMark: (compacted: bigint) => void): Promise<void> {
  const upTo = head - window.minRevisions;
  const before = Date.now() - window.minAgeMs;
  let last = -1n;
  while (upTo > 0n) {
    const compacted = await writer.compact(upTo, before);
    onMark(compacted);
    if (compacted === last) return;
    last = compacted;
  }
}

function listPage(reader: Reader, call: ListCall, compacted: bigint): ListPage {
  const from = parseToken(call.continueToken);
  const at = from?.revision ?? call.atRevision;
  if (at !== undefined && at < compacted) throw expired(compacted);
  const start = call.namespace === "" ? "" : `${call.namespace}/`;
  const end = call.namespace === "" ? "\u{10ffff}" : `${call.namespace}0`;
  const range = { resource: idOf(call.resource), after: from?.after ?? start, end, limit: call.limit, at };
  const page = reader.list(range);
  const revision = at ?? page.head;
  const last = page.rows[page.rows.length - 1];
  if (!page.hasMore || last === undefined) return { items: page.rows.map(storedFrom), revision };
  return {
    items: page.rows.map(storedFrom),
    revision,
    continueToken: Buffer.from(JSON.stringify([String(revision), last.key])),
    remaining: page.remaining,
  };
}

function parseToken(token: Uint8Array): { revision: bigint; after: string } | undefined {
  if (token.length === 0) return undefined;
  try {
    const [revision, after] = JSON.parse(Buffer.from(token).toString()) as [string, string];
    return { revision: BigInt(revision), after };
  } catch (error) {
    throw badRequest(`the continue token can't be read: ${(error as Error).message}`);
  }
}

function eventFrom(row: LogRow, reader: Reader | undefined): StoreEvent {
  const object = storedFrom(row);
  const before = reader === undefined || row.previous === undefined ? undefined : reader.row(row.previous);
  return {
    type: row.deleted ? "delete" : "put",
    object,
    ...(before === undefined ? {} : { previous: storedFrom(before) }),
  };
}

function storedFrom(row: LogRow): StoredObject {
  return { ...keyFrom(row.key), revision: row.revision, uid: row.uid, json: row.json };
}

function idOf(resource: ResourceId): string {
  return `${resource.plural}.${resource.group}`;
}

function keyText(key: ObjectKey): string {
  return `${key.namespace}/${key.name}`;
}

function keyFrom(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The lock lives in a database of its own, held by an open transaction: it goes with the process. */
function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, "lock.db"));
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    lock.close();
    if (!/locked|busy/i.test((error as Error).message)) throw error;
    throw new Error(`the folder ${folder} is in use by another process`, { cause: error });
  }
  return lock;
}
