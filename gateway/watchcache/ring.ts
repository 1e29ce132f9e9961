/**
 * The recent events of one resource, in revision order, bounded by count and by bytes.
 *
 * Whoever asks for what came after a revision gets exactly that, or learns that it is gone. The
 * floor is the lowest revision to resume from: the head at the start, and then the revision of the
 * last event that was dropped. When that was tells how far back in time the ring reaches.
 */

/** What the ring needs to know of an event. */
export interface RingEvent {
  readonly revision: bigint;
  /** When it was told, in ms of the caller's clock. */
  readonly at: number;
  /** Bytes that keeping the event costs. */
  readonly cost: number;
}

/** Bounds: `maxEvents` as kube-apiserver's largest history, `maxBytes` so that large objects can't fill memory. */
export interface RingLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Keeps recent events; drops the oldest when a limit is passed. */
export class Ring<E extends RingEvent> {
  readonly #limits: RingLimits;
  #events: E[] = [];
  #first = 0;
  #bytes = 0;
  #floor: bigint;
  #floorAt: number;

  /** @param floorAt when the floor was the head at the latest. */
  constructor(floor: bigint, floorAt: number, limits: RingLimits) {
    this.#floor = floor;
    this.#floorAt = floorAt;
    this.#limits = limits;
  }

  /** The lowest revision after which everything is still here. */
  get floor(): bigint {
    return this.#floor;
  }

  /** When the floor was the head, at the latest: everything since is here. */
  get floorAt(): number {
    return this.#floorAt;
  }

  /** How many events there are. */
  get size(): number {
    return this.#events.length - this.#first;
  }

  /** What keeping them costs. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds an event whose revision is not lower than any before it. */
  push(event: E): void {
    this.#events.push(event);
    this.#bytes += event.cost;
    while (this.#events.length - this.#first > this.#limits.maxEvents || this.#bytes > this.#limits.maxBytes) {
      const dropped = this.#events[this.#first];
      if (dropped === undefined) break;
      this.#floor = dropped.revision;
      this.#floorAt = dropped.at;
      this.#bytes -= dropped.cost;
      this.#first++;
    }
    // Half the array being dead pays for one copy, so a push stays constant on average.
    if (this.#first > 1024 && this.#first * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
  }

  /**
   * Gives the events with a revision greater than `revision`, up to and with `to`, by default all; undefined: some of
   * them are gone.
   */
  after(revision: bigint, to?: bigint): readonly E[] | undefined {
    if (revision < this.#floor) return undefined;
    return this.#events.slice(this.#firstAfter(revision), to === undefined ? undefined : this.#firstAfter(to));
  }

  #firstAfter(revision: bigint): number {
    let low = this.#first;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const event = this.#events[middle];
      if (event !== undefined && event.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
