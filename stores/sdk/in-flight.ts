/**
 * A session's calls by their numbers.
 *
 * A Map would do, but for what it leaves behind: each table that it outgrows, which with calls that come and go
 * is every few of them, points to the next. Once one of them is old, all later ones are kept with what they
 * held until the whole heap is collected: 400 bytes a call, and a seventh of what a call costs.
 * Here a number has a slot. Only where a call that lasts is in it, the Map takes the next.
 *
 * The gateway and a store have each their own of it: they share nothing but the contract.
 */
export class InFlight<T> {
  readonly #numbers = new Float64Array(slots);
  readonly #calls = new Array<T | undefined>(slots).fill(undefined);
  readonly #others = new Map<number, T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): T | undefined {
    const slot = number % slots;
    return this.#numbers[slot] === number ? this.#calls[slot] : this.#others.get(number);
  }

  /** Adds a call, whose number no other has. */
  add(number: number, call: T): void {
    const slot = number % slots;
    if (this.#calls[slot] === undefined) {
      this.#numbers[slot] = number;
      this.#calls[slot] = call;
    } else {
      this.#others.set(number, call);
    }
    this.#size++;
  }

  /** Removes one that is there. */
  delete(number: number): void {
    const slot = number % slots;
    if (this.#numbers[slot] === number) {
      this.#numbers[slot] = 0;
      this.#calls[slot] = undefined;
    } else {
      this.#others.delete(number);
    }
    this.#size--;
  }

  /** All there are now, whatever is added or removed meanwhile. */
  all(): readonly (readonly [number: number, call: T])[] {
    const all = [...this.#others];
    for (const [slot, call] of this.#calls.entries()) {
      if (call !== undefined) all.push([this.#numbers[slot] as number, call]);
    }
    return all;
  }
}

/** As many calls as a session has, but for rushes: by the contract's own number. */
const slots = 1_024;
