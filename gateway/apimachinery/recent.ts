/** A map whose cost is bounded: past its limit it forgets what nobody asked for the longest time. */

interface Entry<V> {
  readonly value: V;
  readonly cost: number;
}

/** Costs are in whatever unit its owner counts. */
export class Recent<K, V> {
  /** What was asked for last comes last. */
  readonly #entries = new Map<K, Entry<V>>();
  readonly #maxCost: number;
  #cost = 0;

  constructor(maxCost: number) {
    this.#maxCost = maxCost;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: K, value: V, cost: number): void {
    this.#forget(key);
    this.#entries.set(key, { value, cost });
    this.#cost += cost;
    for (const oldest of this.#entries.keys()) {
      if (this.#cost <= this.#maxCost) return;
      this.#forget(oldest);
    }
  }

  #forget(key: K): void {
    this.#cost -= this.#entries.get(key)?.cost ?? 0;
    this.#entries.delete(key);
  }
}
