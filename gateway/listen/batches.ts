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

/** Makes batches. `length` is 0 for an empty body, 1 for one that is a batch, 2 for more. */
export function createBatches(buffers: readonly Uint8Array[]): {
  readonly length: 0 | 1 | 2;
  next(): Uint8Array | undefined;
} {
  let index = 0;
  let offset = 0;
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  const isSmall = total <= joinedBytes;

  function next(): Uint8Array | undefined {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (index < buffers.length) {
      const buffer = buffers[index] as Uint8Array;
      const isLarge = buffer.length >= largeBytes && !isSmall;
      if (isLarge ? parts.length > 0 : bytes + buffer.length > joinedBytes) break;
      if (isLarge) return slice(buffer);
      index++;
      if (buffer.length === 0) continue;
      parts.push(buffer);
      bytes += buffer.length;
    }
    return parts.length < 2 ? parts[0] : Buffer.concat(parts, bytes);
  }

  function slice(buffer: Uint8Array): Uint8Array {
    const part = buffer.subarray(offset, offset + batchBytes);
    offset += part.length;
    if (offset < buffer.length) return part;
    index++;
    offset = 0;
    return part;
  }

  return { length: total === 0 ? 0 : isSmall ? 1 : 2, next };
}
