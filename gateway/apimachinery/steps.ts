/**
 * Work that can stop between two steps, so that one large body never holds the event loop.
 *
 * A parser, a walker or an encoder keeps its own stack and does about `units` of work a call. Small
 * input runs to its end at once (`finish`); large input is cut into slices of a few milliseconds,
 * with a turn of the event loop between them (`finishInSlices`).
 *
 * However much work there is, one turn of the loop holds one slice: whoever wants another waits in line.
 */

/** One piece of work in progress. What a unit is, each kind of work says; about a microsecond's worth. */
export interface Steps<T> {
  /** Works for about `units`; true when done. Throws what the work throws. */
  step(units: number): boolean;
  /** Gives the outcome, once `step` has returned true. */
  result(): T;
}

/** Milliseconds of work between two turns; keeps other requests' waits in single digits. */
const sliceMs = 5;

/** Who waits for a turn. The event loop is the process's, so the line is too. */
const line: (() => void)[] = [];

/** Resolves in a turn of the event loop that nobody else who waits here is given. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    line.push(resolve);
    if (line.length === 1) setImmediate(nextInLine);
  });
}

function nextInLine(): void {
  line.shift()?.();
  if (line.length > 0) setImmediate(nextInLine);
}

/** Gives a function to call between two steps; it resolves later, after a turn, only when a slice's time is used up. */
export function createTurns(): () => Promise<void> | undefined {
  let until = performance.now() + sliceMs;
  return () => {
    if (performance.now() < until) return undefined;
    return turn().then(() => {
      until = performance.now() + sliceMs;
    });
  };
}

/** Makes Steps of a generator; a unit ends at each `yield`. */
export function stepsFrom<T>(work: Generator<undefined, T>): Steps<T> {
  let outcome: IteratorResult<undefined, T> | undefined;
  return {
    step(units) {
      for (let left = units; left > 0 && outcome?.done !== true; left--) outcome = work.next();
      return outcome?.done === true;
    },
    result: () => outcome?.value as T,
  };
}

/** Runs work to its end now. */
export function finish<T>(work: Steps<T>): T {
  while (!work.step(1_000_000));
  return work.result();
}

/** Runs work to its end, giving the event loop a turn after each slice. */
export async function finishInSlices<T>(work: Steps<T>): Promise<T> {
  const turnIfDue = createTurns();
  while (!work.step(500)) {
    const due = turnIfDue();
    if (due !== undefined) await due;
  }
  return work.result();
}
