/**
 * Durable writes: what a create and an update cost all processes that serve. Both answer after an fsync: SQLite's with
 * `synchronous=FULL`, etcd's of its log.
 */
import type { Column } from "../columns.ts";
import { type Cost, costOf } from "../costs.ts";
import { fill, flunder, flundersIn, update } from "../flunders.ts";
import { fsyncMs } from "../fsync.ts";
import { type AskedFor, type Load, startLoad, usualConnections } from "../load/load.ts";
import { beside, inRounds, medians } from "../rounds.ts";
import type { Figure, Row } from "../row.ts";
import { warmUp } from "../warm-up.ts";

const rounds = 3;
const seconds = 0.8;
/** Before each measurement, until caches and connections are warm. */
const warmUpSeconds = 0.2;
/** Of each kind, of which there are four: Node's compiler needs some 7,000 creates to bring one down to what it costs from then on. */
const warmUpTimes = 3_500;
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
  async run(bench) {
    const load = startLoad();
    try {
      const { annex, peer, crd } = await bench.columns({ fresh: true });
      const compared = beside({ annex, peer, crd });
      const columns = Object.values(compared);
      await fill(load, columns, namespace);
      for (const bytes of [1_000, 10_000]) {
        for (const asked of [create(bytes, 10 * bytes), update(namespace, bytes)]) {
          await warmUp(load, columns, { ...asked, times: warmUpTimes });
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
    }
  },
};

function create(bytes: number, from: number): Omit<AskedFor, "target" | "until"> {
  const body = flunder({ name: "c-{number}", bytes });
  return { method: "POST", path: flundersIn(namespace), body, status: 201, from };
}

async function measured(load: Load, column: Column, asked: Omit<AskedFor, "target" | "until">): Promise<Cost> {
  const warm = { ...asked, from: (asked.from ?? 0) + 500_000 };
  await load.request({ target: column.target, ...warm, until: { seconds: warmUpSeconds } });
  return await costOf(load, column, { ...asked, until: { seconds } });
}
