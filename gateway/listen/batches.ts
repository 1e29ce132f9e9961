/**
 * Cuts a body into batches of a size that a socket takes at once.
 *
 * A list is thousands of small kept buffers: a write for each costs more than the bytes. Joining all
 * would double what a large list holds. So small ones are joined up to a batch, and large ones are
 * written in slices of where they lie.
 */

/** Bytes that are handed to a socket before it must have taken some; a client slower than one batch a minute is cut off. */
const batchBytes = 256 * 1024;

/** Makes batches. `length` is 0 for an empty body, 1 for one that fits a batch, 2 for more. */
export function createBatches(buffers: readonly Uint8Array[]): {
  readonly length: 0 | 1 | 2;
  next(): Uint8Array | undefined;
} {
  let index = 0;
  let offset = 0;
  let total = 0;
  for (const buffer of buffers) total += buffer.length;

  function next(): Uint8Array | undefined {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (index < buffers.length && bytes < batchBytes) {
      const buffer = buffers[index] as Uint8Array;
      const fits = offset === 0 && buffer.length <= batchBytes - bytes;
      const part = fits ? buffer : buffer.subarray(offset, offset + batchBytes - bytes);
      offset += part.length;
      if (offset >= buffer.length) {
        index++;
        offset = 0;
      }
      if (part.length === 0) continue;
      parts.push(part);
      bytes += part.length;
    }
    if (parts.length < 2) return parts[0];
    return Buffer.concat(parts, bytes);
  }

  return { length: total === 0 ? 0 : total <= batchBytes ? 1 : 2, next };
}
