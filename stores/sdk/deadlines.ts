/**
 * One timer for the deadlines of many calls: set for the earliest, and when it fires for the next.
 *
 * A call that ends in time costs a comparison, where a timer of its own costs its making and its end.
 *
 * The gateway and a store have each their own of it: they share nothing but the contract.
 */
export class Deadlines {
  readonly #expire: (now: number) => number;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;

  /** @param expire ends the calls whose deadline is over, and gives the earliest of the others; Infinity: none. */
  constructor(expire: (now: number) => number) {
    this.#expire = expire;
  }

  /** Minds a deadline, in milliseconds of performance.now(). */
  add(at: number): void {
    if (at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    // The next whole millisecond: a timer that fires too early would be set again.
    const wait = Math.min(Math.max(0, Math.ceil(at - performance.now())), maxTimerMs);
    this.#timer = setTimeout(this.#fire, wait);
    this.#timer.unref();
  }

  /** Ends the timer. */
  close(): void {
    clearTimeout(this.#timer);
    this.#at = Number.POSITIVE_INFINITY;
  }

  readonly #fire = (): void => {
    this.#at = Number.POSITIVE_INFINITY;
    this.add(this.#expire(performance.now()));
  };
}

/** A longer timer fires at once. */
const maxTimerMs = 2 ** 31 - 1;
