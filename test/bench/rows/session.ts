/**
 * What a call to a store costs: as a frame of a session, and as an RPC of its own by gRPC and Connect.
 * And what others feel of it: a small call beside large ones, and beside some that hang.
 *
 * The CPU of both processes is read from the operating system, so that others on the machine disturb
 * it less than time; each transport has a caller of its own, and rounds alternate between what is
 * compared. A cost is the median of its rounds. A p99 is the best of many short ones: what others on the
 * machine add is milliseconds, more than all that is measured.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alternating, median } from "../rounds.ts";
import type { Figure, Row } from "../row.ts";
import type { Work } from "../session/caller.ts";
import { issueTls, type Pair, startPair, type Way } from "../session/pair.ts";

const rounds = { cost: 5, wait: 40 };
const inFlight = 16;
/** Calls of one round: half a second or more of CPU. */
const calls = { session: 15_000, grpc: 800, connect: 800 };
/** Calls of a round in which time is measured: some 15 ms alone, and three large calls long. */
const timedCalls = 640;
/** Calls before the first round, until the code is compiled. */
const warmUp = { session: 20_000, grpc: 1_500, connect: 1_500 };

export const session: Row = {
  name: "session",
  about: `one unary call of 1 KB by session, gRPC and Connect, ${inFlight} in flight; what large and hanging calls do to it`,
  async run() {
    const folder = mkdtempSync(join(tmpdir(), "annex-bench-"));
    const pairs: Pair[] = [];
    const start = async (by: Way, tls: boolean): Promise<Pair> => {
      const pair = await startPair(by, join(folder, `${pairs.length}.sock`), tls ? await issueTls(folder) : undefined);
      pairs.push(pair);
      await pair.run({ calls: warmUp[by], inFlight, beside: "nothing" });
      return pair;
    };
    try {
      const bySession = await start("session", false);
      const byGrpc = await start("grpc", false);
      const byConnect = await start("connect", false);
      const overTls = await start("session", true);
      const cost = (pair: Pair, by: Way) => () => pair.cpuOf({ calls: calls[by], inFlight, beside: "nothing" });
      const costs = await alternating(rounds.cost, median, {
        session: cost(bySession, "session"),
        grpc: cost(byGrpc, "grpc"),
        connect: cost(byConnect, "connect"),
        tls: cost(overTls, "session"),
      });
      return [...costFigures(costs), ...(await waits(bySession))];
    } finally {
      for (const pair of pairs) await pair.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function costFigures({ session: cost, grpc, connect, tls }: Record<Way | "tls", number>): readonly Figure[] {
  const what = "CPU of both sides for a call";
  const unit = "µs";
  return [
    { what: `${what}, peer gRPC`, unit, annex: cost, peer: grpc, target: { atMost: 40, peerRatio: 15 } },
    { what: `${what}, peer Connect`, unit, annex: cost, peer: connect, target: { peerRatio: 9 } },
    { what: `${what}, mutual TLS`, unit, annex: tls, target: { atMost: 60 } },
  ];
}

/** What a small call waits, alone and in company. */
async function waits(pair: Pair): Promise<readonly Figure[]> {
  const p99 = (beside: Work["beside"]) => async () => (await pair.run({ calls: timedCalls, inFlight, beside })).p99Ms;
  const { alone, large, hanging } = await alternating(rounds.wait, (values) => Math.min(...values), {
    alone: p99("nothing"),
    large: p99("1 MB calls"),
    hanging: p99("hanging calls"),
  });
  const times = (p99Ms: number) => ({ unit: "×", annex: p99Ms / alone, target: { atMost: 2 } });
  return [
    { what: "p99 of a call alone", unit: "ms", annex: alone },
    { what: "p99 beside a stream of 1 MB calls, by that alone", ...times(large) },
    { what: "p99 beside calls that hang, by that alone", ...times(hanging) },
  ];
}
