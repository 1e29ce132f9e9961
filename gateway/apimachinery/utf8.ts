/**
 * Bytes into text the way Go reads them: each byte that is no part of valid UTF-8 becomes a U+FFFD
 * of its own, where JavaScript's decoders replace a cut sequence as a whole.
 *
 * Source: Go unicode/utf8 DecodeRune; encoding/json unquote.
 */
import { isUtf8 } from "node:buffer";

/** Gives the text of UTF-8 bytes. A byte order mark stays. */
export function textFromUtf8(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString("utf8");
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < buffer.length; ) {
    const size = runeSize(buffer, at);
    if (size > 0) {
      at += size;
      continue;
    }
    if (at > from) parts.push(buffer.toString("utf8", from, at));
    parts.push("\ufffd");
    from = ++at;
  }
  parts.push(buffer.toString("utf8", from));
  return parts.join("");
}

/** Gives the byte at which the UTF-16 unit `unit` of `textFromUtf8(bytes)` begins; 0 if there is none. */
export function byteAtUnit(bytes: Uint8Array, unit: number): number {
  let seen = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, runeSize(bytes, at));
    seen += size === 4 ? 2 : 1;
    if (seen > unit) return bytes[at] ?? 0;
    at += size;
  }
  return 0;
}

/** Gives the size of the character that begins at `at`, or 0 if none does. */
function runeSize(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let next = at + 2; next < at + size; next++) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}
