/**
 * Reads: what a get and a list cost all processes that serve, beside the raw server that sends the same bytes and
 * sample-apiserver with the same objects.
 *
 * The figures are CPU, read from the operating system, so that who asks counts for nothing and a busy machine for
 * little. Compressed answers have no limit: a raw server would have compressed once and for all.
 */
import { type AnnexColumn, type Column, type Columns, flundersIn, type Limit, startColumns } from "../columns.ts";
import { type Cost, costOf } from "../costs.ts";
import { fill } from "../flunders.ts";
import { type Load, startLoad, usualConnections } from "../load/load.ts";
import { type Beside, inRounds, medians } from "../rounds.ts";
import type { Figure, Row, Target } from "../row.ts";

const rounds = 3;
/** Until the code is compiled, and before each measurement until the connections are warm. */
const warmUpSeconds = { first: 10, each: 0.5 };

/** One kind of read. */
interface Kind {
  readonly what: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly seconds?: number;
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
const many = `${flundersIn("many")}?limit=500`;

const kinds: readonly Kind[] = [
  { what: 'get "", 1 KB', path: get("small"), target: { limitRatio: 0.4, peerRatio: 6 } },
  { what: "get 0, 1 KB", path: get("small", atZero), target: { limitRatio: 0.5, peerRatio: 3 } },
  { what: 'get "", 10 KB', path: get("large") },
  { what: "get 0, 10 KB", path: get("large", atZero) },
  { what: "list of 1,000 × 1 KB", path: lists, target: { limitRatio: 0.7, peerRatio: 8 } },
  { what: "list of 1,000 × 1 KB, gzip", path: lists, headers: gzip },
  { what: "list of 100 × 10 KB", path: flundersIn("large") },
  { what: "list of 100 × 10 KB, gzip", path: flundersIn("large"), headers: gzip },
  {
    ...{ what: "list of 10,000 × 1 KB in chunks of 500", path: many, pages: true, connections: 16 },
    target: { limitRatio: 0.6, peerRatio: 10 },
  },
  { what: "Table of 1,000", path: lists, headers: table, target: { peerRatio: 6 } },
];
/** Over one HTTP/2 connection, as an aggregator's. */
const kindsHttp2: readonly Kind[] = [
  { what: 'get "", 1 KB, HTTP/2', path: get("small") },
  { what: "get 0, 1 KB, HTTP/2", path: get("small", atZero) },
  { what: "list of 1,000 × 1 KB, HTTP/2", path: lists },
];

export const reads: Row = {
  name: "reads",
  about: `CPU of a read, ${usualConnections} in flight, each over a connection of HTTP/1.1 or all over one of HTTP/2`,
  async run(skip) {
    const load = startLoad();
    const columns = await startColumns(skip);
    try {
      for (const column of [columns.annex, ...(columns.peer === undefined ? [] : [columns.peer])]) {
        await fill(load, column, { namespace: "small", count: 1_000, bytes: 1_000 });
        await fill(load, column, { namespace: "many", count: 10_000, bytes: 1_000 });
        await fill(load, column, { namespace: "large", count: 100, bytes: 10_000 });
      }
      const figures = await measured(load, columns, { kinds, http2: false });
      const annex = await columns.startAnnex(true);
      await fill(load, annex, { namespace: "small", count: 1_000, bytes: 1_000 });
      return [...figures, ...(await measured(load, { ...columns, annex }, { kinds: kindsHttp2, http2: true }))];
    } finally {
      await load.stop();
      await columns.stop();
    }
  },
};

async function measured(
  load: Load,
  { annex, peer, startLimit }: Pick<Columns, "annex" | "peer" | "startLimit">,
  has: { readonly kinds: readonly Kind[]; readonly http2: boolean },
): Promise<readonly Figure[]> {
  const limit = await startLimit(has.http2);
  const figures: Figure[] = [];
  for (const { target } of [annex, ...(peer === undefined ? [] : [peer])]) {
    await load.request({ target, path: get("small"), http2: has.http2, until: { seconds: warmUpSeconds.first } });
  }
  for (const kind of has.kinds) {
    const { what, target } = kind;
    const isCompressed = kind.headers === gzip;
    if (!isCompressed) await teach(limit, annex, kind);
    const compared: Beside<Column> = {
      annex,
      ...(isCompressed ? {} : { limit }),
      ...(peer === undefined ? {} : { peer }),
    };
    const costs = await inRounds(rounds, compared, (column) => costIn(load, column, kind, has.http2));
    figures.push({
      what,
      unit: "µs",
      ...medians(costs, ({ cpuMicros }) => cpuMicros),
      ...(target === undefined ? {} : { target }),
    });
  }
  return figures;
}

async function costIn(load: Load, column: Column, kind: Kind, http2: boolean): Promise<Cost> {
  const { path, headers = {}, seconds = 1, connections = usualConnections, pages = false } = kind;
  const asked = { path, headers, connections, pages, http2 };
  await load.request({ target: column.target, ...asked, until: { seconds: warmUpSeconds.each } });
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
  limit.tell({ answers });
}
