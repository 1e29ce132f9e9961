/** What an operation costs each column. */
import type { Column } from "./columns.ts";
import type { AskedFor, Load, Requested } from "./load/load.ts";
import { cpuSeconds } from "./process-costs.ts";

/** One run of a load against a column. */
export interface Cost extends Requested {
  /** Of all processes that serve. */
  readonly cpuMicros: number;
}

/** Runs a load, and reads what it cost for each operation. */
export async function costOf(load: Load, column: Column, asked: Omit<AskedFor, "target">): Promise<Cost> {
  const before = cpuSeconds(column.pids());
  const requested = await load.request({ target: column.target, ...asked });
  const spent = cpuSeconds(column.pids()) - before;
  return { ...requested, cpuMicros: (spent / requested.operations) * 1e6 };
}
