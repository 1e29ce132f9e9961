/**
 * The bytes of objects that follow one another, joined once for all who list them.
 *
 *   a leaf of the copy:  a  b  c  d …      its pieces:  ,a,b,c │ ,d…
 *
 * To join a list anew for each request costs more than to encrypt and send it, and to write it object by
 * object costs a record and a system call for each. A write replaces one leaf, and a list after it joins the
 * piece that has the object; the leaf's others are found by their first objects. What was not listed for the
 * longest time is let go first.
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

/** Objects of a leaf that follow one another. */
interface Piece {
  readonly version: string;
  readonly objects: readonly CachedObject[];
  /** Where each object begins, with its comma, and where the last one ends. */
  readonly starts: readonly number[];
  /** One buffer, or a comma and the bytes of one large object. */
  readonly buffers: readonly Uint8Array[];
}

/** Keeps what was joined. */
export class JoinedItems {
  /** By the first object. */
  readonly #kept = new Recent<CachedObject, Piece>(maxKeptBytes);
  /** The objects of a leaf's pieces, by the leaf's own array. */
  readonly #parts = new WeakMap<readonly CachedObject[], readonly (readonly CachedObject[])[]>();

  /** Gives a run's bytes as clients of the version see them, a comma before each object, if they are kept. */
  known(version: ResourceVersionDefinition, run: Run<CachedObject>): readonly Uint8Array[] | undefined {
    const pieces: Piece[] = [];
    for (const objects of this.#parts.get(run.values) ?? []) {
      const piece = this.#kept.get(objects[0] as CachedObject);
      if (piece?.objects !== objects || piece.version !== version.name) return undefined;
      pieces.push(piece);
    }
    return pieces.length === 0 ? undefined : cut(pieces, run);
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
    const { values } = run;
    const pieces: Piece[] = [];
    let parts: Uint8Array[] = [];
    let starts = [0];
    const joinedBytes = () => starts.at(-1) as number;
    const add = (objects: readonly CachedObject[], ends: readonly number[], buffers: readonly Uint8Array[]) =>
      pieces.push({ version: version.name, objects, starts: ends, buffers });
    const flush = (next: number) => {
      const objects = values.slice(next - starts.length + 1, next);
      if (objects.length > 0) add(objects, starts, [joinedOnce(parts, joinedBytes())]);
      parts = [];
      starts = [0];
    };
    for (let index = 0; index < values.length; index++) {
      const object = values[index] as CachedObject;
      const known = this.#found(version, values, index);
      // A short piece is joined with what stands before it.
      if (known !== undefined && (starts.length === 1 || joinedBytes() + bytesOf(known) >= pieceBytes)) {
        flush(index);
        pieces.push(known);
        index += known.objects.length - 1;
        continue;
      }
      const large = object.prepare(version);
      if (large !== undefined) await large;
      const { json } = object.view(version);
      const isLarge = json.length >= largeBytes;
      if (isLarge || joinedBytes() + json.length >= pieceBytes) flush(index);
      if (isLarge) add([object], [0, 1 + json.length], [comma, json]);
      else {
        parts.push(comma, json);
        starts.push(joinedBytes() + 1 + json.length);
      }
      const due = turnIfDue();
      if (due !== undefined) await due;
    }
    flush(values.length);
    // What isn't copied counts too: it is held when the copy has let it go.
    for (const piece of pieces) this.#kept.set(piece.objects[0] as CachedObject, piece, bytesOf(piece));
    this.#parts.set(
      values,
      pieces.map(({ objects }) => objects),
    );
    return cut(pieces, run);
  }

  /** Gives a piece of what a leaf has from an index on, unless it is so short that it had better grow. */
  #found(version: ResourceVersionDefinition, values: readonly CachedObject[], index: number): Piece | undefined {
    const piece = this.#kept.get(values[index] as CachedObject);
    if (piece?.version !== version.name) return undefined;
    const { objects } = piece;
    const isLast = index + objects.length === values.length;
    if (!isLast && bytesOf(piece) < pieceBytes / 2) return undefined;
    return objects.every((object, offset) => object === values[index + offset]) ? piece : undefined;
  }
}

function bytesOf({ starts }: Piece): number {
  return starts.at(-1) as number;
}

/** Gives what a run has of its leaf. */
function cut(pieces: readonly Piece[], { first, end }: Run<CachedObject>): readonly Uint8Array[] {
  let next = 0;
  return pieces.flatMap(({ objects, starts, buffers }) => {
    const from = Math.max(first - next, 0);
    const to = Math.min(end - next, objects.length);
    next += objects.length;
    if (from >= to) return [];
    if (from === 0 && to === objects.length) return buffers;
    return buffers.map((buffer) => buffer.subarray(starts[from], starts[to]));
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
