/**
 * A process that asks: requests over many connections, or watches that are read. It does what load.ts tells it over
 * its channel, and ends with it. What it costs counts for nobody.
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Answer } from "./answer-reader.ts";
import type { Order, Report, Requested, Requests, Watched, Watches } from "./load.ts";
import { connectWatch, type WatchReader } from "./watch-reader.ts";
import { openHttp1, openHttp2, type Wire } from "./wire.ts";

/** Kept from run to run: a handshake costs as much as ten requests. */
const wires = new Map<string, Connection[]>();
/** By port and path. */
const watches = new Map<string, WatchReader[]>();
let delaysMs: number[] = [];
/** Handshakes at a time. */
const handshakes = 32;

/** Who is told that there are too many comes again, as clients of Kubernetes do after what Retry-After says. */
const tooMany = 429;
const retryMs = 1_000;

/** What is known on a connection: of each path the object's resourceVersion. */
interface Connection {
  readonly index: number;
  readonly wire: Wire;
  readonly versions: Map<string, string>;
}

process.on("message", async (order: Order) => {
  const report = (result: Report["result"]) => process.send?.({ id: order.id, result } satisfies Report);
  try {
    report(await done(order));
  } catch (error) {
    report({ error: (error as Error).message });
  }
});
process.once("disconnect", () => process.exit(0));

async function done({ what }: Order): Promise<Requested | Watched> {
  switch (what.kind) {
    case "requests":
      return await request(what);
    case "watches":
      return await watch(what);
    case "seen":
      return watched(delaysMs.length, []);
    case "delays": {
      const taken = delaysMs;
      delaysMs = [];
      return watched(taken.length, taken);
    }
    case "end":
      for (const opened of watches.values()) for (const { close } of opened) close();
      watches.clear();
      for (const connections of wires.values()) for (const { wire } of connections) wire.close();
      wires.clear();
      return watched(0, []);
  }
}

async function request(work: Requests): Promise<Requested> {
  const connections = await connected(work);
  const { until, perSecond } = work;
  const began = performance.now();
  const tookMs: number[] = [];
  let bytes = 0;
  let start = "";
  let failed = 0;
  let started = 0;
  const isOver = () =>
    "operations" in until ? started >= until.operations : performance.now() - began >= until.seconds * 1000;
  await Promise.all(
    connections.map(async (connection) => {
      while (!isOver()) {
        const number = started++;
        if (perSecond !== undefined) {
          const waitMs = began + (number * 1000) / perSecond - performance.now();
          if (waitMs > 0) await pause(waitMs);
        }
        const since = performance.now();
        try {
          const answer = await operate(work, connection, number);
          bytes += answer.bytes;
          start = answer.start;
        } catch (error) {
          if (work.strict) throw error;
          failed++;
        }
        tookMs.push(performance.now() - since);
      }
    }),
  );
  return {
    operations: tookMs.length,
    failed,
    bytes,
    start,
    seconds: (performance.now() - began) / 1000,
    ...quantiles(tookMs),
  };
}

/** Gives connections, opened where there was none or the server has ended it. */
async function connected({ target, http2, connections }: Requests): Promise<readonly Connection[]> {
  const key = `${target.port} ${http2} ${connections}`;
  const kept = wires.get(key) ?? [];
  const missing = connections - kept.filter(({ wire }) => wire.isOpen()).length;
  const fresh = http2 && missing > 0 ? openHttp2(target, missing) : await opening(missing, () => openHttp1(target));
  const opened = Array.from({ length: connections }, (_, index) => {
    const versions = kept[index]?.versions ?? new Map<string, string>();
    const wire = kept[index]?.wire.isOpen() ? kept[index].wire : (fresh.pop() as Wire);
    return { index, wire, versions };
  });
  wires.set(key, opened);
  return opened;
}

/** One operation: a request, or with `pages` the requests that a list in chunks takes. Gives the last answer, with the bytes of all. */
async function operate(work: Requests, connection: Connection, number: number): Promise<Answer> {
  const { method, path: template, headers, body, status, pages } = work;
  const names: Record<string, string> = {
    number: String(work.from + number),
    connection: String(connection.index),
  };
  const path = filled(template, names);
  const ask = async (asked: { method: string; path: string; body?: string | undefined }): Promise<Answer> => {
    const whole = { headers, body: undefined, ...asked };
    let answer = await connection.wire.ask(whole);
    for (; answer.status === tooMany; answer = await connection.wire.ask(whole)) await pause(retryMs);
    const wanted = asked.method === method ? status : 200;
    if (answer.status !== wanted) throw new Error(`${asked.method} ${asked.path}: ${answer.status} ${answer.start}`);
    return answer;
  };
  if (body?.includes("{version}")) {
    names["version"] = connection.versions.get(path) ?? versionIn(await ask({ method: "GET", path }));
  }
  names["now"] = monotonicMicros();
  let answer = await ask({ method, path, body: body === undefined ? undefined : filled(body, names) });
  if ("version" in names) connection.versions.set(path, versionIn(answer));
  let { bytes } = answer;
  while (pages) {
    const token = continueIn(answer);
    if (token === undefined) break;
    answer = await ask({ method, path: `${path}&continue=${encodeURIComponent(token)}` });
    bytes += answer.bytes;
  }
  return { ...answer, bytes };
}

function filled(template: string, names: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{([a-z]+)\}/g, (whole, name: string) => names[name] ?? whole);
}

function versionIn({ start }: Answer): string {
  const version = /"resourceVersion":"(\d+)"/.exec(start)?.[1];
  if (version === undefined) throw new Error(`no resourceVersion in ${start}`);
  return version;
}

function continueIn({ start, end }: Answer): string | undefined {
  const token = /"continue":"([^"]+)"/;
  return (token.exec(start) ?? token.exec(end))?.[1];
}

async function watch({ target, path, watchers }: Watches): Promise<Watched> {
  const key = `${target.port} ${path}`;
  const open = (watches.get(key) ?? []).filter((one) => one.isOpen());
  const opened = await opening(watchers - open.length, () =>
    connectWatch(target, path, (micros) => void delaysMs.push((Number(monotonicMicros()) - micros) / 1000)),
  );
  watches.set(key, [...open, ...opened]);
  return watched(0, []);
}

function watched(events: number, delays: readonly number[]): Watched {
  const open = [...watches.values()].flat().filter((one) => one.isOpen()).length;
  return { events, open, ...quantiles(delays) };
}

async function opening<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  const opened: T[] = [];
  let started = 0;
  await Promise.all(
    Array.from({ length: Math.min(count, handshakes) }, async () => {
      while (started++ < count) opened.push(await open());
    }),
  );
  return opened;
}

/** The same clock in every process of this machine. */
function monotonicMicros(): string {
  return String(process.hrtime.bigint() / 1000n);
}

function quantiles(values: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
