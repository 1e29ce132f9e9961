/** How long a folder's disk takes to make a small write durable: what a durable write can't go below. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { median } from "./rounds.ts";

const writes = 100;
/** As a store's page. */
const page = Buffer.alloc(4096);

/** Gives the median in ms. */
export function fsyncMs(folder: string): number {
  const path = join(folder, "fsync.bench");
  const file = openSync(path, "w");
  try {
    const took: number[] = [];
    for (let write = 0; write < writes; write++) {
      const since = performance.now();
      writeSync(file, page);
      fdatasyncSync(file);
      took.push(performance.now() - since);
    }
    return median(took);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
