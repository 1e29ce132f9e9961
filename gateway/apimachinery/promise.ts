/**
 * Answers that are there at once, or have to be waited for.
 *
 * To wait for what is there already costs a promise and a turn of the microtasks. One request passes dozens of
 * places that nearly always know their answer.
 */

/** Tells an answer that has to be waited for. */
export function isPromise<T>(answer: T | Promise<T>): answer is Promise<T> {
  return typeof (answer as { then?: unknown } | null | undefined)?.then === "function";
}

/** Goes on with an answer, at once if it is there. */
export function after<T, R>(answer: T | Promise<T>, next: (answer: T) => R | Promise<R>): R | Promise<R> {
  return isPromise(answer) ? answer.then(next) : next(answer);
}
