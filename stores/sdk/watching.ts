/**
 * What every watch needs: to wait for a change, and to know when progress is due.
 */

/** Progress is told at least this often when the gateway does not say how often. */
const defaultProgressMs = 1_000;
/**
 * Progress for changes of other resources is told at once, but not more often than this: a busy
 * resource would have every other watch send a frame for each of its writes.
 */
const minProgressMs = 20;

/** Says when progress is due. */
export interface ProgressPace {
  /** Whether progress up to `revision` is to be told now. A true answer is taken as told. */
  isDue(revision: bigint): boolean;
  /** Notes that everything up to a revision has been told, by events. */
  told(revision: bigint): void;
  /** Milliseconds until progress is due if nothing else happens. */
  waitMs(revision: bigint): number;
}

/** Paces the progress of one watch that began at a revision. `everyMs` as the gateway asked; 0: the default. */
export function pacedProgress(from: bigint, everyMs: number, now: () => number = performance.now.bind(performance)) {
  const idleMs = Math.max(everyMs || defaultProgressMs, minProgressMs);
  let last = from;
  let at = Number.NEGATIVE_INFINITY;
  const waitOf = (revision: bigint) => at + (revision > last ? minProgressMs : idleMs) - now();
  const pace: ProgressPace = {
    isDue(revision) {
      if (waitOf(revision) > 0) return false;
      last = revision;
      at = now();
      return true;
    },
    told(revision) {
      last = revision;
    },
    waitMs: (revision) => Math.max(1, Math.ceil(waitOf(revision))),
  };
  at = now() - minProgressMs;
  return pace;
}

/** Waits for a waker to be called, for `ms`, or for the signal, whichever comes first. */
export async function waitFor(wakers: Set<() => void>, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      wakers.delete(done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    wakers.add(done);
    signal.addEventListener("abort", done, { once: true });
  });
}
