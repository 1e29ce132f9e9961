/**
 * Cuts a body into batches of a size that a socket takes at once.
 *
 * A list may be thousands of small kept buffers: a write for each costs more than the bytes. Joining all
 * would double what a large list holds, and the memory for it costs more than to send it. So small ones
 * are joined up to a batch, and the others are written where they lie.
 */

/** Bytes that are handed to a socket before it must have taken some; a client slower than one batch a minute is cut off. */
const batchBytes = 256 * 1024;
/** Bytes that are joined: less than what the allocator asks the system for each time. */
const joinedBytes = 64 * 1024;
/** A write costs less than a copy from here on. */
const largeBytes = 16 * 1024;

/** Gives batches, none of them empty. */
export function* batchesOf(buffers: readonly Uint8Array[]): Generator<Uint8Array, undefined> {
  let small: Uint8Array[] = [];
  let bytes = 0;
  for (const buffer of buffers) {
    const isLarge = buffer.length >= largeBytes;
    if (bytes > 0 && (isLarge || bytes + buffer.length > joinedBytes)) {
      yield joined(small, bytes);
      small = [];
      bytes = 0;
    }
    if (isLarge) {
      for (let at = 0; at < buffer.length; at += batchBytes) yield buffer.subarray(at, at + batchBytes);
    } else if (buffer.length > 0) {
      small.push(buffer);
      bytes += buffer.length;
    }
  }
  if (bytes > 0) yield joined(small, bytes);
}

function joined(buffers: readonly Uint8Array[], bytes: number): Uint8Array {
  return buffers.length === 1 ? (buffers[0] as Uint8Array) : Buffer.concat(buffers, bytes);
}
