/**
 * The bytes of objects that follow one another, joined once for all who list them in one form.
 *
 *   a leaf of the copy:  a  b  c  d …      its pieces:  ,a,b,c │ ,d…
 *
 * To join a list anew for each request costs more than to encrypt and send it, and to write it object by
 * object costs a record and a system call for each. A write replaces one leaf, and a list after it joins the
 * piece that has the object; the leaf's others are found by their first objects. So it does when one of a piece's
 * objects has come to look older. What was not listed for the longest time is let go first.
 */

import { always, bothSpans, type ItemForm, isWithin, type TimeSpan } from "../apimachinery/item-form.ts";
import { ownBytes } from "../apimachinery/own-bytes.ts";
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
/** What is kept beside the bytes: of a piece a few arrays and a buffer, of an object its places in two of them. */
const besideBytes = { piece: 512, object: 16 };
/** Of a leaf that nobody has asked for: for less of it, what is asked for is joined alone. */
const largePart = 1 / 4;

const comma = Buffer.from(",");

/** Objects of a leaf that follow one another, and when they look like that. */
interface Piece extends TimeSpan {
  readonly objects: readonly CachedObject[];
  /** Where each object begins, with its comma, and where the last one ends. */
  readonly starts: readonly number[];
  /** One buffer, or a comma and what shows one large object. */
  readonly buffers: readonly Uint8Array[];
}

/** A leaf's own array. */
type LeafValues = readonly CachedObject[];

/** What a form's pieces are found by. Nothing of it is held here: a copy may let it go. */
interface Places {
  /** What stands for the piece that begins with an object. */
  readonly keys: WeakMap<CachedObject, object>;
  /** The objects of a leaf's pieces; none if it was asked for and not kept. */
  readonly parts: WeakMap<LeafValues, readonly LeafValues[]>;
}

/** Keeps what was joined. */
export class JoinedItems {
  readonly #kept = new Recent<object, Piece>(maxKeptBytes);
  /** By version and form. */
  readonly #places = new Map<string, Places>();

  /** Gives a run's bytes as clients of the version see them in a form, a comma before each object, if they are kept. */
  known(version: ResourceVersionDefinition, form: ItemForm, run: Run<CachedObject>): readonly Uint8Array[] | undefined {
    const places = this.#placesOf(version, form);
    const pieces: Piece[] = [];
    for (const objects of places.parts.get(run.values) ?? []) {
      const piece = this.#piece(places, objects[0] as CachedObject, form);
      if (piece?.objects !== objects) return undefined;
      pieces.push(piece);
    }
    return pieces.length === 0 ? undefined : cut(pieces, run);
  }

  /**
   * Gives the same, and keeps it with the rest of the leaf: a small part not before it is asked for again.
   * @param turnIfDue called after each object, so that many of them don't hold the event loop.
   */
  async join(
    version: ResourceVersionDefinition,
    form: ItemForm,
    run: Run<CachedObject>,
    turnIfDue: () => Promise<void> | undefined,
  ): Promise<readonly Uint8Array[]> {
    const { values, first, end } = run;
    const places = this.#placesOf(version, form);
    const find = (objects: LeafValues, index: number) => this.#found(places, objects, index, form);
    if (end - first < values.length * largePart && !places.parts.has(values)) {
      places.parts.set(values, []);
      const pieces = await joinObjects(version, form, values.slice(first, end), find, turnIfDue);
      return pieces.flatMap(({ buffers }) => buffers);
    }
    const pieces = await joinObjects(version, form, values, find, turnIfDue);
    for (const piece of pieces) this.#keep(places, piece);
    places.parts.set(
      values,
      pieces.map(({ objects }) => objects),
    );
    return cut(pieces, run);
  }

  #placesOf(version: ResourceVersionDefinition, form: ItemForm): Places {
    const name = `${version.name} ${form.name}`;
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const places: Places = { keys: new WeakMap(), parts: new WeakMap() };
    this.#places.set(name, places);
    return places;
  }

  #keep({ keys }: Places, piece: Piece): void {
    const first = piece.objects[0] as CachedObject;
    const key = keys.get(first) ?? {};
    keys.set(first, key);
    // What isn't copied counts too: it is held when the copy has let it go.
    this.#kept.set(key, piece, bytesOf(piece) + besideBytes.piece + besideBytes.object * piece.objects.length);
  }

  /** Gives the piece that begins with an object, as it looks now. */
  #piece({ keys }: Places, first: CachedObject, { nowMs }: ItemForm): Piece | undefined {
    const key = keys.get(first);
    const piece = key && this.#kept.get(key);
    return piece !== undefined && isWithin(piece, nowMs) ? piece : undefined;
  }

  /** Gives a piece of what a leaf has from an index on, unless it is so short that it had better grow. */
  #found(places: Places, values: LeafValues, index: number, form: ItemForm): Piece | undefined {
    const piece = this.#piece(places, values[index] as CachedObject, form);
    if (piece === undefined) return undefined;
    const { objects } = piece;
    const isLast = index + objects.length === values.length;
    if (!isLast && bytesOf(piece) < pieceBytes / 2) return undefined;
    return objects.every((object, offset) => object === values[index + offset]) ? piece : undefined;
  }
}

/** Joins objects, but for what is found of them. */
async function joinObjects(
  version: ResourceVersionDefinition,
  form: ItemForm,
  values: LeafValues,
  find: (values: LeafValues, index: number) => Piece | undefined,
  turnIfDue: () => Promise<void> | undefined,
): Promise<readonly Piece[]> {
  const pieces: Piece[] = [];
  let parts: Uint8Array[] = [];
  let starts = [0];
  let span = always;
  const joinedBytes = () => starts.at(-1) as number;
  const flush = (next: number) => {
    const objects = values.slice(next - starts.length + 1, next);
    if (objects.length > 0) pieces.push({ ...span, objects, starts, buffers: [joinedOnce(parts, joinedBytes())] });
    parts = [];
    starts = [0];
    span = always;
  };
  for (let index = 0; index < values.length; index++) {
    const object = values[index] as CachedObject;
    const known = find(values, index);
    // A short piece is joined with what stands before it.
    if (known !== undefined && (starts.length === 1 || joinedBytes() + bytesOf(known) >= pieceBytes)) {
      flush(index);
      pieces.push(known);
      index += known.objects.length - 1;
      continue;
    }
    const large = object.prepare(version);
    if (large !== undefined) await large;
    const shown = form.show(object.view(version));
    const bytes = shown.pieces.reduce((sum, piece) => sum + piece.length, comma.length);
    const isLarge = bytes >= largeBytes;
    if (isLarge || joinedBytes() + bytes > pieceBytes) flush(index);
    if (isLarge) {
      const { fromMs, untilMs } = shown;
      const buffers = [comma, ...shown.pieces.map(ownBytes)];
      pieces.push({ fromMs, untilMs, objects: [object], starts: [0, bytes], buffers });
    } else {
      parts.push(comma, ...shown.pieces);
      starts.push(joinedBytes() + bytes);
      span = bothSpans(span, shown);
    }
    const due = turnIfDue();
    if (due !== undefined) await due;
  }
  flush(values.length);
  return pieces;
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
