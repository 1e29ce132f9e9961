/**
 * Reads: what a get and a list cost all processes that serve, beside the raw server that sends the same bytes and
 * sample-apiserver with the same objects.
 *
 * The figures are CPU, read from the operating system, so that who asks counts for nothing and a busy machine for
 * little. Compressed answers have no limit: a raw server would have compressed once and for all.
 */
import type { AnnexColumn, Column, Columns, Limit } from "../columns.ts";
import { type Cost, costOf } from "../costs.ts";
import { fill, flundersIn } from "../flunders.ts";
import { type AskedFor, type Load, startLoad, usualConnections } from "../load/load.ts";
import { type Beside, beside, inRounds, medians } from "../rounds.ts";
import type { Figure, Row, Target } from "../row.ts";
import { warmUp, warmUpTimes } from "../warm-up.ts";

const rounds = 3;
const seconds = 0.6;
/** Before each measurement, until caches and connections are warm. The code is: every kind is asked for before the first counts. */
const warmUpSeconds = 0.15;

/** One kind of read. */
interface Kind {
  readonly what: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** How often before anything counts. Default: as what costs little. */
  readonly warmUp?: number;
  /** Default: as usual. A heavy answer in many connections would only fill memory. */
  readonly connections?: number;
  readonly pages?: boolean;
  readonly target?: Target;
}

const get = (namespace: string, version = "") => `${flundersIn(namespace)}/o-7${version}`;
const atZero = "?resourceVersion=0";
const gzip = { "Accept-Encoding": "gzip" };
const table = { Accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
const lists = flundersIn("small");
/** Chunks are lists, and so are those that are compressed, of which the most is zlib's. */
const list = { warmUp: warmUpTimes.large };
const compressed = { warmUp: warmUpTimes.large / 5 };
const chunks = { warmUp: warmUpTimes.large / 15 };
const many = `${flundersIn("many")}?limit=500`;

const kinds: readonly Kind[] = [
  { what: 'get "", 1 KB', path: get("small"), target: { limitRatio: 0.4, peerRatio: 6 } },
  { what: "get 0, 1 KB", path: get("small", atZero), target: { limitRatio: 0.5, peerRatio: 3 } },
  { what: 'get "", 10 KB', path: get("large") },
  { what: "get 0, 10 KB", path: get("large", atZero) },
  { what: "list of 1,000 × 1 KB", path: lists, ...list, target: { limitRatio: 0.7, peerRatio: 8 } },
  { what: "list of 1,000 × 1 KB, gzip", path: lists, headers: gzip, ...compressed },
  { what: "list of 100 × 10 KB", path: flundersIn("large"), ...list },
  { what: "list of 100 × 10 KB, gzip", path: flundersIn("large"), headers: gzip, ...compressed },
  {
    ...{ what: "list of 10,000 × 1 KB in chunks of 500", path: many, pages: true, connections: 16, ...chunks },
    target: { limitRatio: 0.6, peerRatio: 10 },
  },
  { what: "Table of 1,000", path: lists, headers: table, ...list, target: { peerRatio: 6 } },
];
/** Over one HTTP/2 connection, as an aggregator's. */
const kindsHttp2: readonly Kind[] = [
  { what: 'get "", 1 KB, HTTP/2', path: get("small") },
  { what: "get 0, 1 KB, HTTP/2", path: get("small", atZero) },
  { what: "list of 1,000 × 1 KB, HTTP/2", path: lists, ...list },
];

export const reads: Row = {
  name: "reads",
  about: `CPU of a read, ${usualConnections} in flight, each over a connection of HTTP/1.1 or all over one of HTTP/2`,
  async run(bench) {
    const load = startLoad();
    try {
      const columns = await bench.columns();
      const { annex, peer, crd } = columns;
      const filled = Object.values(beside({ annex, peer, crd }));
      for (const namespace of ["small", "many", "large"] as const) await fill(load, filled, namespace);
      const figures = await measured(load, columns, { kinds, http2: false });
      const other = await columns.startAnnex(true);
      await fill(load, [other], "small");
      const withHttp2 = { ...columns, annex: other };
      return [...figures, ...(await measured(load, withHttp2, { kinds: kindsHttp2, http2: true }))];
    } finally {
      await load.stop();
    }
  },
};

async function measured(
  load: Load,
  { annex, peer, crd, startLimit }: Columns,
  has: { readonly kinds: readonly Kind[]; readonly http2: boolean },
): Promise<readonly Figure[]> {
  const limit = await startLimit(has.http2);
  const comparedBy = (kind: Kind): Beside<Column> =>
    beside({
      ...{ annex, peer, limit: isCompressed(kind) ? undefined : limit },
      // Where there is a bar, and no more, for time's sake.
      crd: kind.target === undefined ? undefined : crd,
    });
  for (const kind of has.kinds) {
    if (!isCompressed(kind)) await teach(limit, annex, kind);
    const times = kind.warmUp ?? warmUpTimes.small;
    await warmUp(load, Object.values(comparedBy(kind)), { ...askedFor(kind, has.http2), times });
  }
  const figures: Figure[] = [];
  for (const kind of has.kinds) {
    const { what, target } = kind;
    if (!isCompressed(kind)) await teach(limit, annex, kind);
    const costs = await inRounds(rounds, comparedBy(kind), (column) => costIn(load, column, askedFor(kind, has.http2)));
    figures.push({
      what,
      unit: "µs",
      ...medians(costs, ({ cpuMicros }) => cpuMicros),
      ...(target === undefined ? {} : { target }),
    });
  }
  return figures;
}

function isCompressed({ headers }: Kind): boolean {
  return headers === gzip;
}

function askedFor(kind: Kind, http2: boolean): Omit<AskedFor, "target" | "until"> {
  const { path, headers = {}, connections = usualConnections, pages = false } = kind;
  return { path, headers, connections, pages, http2 };
}

async function costIn(load: Load, column: Column, asked: Omit<AskedFor, "target" | "until">): Promise<Cost> {
  await load.request({ target: column.target, ...asked, until: { seconds: warmUpSeconds } });
  return await costOf(load, column, { ...asked, until: { seconds } });
}

/** Tells a raw server what Annex answers, every page of it. */
async function teach(
  limit: Limit,
  { subject }: AnnexColumn,
  { path, headers = {}, pages = false }: Kind,
): Promise<void> {
  const client = subject.client();
  const answers: Record<string, string> = {};
  try {
    for (let next: string | undefined = path; next !== undefined; ) {
      const { status, body } = await client.ask({ path: next, headers });
      if (status !== 200) throw new Error(`${next}: ${status} ${body}`);
      answers[next] = body;
      const token = pages ? /"continue":"([^"]+)"/.exec(body.slice(-1024))?.[1] : undefined;
      next = token === undefined ? undefined : `${path}&continue=${encodeURIComponent(token)}`;
    }
  } finally {
    client.close();
  }
  await limit.teach(answers);
}
