/**
 * A document in pieces: short texts are gathered into buffers, large bytes are kept as they lie.
 *
 * A list of many small items would else be as many writes to the socket.
 */

/** Characters that are gathered before they become a buffer. */
const gatherChars = 64 * 1024;
/** Bytes from here on are kept, not copied. */
const keptFromBytes = 4 * 1024;

/** Gathers the pieces of one document, in order. */
export interface Pieces {
  add(piece: string | Uint8Array): void;
  /** Gives everything that was added. Nothing may be added afterwards. */
  buffers(): readonly Uint8Array[];
}

/** Makes an empty document. */
export function createPieces(): Pieces {
  const done: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  let smallBytes = 0;
  let text = "";
  const flushText = () => {
    if (text === "") return;
    const bytes = Buffer.from(text);
    text = "";
    small.push(bytes);
    smallBytes += bytes.length;
  };
  const flush = () => {
    flushText();
    if (small.length > 0) done.push(small.length === 1 ? (small[0] as Uint8Array) : Buffer.concat(small));
    small = [];
    smallBytes = 0;
  };
  return {
    add(piece) {
      if (typeof piece === "string") text += piece;
      else if (piece.length >= keptFromBytes) {
        flush();
        done.push(piece);
      } else {
        flushText();
        small.push(piece);
        smallBytes += piece.length;
      }
      if (text.length + smallBytes >= gatherChars) flush();
    },
    buffers() {
      flush();
      return done;
    },
  };
}
