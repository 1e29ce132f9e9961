/**
 * Tells watches what was written: from memory while they keep up, from the log while they don't.
 *
 * The memory is bounded by count and bytes; a watch that is further behind reads the log in pages
 * until it has caught up. Nothing is ever dropped for a watch: it catches up or is told `expired`.
 */
import { waitFor } from "../sdk/sdk.ts";
import type { LogRow } from "./log.ts";

/** Rows and bytes that are kept in memory: some seconds of a busy store. */
const maxRows = 10_000;
const maxBytes = 32 * 1024 * 1024;
/** What a row costs beside its object: itself, its texts and numbers, and its buffer. */
const rowBytes = 768;

/** The feed. */
export interface Feed {
  /** The revision of the last durable write that was told of. */
  readonly head: bigint;
  push(rows: readonly LogRow[]): void;
  /** Begins anew at a head: nothing before it is in memory. */
  reset(head: bigint): void;
  /** Rows after a revision, or undefined if memory doesn't reach that far back. */
  after(revision: bigint): readonly LogRow[] | undefined;
  /** Waits for a write after `revision`, for `ms`, or for the signal. */
  changed(revision: bigint, ms: number, signal: AbortSignal): Promise<void>;
}

/** Makes a feed that begins at a head. */
export function createFeed(firstHead: bigint): Feed {
  const wakers = new Set<() => void>();
  let rows: LogRow[] = [];
  let bytes = 0;
  let floor = firstHead;
  let head = firstHead;

  function wake(): void {
    for (const waker of [...wakers]) waker();
  }

  return {
    get head() {
      return head;
    },
    push(fresh) {
      for (const row of fresh) {
        rows.push(row);
        bytes += rowBytes + row.json.length;
        head = row.revision;
      }
      let dropped = 0;
      // A tenth at a time: the array is copied each time.
      if (rows.length > maxRows * 1.1 || bytes > maxBytes * 1.1) {
        while (rows.length - dropped > maxRows || bytes > maxBytes) {
          const row = rows[dropped++] as LogRow;
          bytes -= rowBytes + row.json.length;
          floor = row.revision;
        }
        rows = rows.slice(dropped);
      }
      wake();
    },
    reset(to) {
      rows = [];
      bytes = 0;
      floor = head = to;
      wake();
    },
    after(revision) {
      if (revision < floor) return undefined;
      let low = 0;
      let high = rows.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((rows[middle] as LogRow).revision <= revision) low = middle + 1;
        else high = middle;
      }
      return rows.slice(low);
    },
    async changed(revision, ms, signal) {
      if (head <= revision) await waitFor(wakers, ms, signal);
    },
  };
}
