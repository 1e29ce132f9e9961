/**
 * Two workers against one process: what a read and a delivered event cost all that serve, supervisor and store with
 * them.
 *
 * Each worker has a copy and a feed of its own, so a change costs the store and the copies twice; with a thousand
 * watchers that is little. Both are asked the same, at a rate that one process has half of its time for or less: a
 * process that has more to do than it can answers many requests in one turn, and each for less. Both are warm: two
 * processes are asked twice as much before it counts. They are measured in turn, in rounds of which the middle counts.
 */
import { type Column, startColumns } from "../columns.ts";
import { costOf } from "../costs.ts";
import { fill, flundersIn } from "../flunders.ts";
import { type Load, startLoad, usualConnections } from "../load/load.ts";
import { alternating, median } from "../rounds.ts";
import type { Figure, Row } from "../row.ts";
import { warmUp, warmUpTimes } from "../warm-up.ts";
import { delivered, type Watched, warmUpWriting, watching } from "./watch.ts";

const rounds = { reads: 11, watch: 3 };
const warmUpSeconds = 0.2;
const seconds = 0.8;
const writesPerSecond = 20;
const atMost = 1.1;

/** One process, and two workers. */
type Sides<T> = Readonly<Record<"one" | "two", T>>;

const { small: quick, large } = warmUpTimes;
const reads = [
  { what: 'get "", 1 KB', path: `${flundersIn("small")}/o-7`, perSecond: 1_000, times: quick },
  { what: "get 0, 1 KB", path: `${flundersIn("small")}/o-7?resourceVersion=0`, perSecond: 1_000, times: quick },
  { what: "list of 1,000 × 1 KB", path: flundersIn("small"), perSecond: 80, times: large },
] as const;

export const workers: Row = {
  name: "workers",
  about: `CPU with two workers over that of one process, the same traffic over ${usualConnections} connections`,
  async run() {
    const [reader, writer] = [startLoad(), startLoad()];
    const columns = await startColumns();
    try {
      const sides: Sides<Column> = {
        one: await columns.startAnnex(false, 1),
        two: await columns.startAnnex(false, 2),
      };
      const figures: Figure[] = [];
      await fill(writer, Object.values(sides), "small");
      for (const { path, times } of reads) await warmUp(writer, Object.values(sides), { path, times });
      for (const { what, path, perSecond } of reads) {
        const text = `${what}, ${perSecond} a second`;
        const measure = (side: Column) => readCost(writer, side, { path, perSecond });
        figures.push(...(await compared(text, sides, { rounds: rounds.reads, measure })));
      }
      await warmUpWriting(writer, Object.values(sides));
      const watched = {
        one: await watching({ reader, writer, column: sides.one }),
        two: await watching({ reader, writer, column: sides.two }),
      };
      const event = "a delivered event, 1,000 watchers, 20 writes/s";
      const measure = async (one: Watched) => (await delivered(reader, one, writesPerSecond)).cpuMicros;
      return [...figures, ...(await compared(event, watched, { rounds: rounds.watch, measure }))];
    } finally {
      await reader.stop();
      await writer.stop();
      await columns.stop();
    }
  },
};

async function readCost(load: Load, column: Column, asked: { path: string; perSecond: number }): Promise<number> {
  await load.request({ target: column.target, ...asked, until: { seconds: warmUpSeconds } });
  return (await costOf(load, column, { ...asked, until: { seconds } })).cpuMicros;
}

async function compared<T>(
  what: string,
  { one, two }: Sides<T>,
  { rounds, measure }: { readonly rounds: number; measure(side: T): Promise<number> },
): Promise<readonly Figure[]> {
  const cost = await alternating(rounds, median, { one: () => measure(one), two: () => measure(two) });
  return [
    { what: `${what}: one process`, unit: "µs", annex: cost.one },
    { what: `${what}: two workers`, unit: "µs", annex: cost.two },
    { what: `${what}: two ÷ one`, unit: "×", annex: cost.two / cost.one, target: { atMost } },
  ];
}
