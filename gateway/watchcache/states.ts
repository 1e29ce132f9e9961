/**
 * The recent states of a resource's copy, for reads of a revision that is past.
 *
 * One is kept of those changes that came together: each is an array or two of its own, which die young if nobody
 * keeps them. Between two changes every revision has the state of the first. So the state of revision N is the last
 * one that began at or before it, with the changes up to N that came with others.
 */
import type { CachedObject } from "./cached-object.ts";
import { type FeedEvent, keyOf } from "./feed-event.ts";
import type { KeyTree } from "./key-tree.ts";

/** The copy as it was from one revision on. */
export interface State {
  readonly revision: bigint;
  readonly objects: KeyTree<CachedObject>;
}

/** States that are kept: each costs a few kilobytes of shared nodes. */
const maxStates = 1_000;

/** Gives what a state became by the changes that came next. */
export function stateAfter(state: State, changes: readonly FeedEvent[]): State {
  let { revision, objects } = state;
  for (const { revision: next, gone, after } of changes) {
    const key = keyOf(gone.stored);
    objects = after === undefined ? objects.without(key) : objects.with(key, after);
    revision = next;
  }
  return { revision, objects };
}

/** Keeps the last states in order of revision. */
export class States {
  #states: State[] = [];
  #first = 0;

  /** Forgets all but one. */
  restart(state: State): void {
    this.#states = [state];
    this.#first = 0;
  }

  /**
   * Adds a state that is later than all before it.
   *
   * @param floor the revision from which the ring knows every event. An older state is forgotten: it alone
   *   would hold objects that were replaced since, and the ring is what bounds their bytes.
   */
  push(state: State, floor: bigint): void {
    this.#states.push(state);
    const isPast = () => this.#states.length - this.#first > maxStates || this.#revisionAt(this.#first + 1) <= floor;
    while (this.#first < this.#states.length - 1 && isPast()) this.#first++;
    // Half the array being dead pays for one copy, so a push stays constant on average.
    if (this.#first * 2 > this.#states.length) {
      this.#states = this.#states.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Gives the last state that is kept at or before a revision, which must not be in the future; undefined if it is no longer known. */
  at(revision: bigint): State | undefined {
    let low = this.#first;
    let high = this.#states.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#revisionAt(middle) <= revision) low = middle + 1;
      else high = middle;
    }
    return low > this.#first ? this.#states[low - 1] : undefined;
  }

  #revisionAt(index: number): bigint {
    return (this.#states[index] as State).revision;
  }
}
