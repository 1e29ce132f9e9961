/**
 * A map of what many share in one turn of the event loop: a change is told to a thousand watchers in one, and what is
 * made for the first of them is the others' too. It is empty after the turn, and keeps nothing alive.
 */
export class TurnMap<K, V> {
  readonly #entries = new Map<K, V>();

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    if (this.#entries.size === 0) setImmediate(() => this.#entries.clear());
    this.#entries.set(key, value);
  }
}
