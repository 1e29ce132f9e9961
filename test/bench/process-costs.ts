/** What processes have cost so far, read from the operating system. Linux: elsewhere there is no /proc. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";

/**
 * Gives the CPU-seconds, user and system, that processes have spent with all their threads: by the scheduler's count in
 * nanoseconds, since that of proc(5) is in hundredths of a second. What ended threads have spent is not in it: those of
 * servers live as long as they.
 * @throws Error if one of them is gone.
 */
export function cpuSeconds(pids: readonly number[]): number {
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) nanoseconds += threadNanoseconds(pid, thread);
  }
  return nanoseconds / 1e9;
}

function threadNanoseconds(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  } catch {
    // It ended while we looked.
    return 0;
  }
}

/** Gives the processes of process groups that live. */
export function pidsOfGroups(groups: readonly number[]): readonly number[] {
  return pidsWhere(5, groups);
}

/** Gives processes and their children that live. */
export function withChildren(pids: readonly number[]): readonly number[] {
  return [...pids, ...pidsWhere(4, pids)];
}

function pidsWhere(field: number, values: readonly number[]): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && values.includes(statOf(pid)(field));
      } catch {
        // Others end while we look.
        return false;
      }
    });
}

/** Reads a process's numbers, counted from 1 as proc(5) does: ppid is 4, pgrp 5. */
function statOf(pid: number): (field: number) => number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // After the name, which may hold spaces and parentheses, comes field 3.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (field) => Number(fields[field - 3]);
}

/**
 * Gives the resident size of processes in MiB. What those that run the same program have of its file counts once,
 * as in memory. @throws Error if one is gone.
 */
export function residentMiB(pids: readonly number[]): number {
  return sizeMiB(pids, "VmRSS");
}

/**
 * Gives the largest resident size that each process has had, summed, in MiB: since it began, or since
 * forgetPeak(). @throws Error if one is gone.
 */
export function peakMiB(pids: readonly number[]): number {
  return sizeMiB(pids, "VmHWM");
}

/** Begins anew with what processes use now. @throws Error if one is gone. */
export function forgetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function sizeMiB(pids: readonly number[], field: "VmRSS" | "VmHWM"): number {
  let kib = 0;
  const mapped = new Map<string, number[]>();
  for (const pid of pids) {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
    kib += read(field);
    const program = readlinkSync(`/proc/${pid}/exe`);
    mapped.set(program, [...(mapped.get(program) ?? []), read("RssFile")]);
  }
  for (const sizes of mapped.values()) {
    kib -= sizes.reduce((sum, size) => sum + size, 0) - Math.max(...sizes);
  }
  return kib / 1024;
}
