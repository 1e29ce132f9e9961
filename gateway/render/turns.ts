/** Turns of the event loop in the middle of long work. */

/** Milliseconds of work between two turns; keeps other requests' waits in single digits. */
const sliceMs = 5;

/** Gives a function to call between two steps; it resolves later, after a turn, only when the time is used up. */
export function createTurns(): () => Promise<void> | undefined {
  let until = performance.now() + sliceMs;
  return () => {
    if (performance.now() < until) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        until = performance.now() + sliceMs;
        resolve();
      }),
    );
  };
}
