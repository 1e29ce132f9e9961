/**
 * Work that can stop between two steps, so that one large body never holds the event loop.
 *
 * A parser, a walker or an encoder keeps its own stack and does about `units` of work a call. Small
 * input runs to its end at once (`finish`); large input is cut into slices of a few milliseconds,
 * with a turn of the event loop between them (`finishInSlices`).
 */

/** One piece of work in progress. What a unit is, each kind of work says; about a microsecond's worth. */
export interface Steps<T> {
  /** Works for about `units`; true when done. Throws what the work throws. */
  step(units: number): boolean;
  /** Gives the outcome, once `step` has returned true. */
  result(): T;
}

/** Runs work to its end now. */
export function finish<T>(work: Steps<T>): T {
  while (!work.step(1_000_000));
  return work.result();
}

/**
 * Runs work to its end, giving the event loop a turn every `sliceMs`.
 *
 * @param sliceMs milliseconds of work between two turns; 5 keeps other requests' p99 in tens.
 */
export async function finishInSlices<T>(work: Steps<T>, sliceMs = 5): Promise<T> {
  for (;;) {
    const until = performance.now() + sliceMs;
    do {
      if (work.step(500)) return work.result();
    } while (performance.now() < until);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
