/** What processes have cost so far, read from the operating system. Linux: elsewhere there is no /proc. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Clock ticks a second, in which /proc counts. */
let ticks: number | undefined;

/**
 * Gives the CPU-seconds, user and system, that processes have spent with all their threads.
 * @throws Error if one of them is gone.
 */
export function cpuSeconds(pids: readonly number[]): number {
  ticks ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  let spent = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name, which may hold spaces and parentheses: state is field 3, utime 14, stime 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    spent += Number(fields[14 - 3]) + Number(fields[15 - 3]);
  }
  return spent / ticks;
}

/** Gives the largest resident size that each process has had, summed, in MiB. @throws Error if one is gone. */
export function peakMiB(pids: readonly number[]): number {
  let kib = 0;
  for (const pid of pids) {
    kib += Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  }
  return kib / 1024;
}
