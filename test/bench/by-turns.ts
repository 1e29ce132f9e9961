/**
 * What an operation costs, in CPU of all that serves it: several loads take short turns, so that whoever else
 * keeps the machine busy counts as much for each, and their ratios hold.
 */
import { setTimeout as pause } from "node:timers/promises";
import { cpuSeconds } from "./process-costs.ts";

/** Operations on a server, of one kind. */
export interface Load {
  pids(): readonly number[];
  /** Does some, a hundredth of a CPU-second's worth or so. @returns how many. */
  run(): Promise<number>;
}

/** CPU-seconds for which each load runs before it counts, and for which it counts; they are read in hundredths. */
const warmUpSeconds = 0.6;
const countedSeconds = 1;
const turns = 5;
const restMs = 2000;

/** Gives the microseconds that an operation of each load costs, without what its server spends at rest. */
export async function costsByTurns(loads: readonly Load[]): Promise<readonly number[]> {
  for (const load of loads) await runFor(load, warmUpSeconds);
  const rest = await sharesAtRest(loads);
  const totals = loads.map(() => ({ operations: 0, seconds: 0 }));
  for (let turn = 0; turn < turns; turn++) {
    for (const [index, load] of loads.entries()) {
      const began = performance.now();
      const { operations, seconds } = await runFor(load, countedSeconds / turns);
      const total = totals[index] as Spent;
      total.operations += operations;
      total.seconds += seconds - ((performance.now() - began) / 1000) * (rest[index] as number);
    }
  }
  return totals.map(({ operations, seconds }) => (seconds / operations) * 1e6);
}

/** Gives the share of a core that each load's server needs while nobody asks. */
async function sharesAtRest(loads: readonly Load[]): Promise<number[]> {
  const read = () => loads.map((load) => cpuSeconds(load.pids()));
  const [before, began] = [read(), performance.now()];
  await pause(restMs);
  const elapsed = (performance.now() - began) / 1000;
  return read().map((after, index) => (after - (before[index] as number)) / elapsed);
}

/** So many operations have cost so many CPU-seconds. */
export interface Spent {
  operations: number;
  seconds: number;
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
