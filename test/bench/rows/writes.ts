/**
 * Durable writes: what a create and an update cost all processes that serve. Both answer after an fsync: SQLite's with
 * `synchronous=FULL`, etcd's of its log.
 */
import { type Column, flundersIn, startColumns } from "../columns.ts";
import { type Cost, costOf } from "../costs.ts";
import { fill, flunder, update } from "../flunders.ts";
import { fsyncMs } from "../fsync.ts";
import { type AskedFor, type Load, startLoad, usualConnections } from "../load/load.ts";
import { type Beside, inRounds, medians } from "../rounds.ts";
import type { Figure, Row } from "../row.ts";

const rounds = 3;
const seconds = 1.5;
/**
 * Before each measurement until the connections are warm, and before the first: Node's compiler needs some
 * 7,000 creates to bring one down to what it costs from then on.
 */
const warmUpSeconds = { first: 10, each: 0.5 };
const namespace = "written";

/** One kind of write. */
interface Kind {
  readonly what: string;
  asked(from: number): Omit<AskedFor, "target" | "until">;
  readonly peerRatio?: number;
}

const kinds: readonly Kind[] = [
  { what: "create, 1 KB", asked: (from) => create(1_000, from), peerRatio: 4 },
  { what: "create, 10 KB", asked: (from) => create(10_000, from) },
  { what: "update, 1 KB", asked: () => update(namespace, 1_000), peerRatio: 4 },
  { what: "update, 10 KB", asked: () => update(namespace, 10_000) },
];

export const writes: Row = {
  name: "writes",
  about: `creates and updates over ${usualConnections} connections, HTTP/1.1, each durable before it is answered`,
  async run(skip) {
    const load = startLoad();
    const columns = await startColumns(skip);
    try {
      const { annex, peer } = columns;
      const compared: Beside<Column> = { annex, ...(peer === undefined ? {} : { peer }) };
      for (const column of Object.values(compared)) {
        await fill(load, column, { namespace, count: usualConnections, bytes: 1_000 });
      }
      for (const column of Object.values(compared)) {
        for (const asked of [create(1_000, 0), update(namespace, 1_000)]) {
          await load.request({ target: column.target, ...asked, until: { seconds: warmUpSeconds.first / 2 } });
        }
      }
      const fsync = await inRounds(1, compared, async ({ dataDir = "" }) => fsyncMs(dataDir));
      const figures: Figure[] = [
        { what: "fsync of the data folder, median", unit: "ms", ...medians(fsync, (ms) => ms) },
      ];
      // Each name is used once, whoever it is created by.
      let next = 1_000_000;
      for (const { what, asked, peerRatio } of kinds) {
        const costs = await inRounds(rounds, compared, async (column) => {
          next += 1_000_000;
          return await measured(load, column, asked(next));
        });
        figures.push(
          {
            ...{ what: `${what}: CPU`, unit: "µs", ...medians(costs, ({ cpuMicros }) => cpuMicros) },
            ...(peerRatio === undefined ? {} : { target: { peerRatio } }),
          },
          { what: `${what}: p99`, unit: "ms", ...medians(costs, ({ p99Ms }) => p99Ms) },
        );
      }
      return figures;
    } finally {
      await load.stop();
      await columns.stop();
    }
  },
};

function create(bytes: number, from: number): Omit<AskedFor, "target" | "until"> {
  const body = flunder({ name: "c-{number}", bytes });
  return { method: "POST", path: flundersIn(namespace), body, status: 201, from };
}

async function measured(load: Load, column: Column, asked: Omit<AskedFor, "target" | "until">): Promise<Cost> {
  const warm = { ...asked, from: (asked.from ?? 0) + 500_000 };
  await load.request({ target: column.target, ...warm, until: { seconds: warmUpSeconds.each } });
  return await costOf(load, column, { ...asked, until: { seconds } });
}
