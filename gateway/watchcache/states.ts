/**
 * The recent states of a resource's copy, for reads of a revision that is past.
 *
 * Between two changes every revision has the state of the first. So the state of revision N is the
 * last one that began at or before it.
 */
import type { CachedObject } from "./cached-object.ts";
import type { KeyTree } from "./key-tree.ts";

/** The copy as it was from one revision on. */
export interface State {
  readonly revision: bigint;
  readonly objects: KeyTree<CachedObject>;
}

/** States that are kept: each costs a few kilobytes of shared nodes, and the objects that were replaced since. */
const maxStates = 1_000;

/** Keeps the last states in order of revision. */
export class States {
  #states: State[] = [];

  /** Forgets all but one. */
  restart(state: State): void {
    this.#states = [state];
  }

  /** Adds a state that is later than all before it. */
  push(state: State): void {
    this.#states.push(state);
    // Half being too many pays for one copy, so a push stays constant on average.
    if (this.#states.length >= 2 * maxStates) this.#states = this.#states.slice(-maxStates);
  }

  /** Gives the state of a revision, which must not be in the future; undefined if it is no longer known. */
  at(revision: bigint): State | undefined {
    let low = 0;
    let high = this.#states.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#states[middle] as State).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#states[low - 1];
  }
}
