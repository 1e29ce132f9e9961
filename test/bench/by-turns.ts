/**
 * What an operation costs, in CPU of all that serves it: several loads take short turns, so that whoever else
 * keeps the machine busy counts as much for each, and their ratios hold.
 */
import { cpuSeconds } from "./process-costs.ts";

/** Operations on a server, of one kind. */
export interface Load {
  pids(): readonly number[];
  /** Does some, a hundredth of a CPU-second's worth or so. @returns how many. */
  run(): Promise<number>;
}

/** CPU-seconds for which each load runs before it counts, and of each turn. */
const warmUpSeconds = 0.6;
const turnSeconds = 0.2;
/** Odd, so that one is in the middle. */
const turns = 9;

/**
 * Gives the microseconds that an operation of each load costs: those of its turn in the middle, so that a collection of
 * the whole heap, or of somebody else's, counts as the one turn that it is.
 */
export async function costsByTurns(loads: readonly Load[]): Promise<readonly number[]> {
  for (const load of loads) await runFor(load, warmUpSeconds);
  const costs: number[][] = loads.map(() => []);
  for (let turn = 0; turn < turns; turn++) {
    for (const [index, load] of loads.entries()) {
      const { operations, seconds } = await runFor(load, turnSeconds);
      costs[index]?.push((seconds / operations) * 1e6);
    }
  }
  return costs.map((those) => those.toSorted((one, other) => one - other)[turns >> 1] as number);
}

/** So many operations have cost so many CPU-seconds. */
export interface Spent {
  readonly operations: number;
  readonly seconds: number;
}

/** Runs a load until it has cost at least so many CPU-seconds. */
export async function runFor(load: Load, atLeast: number): Promise<Spent> {
  const pids = load.pids();
  const before = cpuSeconds(pids);
  for (let operations = 0; ; ) {
    operations += await load.run();
    const seconds = cpuSeconds(pids) - before;
    if (seconds >= atLeast) return { operations, seconds };
  }
}
