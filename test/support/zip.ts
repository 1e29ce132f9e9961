/**
 * Reads one file out of a zip archive: kubectl comes in one, and not every machine has `unzip`.
 *
 * Stored and deflated entries; no zip64, no encryption. Source: PKWARE APPNOTE 4.3, 4.4.
 */
import { inflateRawSync } from "node:zlib";

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
/** The end record without its comment, and the longest comment there can be. */
const endBytes = 22;
const longestComment = 0xffff;

/** Gives the content of an entry. @throws Error if there is none of that name. */
export function readZipEntry(archive: Buffer, name: string): Buffer {
  const end = findEnd(archive);
  const entries = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  for (let index = 0; index < entries; index++) {
    if (archive.readUInt32LE(at) !== entrySignature) throw new Error("the zip's list of entries is broken");
    const nameBytes = archive.readUInt16LE(at + 28);
    if (archive.toString("utf8", at + 46, at + 46 + nameBytes) === name) return content(archive, at);
    at += 46 + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`the zip has no entry "${name}"`);
}

function findEnd(archive: Buffer): number {
  const first = Math.max(0, archive.length - endBytes - longestComment);
  for (let at = archive.length - endBytes; at >= first; at--) if (archive.readUInt32LE(at) === endSignature) return at;
  throw new Error("this is no zip");
}

/** The lengths stand in the list; where the data begins is told by the entry's own header. */
function content(archive: Buffer, at: number): Buffer {
  const method = archive.readUInt16LE(at + 10);
  const packedBytes = archive.readUInt32LE(at + 20);
  const local = archive.readUInt32LE(at + 42);
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const packed = archive.subarray(start, start + packedBytes);
  if (method === 0) return packed;
  if (method === 8) return inflateRawSync(packed);
  throw new Error(`zip method ${method} isn't read here`);
}
