/**
 * Watches: what one delivered event costs all processes that serve, and how long after the write was sent it arrives,
 * with a thousand watchers of one collection. The limit writes a ready event to as many raw connections, at once and
 * by itself, at the same rate.
 *
 * The CPU holds that of the writes: a thousandth of what they bring about.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { AnnexColumn, Column, Limit } from "../columns.ts";
import { collections, fill, flundersIn, update } from "../flunders.ts";
import { type Load, startLoad } from "../load/load.ts";
import { cpuSeconds } from "../process-costs.ts";
import { type Beside, beside, inRounds, medians } from "../rounds.ts";
import type { Figure, Row, Target } from "../row.ts";
import { warmUp } from "../warm-up.ts";

const watchers = 1_000;
const rounds = 3;
/** Updates by which the code of a write is compiled, before anybody watches. */
const warmUpWrites = 5_000;
const seconds = 3;
const namespace = "watched";
const { bytes } = collections[namespace];
/** After so long without an event none is expected any more. */
const silentMs = 4_000;
/** Before a measurement, what was written earlier has long arrived. */
const quietMs = 500;
const lookMs = 100;
/** Who delivers less is not measured by what it did deliver: an event's cost would be that of the ones left out. */
const minShare = 0.9;

/** One rate, and what must hold there: of the CPU, and of the delay's p99. */
interface Rate {
  readonly perSecond: number;
  readonly cpu: Target;
  readonly delay: Target;
}
const rates: readonly [Rate, ...Rate[]] = [
  { perSecond: 20, cpu: { limitRatio: 0.6, peerRatio: 2 }, delay: { peerRatio: 2 } },
  { perSecond: 100, cpu: { limitRatio: 1, peerRatio: 4 }, delay: { peerRatio: 1 } },
];

/** A column that is watched, and how events come about there. */
export interface Watched {
  readonly column: Column;
  /** Opens the watches, those anew that were ended because they were too slow. */
  open(): Promise<void>;
  /** Writes for some seconds; who can't keep up takes longer. */
  write(perSecond: number): Promise<{ readonly operations: number; readonly seconds: number }>;
}

/** What came of it. */
export interface Delivery {
  readonly cpuMicros: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  /** Of the events that every watcher of all was due. */
  readonly share: number;
  /** Of the watches those that the server hasn't ended: Kubernetes' cacher ends whoever isn't ready for the next event in time. */
  readonly openShare: number;
}

export const watch: Row = {
  name: "watch",
  about: `${watchers} watchers of objects of 1 KB, a connection of HTTP/1.1 each; the delay is from a write's sending`,
  async run(bench) {
    // Who reads is another process than who writes: neither waits for the other.
    const [reader, writer] = [startLoad(), startLoad()];
    try {
      const { annex, peer, startLimit } = await bench.columns({ fresh: true });
      const limit = await startLimit();
      await warmUpWriting(writer, Object.values(beside({ annex, peer })));
      const watched: Beside<Watched> = {
        annex: await watching({ reader, writer, column: annex }),
        limit: await watchingLimit(reader, limit, annex),
        ...(peer === undefined ? {} : { peer: await watching({ reader, writer, column: peer }) }),
      };
      for (const one of Object.values(watched)) await delivered(reader, one, rates[0].perSecond);
      const figures: Figure[] = [];
      for (const { perSecond, cpu, delay } of rates) {
        const all = await inRounds(rounds, watched, (one) => delivered(reader, one, perSecond));
        const { peer: seenPeer, ...others } = all;
        const isWhole = seenPeer?.every(({ share }) => share > minShare);
        if (isWhole === false) bench.skip(`sample-apiserver at ${perSecond} writes/s: it did not deliver all events`);
        const seen = { ...others, ...(seenPeer !== undefined && isWhole ? { peer: seenPeer } : {}) };
        const what = `${perSecond} writes/s`;
        const { annex, peer } = medians(seen, ({ p99Ms }) => p99Ms);
        figures.push(
          { what: `${what}: CPU of an event`, unit: "µs", ...medians(seen, ({ cpuMicros }) => cpuMicros), target: cpu },
          { what: `${what}: delay, p50`, unit: "ms", ...medians(seen, ({ p50Ms }) => p50Ms) },
          { what: `${what}: delay, p99`, unit: "ms", annex, ...(peer === undefined ? {} : { peer }), target: delay },
          {
            ...{ what: `${what}: events delivered`, unit: "/s" },
            ...medians(seen, (one) => one.perSecond),
          },
          { what: `${what}: share of all events`, unit: "%", ...medians(all, ({ share }) => 100 * share) },
          { what: `${what}: watches still open`, unit: "%", ...medians(all, (one) => 100 * one.openShare) },
        );
      }
      return figures;
    } finally {
      await reader.stop();
      await writer.stop();
    }
  },
};

/** Brings what a write costs, which an event's figure holds, to what it costs from then on. */
export async function warmUpWriting(writer: Load, columns: readonly Column[]): Promise<void> {
  await fill(writer, columns, "written");
  await warmUp(writer, columns, { ...update("written", bytes), times: warmUpWrites });
}

/** Opens the watches of a column, and fills it with what is written. */
export async function watching(has: { reader: Load; writer: Load; column: Column }): Promise<Watched> {
  const { reader, writer, column } = has;
  const { target } = column;
  // While there is nothing, a watch has nothing to begin with.
  const open = () => reader.watch({ target, path: `${flundersIn(namespace)}?watch=1`, watchers });
  await open();
  await fill(writer, [column], namespace);
  const asked = { target, ...update(namespace, bytes) };
  return {
    ...{ column, open },
    write: (perSecond) => writer.request({ ...asked, perSecond, until: { operations: perSecond * seconds } }),
  };
}

async function watchingLimit(reader: Load, limit: Limit, { subject }: AnnexColumn): Promise<Watched> {
  const open = () => reader.watch({ target: limit.target, path: "/", watchers });
  await open();
  const client = subject.client();
  const { body } = await client.ask({ path: `${flundersIn(namespace)}/o-0` });
  client.close();
  return {
    ...{ column: limit, open },
    async write(perSecond) {
      const began = performance.now();
      const operations = perSecond * seconds;
      for (let number = 0; number < operations; number++) {
        await pause(Math.max(0, began + (number * 1000) / perSecond - performance.now()));
        const object = body.trim().replace(/"@\d+@/, `"@${process.hrtime.bigint() / 1000n}@`);
        limit.tell(`{"type":"MODIFIED","object":${object}}\n`);
      }
      return { operations, seconds };
    },
  };
}

/** Writes to a column that is watched, and reads what an event cost and when it came. */
export async function delivered(reader: Load, { column, open, write }: Watched, perSecond: number): Promise<Delivery> {
  await open();
  await untilSilent(reader, { silentMs: quietMs });
  const { open: opened } = await reader.takeDelays();
  const before = cpuSeconds(column.pids());
  const written = await write(perSecond);
  await untilSilent(reader, { silentMs, wanted: written.operations * watchers });
  const spent = cpuSeconds(column.pids()) - before;
  const { events, open: left, p50Ms, p99Ms } = await reader.takeDelays();
  return {
    cpuMicros: (spent / events) * 1e6,
    p50Ms,
    p99Ms,
    perSecond: events / written.seconds,
    share: events / (written.operations * watchers),
    openShare: left / opened,
  };
}

/** Waits until so many events have come since they were taken, or none comes any more. */
async function untilSilent(reader: Load, has: { silentMs: number; wanted?: number }): Promise<void> {
  const { silentMs, wanted = Number.POSITIVE_INFINITY } = has;
  let [seen, since] = [-1, performance.now()];
  for (;;) {
    const events = await reader.seen();
    if (events >= wanted) return;
    if (events !== seen) [seen, since] = [events, performance.now()];
    if (performance.now() - since > silentMs) return;
    await pause(lookMs);
  }
}
