/**
 * Compact JSON, indented by two spaces a level, as Go's json.Indent does it.
 *
 * Works on bytes and keeps its place between pieces, so that neither a parse nor one long turn of
 * the event loop is needed.
 */

/** Bytes of one go. */
const goBytes = 32 * 1024;

/** Indents one document that comes in pieces. */
export interface Indenter {
  /** Gives the next piece's bytes, indented. */
  write(piece: Uint8Array): Buffer;
}

/** Makes an indenter. What it is given must be well-formed JSON without white space. */
export function createIndenter(): Indenter {
  let depth = 0;
  let isInText = false;
  let isEscaped = false;
  /** A bracket was opened and nothing has come since: an empty one stays closed up. */
  let isOpened = false;

  function write(piece: Uint8Array): Buffer {
    // One character a byte: what is no structure passes untouched, UTF-8 too.
    const text = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString("latin1");
    let out = "";
    let from = 0;
    for (let at = 0; at < text.length; at++) {
      const char = text[at] as string;
      if (isInText) {
        if (isEscaped) isEscaped = false;
        else if (char === "\\") isEscaped = true;
        else if (char === '"') isInText = false;
        continue;
      }
      const isClosing = char === "}" || char === "]";
      if (isOpened && !isClosing) {
        out += text.slice(from, at) + line(++depth);
        from = at;
      }
      if (isClosing && !isOpened) {
        out += text.slice(from, at) + line(--depth);
        from = at;
      }
      isOpened = char === "{" || char === "[";
      if (char === '"') isInText = true;
      else if (char === ",") {
        out += text.slice(from, at + 1) + line(depth);
        from = at + 1;
      } else if (char === ":") {
        out += `${text.slice(from, at + 1)} `;
        from = at + 1;
      }
    }
    return Buffer.from(out + text.slice(from), "latin1");
  }
  return { write };
}

function line(depth: number): string {
  return `\n${"  ".repeat(depth)}`;
}

/** Cuts bytes into goes of bounded size. */
export function* goesOf(buffers: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.length; at += goBytes) yield buffer.subarray(at, at + goBytes);
  }
}
