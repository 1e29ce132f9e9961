/**
 * How much the copies of a gateway may hold: each, and all together.
 *
 * Bytes are those of objects as they lie in their store; once they are shown to clients of a version they are held
 * about twice.
 */

/** Bounds, in bytes. */
export interface CacheLimits {
  /** Of the objects of one resource. Past it the resource is served uncached. */
  readonly maxCopyBytes: number;
  /** Of the recent events of one resource. Past it the oldest are dropped. */
  readonly maxHistoryBytes: number;
  /** Of all objects and events. The copy that grows past it is given up, as if it were too large alone. */
  readonly maxTotalBytes: number;
}

/** A copy passed a limit; the message says which. */
export class CopyTooLarge extends Error {
  override readonly name = "CopyTooLarge";
}

/** What one copy holds. */
export interface Holding {
  readonly limits: CacheLimits;
  /** Says whether so much could be held in place of what is. @throws CopyTooLarge */
  assertFits(copyBytes: number, historyBytes: number): void;
  /** Takes what is held now. @throws CopyTooLarge */
  hold(copyBytes: number, historyBytes: number): void;
  /** Nothing is held any more. */
  release(): void;
}

/** Begins to count. Gives what opens one copy's holding. */
export function createMemory(limits: CacheLimits): () => Holding {
  const { maxCopyBytes, maxTotalBytes } = limits;
  let total = 0;
  return () => {
    let held = 0;
    const assertFits = (copyBytes: number, historyBytes: number) => {
      if (copyBytes > maxCopyBytes) throw new CopyTooLarge(`maxCopyBytes is ${maxCopyBytes}`);
      if (total - held + copyBytes + historyBytes > maxTotalBytes)
        throw new CopyTooLarge(`maxTotalBytes is ${maxTotalBytes}`);
    };
    return {
      limits,
      assertFits,
      hold(copyBytes, historyBytes) {
        assertFits(copyBytes, historyBytes);
        total += copyBytes + historyBytes - held;
        held = copyBytes + historyBytes;
      },
      release() {
        total -= held;
        held = 0;
      },
    };
  };
}
