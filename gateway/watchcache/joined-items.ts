/**
 * The bytes of objects that follow one another, joined once for all who list them.
 *
 *   a leaf of the copy:  a  b  c  d …      its pieces:  ,a,b,c │ ,d…
 *
 * To join a list anew for each request costs more than to encrypt and send it, and to write it object by
 * object costs a record and a system call for each. A write replaces one leaf, so a list after it joins
 * one leaf again. What was not listed for the longest time is let go first.
 */

import { Recent } from "../apimachinery/recent.ts";
import type { ResourceVersionDefinition } from "../apimachinery/resource.ts";
import type { CachedObject } from "./cached-object.ts";
import type { Run } from "./key-tree.ts";

/** Bytes of a piece: each write to a socket costs some 15 µs besides. A socket takes no more at once. */
const pieceBytes = 256 * 1024;
/** An object from here on is not copied: what is kept would be twice there. */
const largeBytes = 64 * 1024;
/** Bytes that are kept for all resources: several lists of ten thousand objects of 1 KB. Past it lists are joined anew. */
const maxKeptBytes = 32 * 1024 * 1024;

const comma = Buffer.from(",");

/** Some objects of a leaf. */
interface Piece {
  /** Index of its first object. */
  readonly first: number;
  /** Where each object begins, with its comma, and where the last one ends. */
  readonly starts: readonly number[];
  /** One buffer, or a comma and the bytes of one large object. */
  readonly buffers: readonly Uint8Array[];
}

/** A leaf's objects. */
interface Joined {
  readonly version: string;
  readonly pieces: readonly Piece[];
}

/** Keeps what was joined. */
export class JoinedItems {
  /** By the leaf's own array. */
  readonly #kept = new Recent<readonly CachedObject[], Joined>(maxKeptBytes);

  /** Gives a run's bytes as clients of the version see them, a comma before each object, if they are kept. */
  known(version: ResourceVersionDefinition, run: Run<CachedObject>): readonly Uint8Array[] | undefined {
    const joined = this.#kept.get(run.values);
    return joined?.version === version.name ? cut(joined, run) : undefined;
  }

  /**
   * Gives the same, and keeps it.
   * @param turnIfDue called after each object, so that many of them don't hold the event loop.
   */
  async join(
    version: ResourceVersionDefinition,
    run: Run<CachedObject>,
    turnIfDue: () => Promise<void> | undefined,
  ): Promise<readonly Uint8Array[]> {
    const pieces: Piece[] = [];
    let parts: Uint8Array[] = [];
    let starts = [0];
    let kept = 0;
    const flush = (next: number) => {
      const bytes = starts.at(-1) as number;
      if (bytes > 0) pieces.push({ first: next - starts.length + 1, starts, buffers: [joinedOnce(parts, bytes)] });
      kept += bytes;
      parts = [];
      starts = [0];
    };
    for (const [index, object] of run.values.entries()) {
      const large = object.prepare(version);
      if (large !== undefined) await large;
      const { json } = object.view(version);
      const isLarge = json.length >= largeBytes;
      if (isLarge || (starts.at(-1) as number) + json.length >= pieceBytes) flush(index);
      if (isLarge) {
        pieces.push({ first: index, starts: [0, 1 + json.length], buffers: [comma, json] });
        // Not copied, but held when the copy has let it go.
        kept += json.length;
      } else {
        parts.push(comma, json);
        starts.push((starts.at(-1) as number) + 1 + json.length);
      }
      const due = turnIfDue();
      if (due !== undefined) await due;
    }
    flush(run.values.length);
    const joined = { version: version.name, pieces };
    this.#kept.set(run.values, joined, kept);
    return cut(joined, run);
  }
}

/** Gives what a run has of its leaf. */
function cut({ pieces }: Joined, { first, end }: Run<CachedObject>): readonly Uint8Array[] {
  return pieces.flatMap((piece) => {
    const from = Math.max(first - piece.first, 0);
    const to = Math.min(end - piece.first, piece.starts.length - 1);
    if (from >= to) return [];
    if (from === 0 && to === piece.starts.length - 1) return piece.buffers;
    return piece.buffers.map((buffer) => buffer.subarray(piece.starts[from], piece.starts[to]));
  });
}

/** Joins in memory of its own: a small part of Node's pool would hold the whole pool. */
function joinedOnce(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const joined = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
