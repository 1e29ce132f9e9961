/**
 * A watch of one resource: from memory while it keeps up, from the log in pages while it doesn't.
 */
import { pacedProgress, type WatchCall, type WatchFrame } from "../sdk/sdk.ts";
import type { Feed } from "./feed.ts";
import type { LogRow } from "./log.ts";
import type { Reader } from "./reader.ts";
import { eventFrom, resourceText } from "./rows.ts";

/** Rows and bytes of one page of a watch that catches up. */
const pageRows = 500;
const pageBytes = 1024 * 1024;

/** Gives the frames of a watch until its signal ends it, or history is gone. */
export async function* watchLog(reader: Reader, feed: Feed, call: WatchCall): AsyncIterable<WatchFrame> {
  const resource = resourceText(call.resource);
  const readRow = call.previous ? (revision: bigint) => reader.row(revision) : undefined;
  const { compacted } = reader.mark();
  let seen = call.after ?? feed.head;
  if (seen >= compacted) yield { frame: "started", revision: seen, oldestResumable: compacted };
  const pace = pacedProgress(seen, call.progressEveryMs);
  while (!call.signal.aborted) {
    const page = fresh(feed, resource, seen) ?? reader.changes(resource, seen, pageRows, pageBytes);
    if (seen < page.compacted) {
      const reason = `the history begins at ${page.compacted}`;
      yield { frame: "expired", oldestResumable: page.compacted, revision: page.head, reason };
      return;
    }
    const last = page.rows.at(-1)?.revision ?? seen;
    if (!page.isWhole) seen = last;
    else if (page.head > seen) seen = page.head;
    const events = page.rows
      .filter((row) => call.namespace === "" || row.key.startsWith(`${call.namespace}/`))
      .map((row) => eventFrom(row, readRow));
    if (events.length > 0) yield { frame: "events", events };
    if (events.at(-1)?.object.revision === seen) pace.told(seen);
    else if (pace.isDue(seen)) yield { frame: "progress", revision: seen };
    if (page.isWhole) await feed.changed(seen, pace.waitMs(seen), call.signal);
    else await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** What memory has after a revision, as a page of history. Compaction never reaches into memory. */
function fresh(feed: Feed, resource: string, seen: bigint) {
  const rows: readonly LogRow[] | undefined = feed.after(seen);
  if (rows === undefined) return undefined;
  return { rows: rows.filter((row) => row.resource === resource), head: feed.head, compacted: 0n, isWhole: true };
}
