/**
 * Bytes that are kept for long, in memory of their own.
 *
 * Node cuts small buffers from slabs of 64 KiB that it shares among all, and the parts of a message are cut from
 * the message. One part that is kept keeps the whole alive: an object of 1 KB costs 64 KiB.
 */

/** Gives the bytes as they are if nothing more is kept with them, else a copy. */
export function ownBytes(bytes: Uint8Array): Buffer {
  const { buffer, byteOffset, length } = bytes;
  if (buffer.byteLength === length) return Buffer.from(buffer, byteOffset, length);
  // Not from a slab.
  const own = Buffer.allocUnsafeSlow(length);
  own.set(bytes);
  return own;
}
