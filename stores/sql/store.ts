/**
 * Objects in a log on SQLite: what is acknowledged is on the disk, and every revision within the
 * window can be read and resumed from.
 *
 * One writer appends; reads have a connection of their own; watches are fed from memory and catch up
 * from the log. One process for one folder: a lock says so clearly to a second.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Capability } from "../../gen/annex/store/v1/catalog_pb.js";
import {
  alreadyExists,
  type Call,
  conflict,
  expired,
  notFound,
  type ObjectKey,
  type ResourceDescription,
  type Store,
} from "../sdk/sdk.ts";
import { createFeed } from "./feed.ts";
import { listPage } from "./list.ts";
import { lockFolder } from "./lock.ts";
import { openReader } from "./reader.ts";
import { keyFrom, keyText, resourceText, rowsOf, storedFrom } from "./rows.ts";
import { watchLog } from "./watch.ts";
import { startWriter, type Writer } from "./writer.ts";
import type { WriteRequest, WriteResult } from "./writes.ts";

/** What it declares for every resource. */
export const sqlCapabilities: readonly Capability[] = [
  Capability.RESUME,
  Capability.PROGRESS,
  Capability.PREVIOUS_OBJECT,
  Capability.EXACT_READ,
  Capability.SNAPSHOT_LIST,
];
/** The declared window: both hold, so a resume works for the longer of the two. */
export const window = { minRevisions: 10_000n, minAgeMs: 600_000 };
/** How often history is looked at. */
const compactEveryMs = 30_000;
/** Revisions that a gateway can say it has shown; what is near the end of 63 bits is no revision. */
const maxNotBelow = 2n ** 62n;

/** What a store is opened with. */
export interface SqlOptions {
  readonly log: (fields: object, message: string) => void;
}

/**
 * Opens the store in a folder, which is made if need be.
 * @throws Error with a sentence for people: the folder is in use, can't be written, is no database.
 */
export async function openSqlStore(
  folder: string,
  resources: readonly ResourceDescription[],
  options: SqlOptions = { log: () => {} },
): Promise<Store> {
  const file = join(folder, "objects.db");
  const lock = await inWords(`the folder ${folder} can't be used`, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return lockFolder(folder, join(folder, "lock.db"));
  });
  try {
    return await inWords(`${file} can't be used`, () => openLocked(file, lock, resources, options));
  } catch (error) {
    lock.close();
    throw error;
  }
}

async function inWords<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message } = error as Error;
    throw message.includes("in use by another process") ? error : new Error(`${what}: ${message}`, { cause: error });
  }
}

async function openLocked(
  file: string,
  lock: { close(): void },
  resources: readonly ResourceDescription[],
  { log }: SqlOptions,
): Promise<Store> {
  // A batch can't come before the feed is there: nobody has the store yet.
  const writer = await startWriter(file, (writes, results) => feed.push(rowsOf(writes, results)));
  const reader = openReader(file);
  const feed = createFeed(writer.opened.head);
  let { epoch } = writer.opened;
  // What a read has shown from the log may not be in the feed yet, for a moment.
  let shown = feed.head;
  let beginning: Promise<void> = Promise.resolve();
  const compaction = setInterval(() => {
    compactHistory(writer, feed.head).catch((error: unknown) => {
      log({ err: (error as Error).message }, "the history could not be compacted");
    });
  }, compactEveryMs);
  compaction.unref();

  const head = () => (shown > feed.head ? shown : feed.head);

  function show(revision: bigint): void {
    if (revision > shown) shown = revision;
  }

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

  async function beginAbove(revision: bigint): Promise<void> {
    if (revision <= head() || revision > maxNotBelow) return;
    log({ head: String(head()), shown: String(revision) }, "the data is older than what was shown; a new epoch begins");
    const begun = await writer.begin(revision);
    epoch = begun.epoch;
    feed.reset(begun.head);
  }

  return {
    implementation: "annex-sql",
    version: "1",
    revisionScope: "store",
    resources,
    failed: writer.failed,
    epoch: () => epoch,
    async get(call) {
      const { row, compacted } = reader.get(resourceText(call.resource), keyText(call.key), call.atRevision);
      if (call.atRevision !== undefined && call.atRevision < compacted) throw expired(compacted);
      if (row === undefined) return undefined;
      show(row.revision);
      return storedFrom(row);
    },
    async list(call) {
      const page = listPage(reader, call);
      show(page.revision);
      return page;
    },
    async create(call) {
      const { revision } = await write({ verb: "create", ...common(call), revision: undefined, presentUid: undefined });
      return { revision };
    },
    async update(call) {
      const { revision, uid } = call.preconditions;
      const written = await write({ verb: "update", ...common(call), revision, presentUid: uid });
      return { revision: written.revision };
    },
    async delete(call) {
      const { revision, uid } = call.preconditions;
      const request = { verb: "delete" as const, resource: resourceText(call.resource), key: keyText(call.key) };
      const written = await write({ ...request, uid: "", json: new Uint8Array(), revision, presentUid: uid });
      const { uid: lastUid = "", json = new Uint8Array() } = written.last ?? {};
      return { ...call.key, revision: written.revision, uid: lastUid, json };
    },
    async currentRevision(call) {
      return { revision: head(), lastChange: reader.lastChange(resourceText(call.resource)) };
    },
    notBelow(revision) {
      beginning = beginning.catch(() => {}).then(() => beginAbove(revision));
      return beginning;
    },
    watch: (call) => watchLog(reader, feed, call),
    async close() {
      clearInterval(compaction);
      reader.close();
      await writer.close();
      lock.close();
    },
  };
}

function common(call: Call & { readonly key: ObjectKey; readonly uid: string; readonly json: Uint8Array }) {
  return { resource: resourceText(call.resource), key: keyText(call.key), uid: call.uid, json: call.json };
}

/** Removes history outside the window, a portion at a time. */
async function compactHistory(writer: Writer, head: bigint): Promise<void> {
  const upTo = head - window.minRevisions;
  const before = Date.now() - window.minAgeMs;
  let last = -1n;
  while (upTo > 0n) {
    const compacted = await writer.compact(upTo, before);
    if (compacted === last) return;
    last = compacted;
  }
}
