/**
 * Memory of all processes that serve: with objects and idle watchers, and at most while many clients list everything
 * at once. The limit is a raw server that knows nothing: what as many idle connections of TLS take in Node.
 *
 * Resident sizes as the operating system has them, but for what processes of one program share of its file, which
 * counts once.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Column } from "../columns.ts";
import { collections, fill, flundersIn } from "../flunders.ts";
import { type Load, startLoad, usualConnections } from "../load/load.ts";
import { forgetPeak, peakMiB, residentMiB } from "../process-costs.ts";
import { type Beside, inRounds, medians } from "../rounds.ts";
import type { Figure, Row } from "../row.ts";

const watchers = 1_000;
const namespace = "many";
const objects = collections[namespace].count;
/** Until what a fill left behind is gone, as far as it goes. */
const settleMs = 5_000;
/** Each client lists so often: the first answers alone show no more than the start of it. */
const listsEach = 2;

export const memory: Row = {
  name: "memory",
  about: `${objects} objects of 1 KB, ${watchers} idle watchers; then ${usualConnections} clients list all of them`,
  async run(bench) {
    const load = startLoad();
    try {
      const { annex, peer, startLimit } = await bench.columns({ fresh: true });
      const compared: Beside<Column> = { annex, ...(peer === undefined ? {} : { peer }) };
      const limit = await startLimit();
      const idle = await inRounds(1, { ...compared, limit }, (column) =>
        column === limit ? watched(load, column, "/") : filled(load, column),
      );
      const peak = await inRounds(1, compared, (column) => listed(load, column));
      const figure = (what: string, seen: Beside<readonly number[]>, peerRatio: number): Figure => ({
        ...{ what, unit: "MiB", target: { peerRatio } },
        ...medians(seen, (mib) => mib),
      });
      return [
        figure(`${objects} objects and ${watchers} idle watchers`, idle, 1 / 0.6),
        figure(`peak while ${usualConnections} clients list all`, peak, 1 / 0.4),
      ];
    } finally {
      await load.stop();
    }
  },
};

async function filled(load: Load, column: Column): Promise<number> {
  const { target } = column;
  await fill(load, [column], namespace);
  const path = flundersIn(namespace);
  // A list without items has one revision, wherever its kind puts that.
  const none = { target, path: `${path}?labelSelector=none`, connections: 1 };
  const { start } = await load.request({ ...none, until: { operations: 1 } });
  const head = /"resourceVersion":"(\d+)"/.exec(start)?.[1];
  return await watched(load, column, `${path}?watch=1&resourceVersion=${head}`);
}

async function watched(load: Load, column: Column, path: string): Promise<number> {
  await load.watch({ target: column.target, path, watchers });
  await pause(settleMs);
  return residentMiB(column.pids());
}

async function listed(load: Load, column: Column): Promise<number> {
  forgetPeak(column.pids());
  const until = { operations: usualConnections * listsEach };
  await load.request({ target: column.target, path: flundersIn(namespace), until });
  return peakMiB(column.pids());
}
