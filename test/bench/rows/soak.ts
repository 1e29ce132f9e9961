/**
 * Ten minutes of everything at half of one core: whether memory is flat, with a plot of it.
 *
 * Gets, lists of every kind (500 KB of Tables, 1 MB of objects), creates, updates, merge patches, applies,
 * deletes, watches that come and go, clients that don't read what they watch, and requests that are given up.
 * Half of one core is what gateway and store use together: how long each worker pauses follows from what the
 * operating system counts. Memory is flat if the line through the resident sizes of the second half doesn't
 * rise; the history is filled before, the first half fills what else is meant to: caches, V8's generations.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { root } from "../../support/checkout.ts";
import type { Asked, Client } from "../../support/client.ts";
import { plot } from "../plot.ts";
import { cpuSeconds, residentMiB } from "../process-costs.ts";
import type { Figure, Row } from "../row.ts";
import { startSubject } from "../subject.ts";

/** Shorter to try it out. */
const seconds = Number(process.env["BENCH_SOAK_SECONDS"] ?? 600);
/** Cores that gateway and store use together. */
const wantedCores = 0.5;
/** What a server says that has too much to do. */
const busy = [429, 503, 504];
const workers = 16;
const startPauseMs = 40;
const maxPauseMs = 2_000;
const sampleMs = 1_000;
/** Watches open at a time, each for some seconds. */
const watchers = 40;
const watchSeconds = 15;
/** Watches that nobody reads; each is cut off, and another one begins. */
const slowWatchers = 4;
const small = { namespace: "small", count: 300, bytes: 700 };
/** A list of it is 1 MB. */
const large = { namespace: "large", count: 64, bytes: 16_000 };
/** Writes of it that fill the gateway's history (64 MiB, both states of each) before the first second. */
const historyWrites = 2_500;
const historyWriters = 8;
/** What a process may grow in a minute of the second half, in MiB: in a day that would be less than 1.5 GiB; a leak of one small object a request shows as more. */
const maxGrowth = 1;

const collection = (namespace: string) => `/apis/example.annex.dev/v1/namespaces/${namespace}/widgets`;
const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };

/** What is seen each second. */
interface Sample {
  readonly at: number;
  readonly gatewayMiB: number;
  readonly heapMiB: number;
  /** What JavaScript objects hold outside of the heap: buffers. */
  readonly externalMiB: number;
  readonly storeMiB: number;
  readonly perSecond: number;
  readonly cores: number;
}

export const soak: Row = {
  name: "soak",
  about: `${seconds} s of everything at ${wantedCores * 100} % of one core`,
  isByNameOnly: true,
  async run({ outFolder }) {
    const subject = await startSubject({ crds: join(root, "stores/sql/examples") });
    const client = subject.client();
    const load = createLoad(client);
    try {
      await load.fill();
      const samples = await load.run(() => subject.pids());
      mkdirSync(outFolder, { recursive: true });
      writeFileSync(join(outFolder, "soak.png"), picture(samples));
      process.stdout.write(`  ${join(outFolder, "soak.png")}\n`);
      if (load.faults.size > 0) {
        const told = [...load.faults].map(([fault, count]) => `${count} × ${fault}`);
        throw new Error(`requests failed: ${told.join(", ")}`);
      }
      return [...figuresOf(samples), { what: "answers 429, 503 and 504", unit: "", annex: load.refused() }];
    } finally {
      client.close();
      await subject.stop();
    }
  },
};

function figuresOf(samples: readonly Sample[]): readonly Figure[] {
  const late = samples.slice(samples.length >> 1);
  const mean = (of: (sample: Sample) => number) => late.reduce((sum, sample) => sum + of(sample), 0) / late.length;
  const target = { atMost: maxGrowth };
  return [
    { what: "requests", unit: "1/s", annex: mean(({ perSecond }) => perSecond) },
    { what: "CPU of gateway and store", unit: "% of one core", annex: 100 * mean(({ cores }) => cores) },
    { what: "gateway, resident", unit: "MiB", annex: mean(({ gatewayMiB }) => gatewayMiB) },
    { what: "gateway, resident, growth", unit: "MiB/min", annex: growth(late, "gatewayMiB"), target },
    { what: "gateway, JavaScript heap, growth", unit: "MiB/min", annex: growth(late, "heapMiB") },
    { what: "store, resident", unit: "MiB", annex: mean(({ storeMiB }) => storeMiB) },
    { what: "store, resident, growth", unit: "MiB/min", annex: growth(late, "storeMiB"), target },
  ];
}

/** Slope of the line of least squares, a minute. */
function growth(samples: readonly Sample[], of: "gatewayMiB" | "heapMiB" | "storeMiB"): number {
  const middle = samples.reduce((sum, { at }) => sum + at, 0) / samples.length;
  const level = samples.reduce((sum, sample) => sum + sample[of], 0) / samples.length;
  let [above, below] = [0, 0];
  for (const sample of samples) {
    above += (sample.at - middle) * (sample[of] - level);
    below += (sample.at - middle) ** 2;
  }
  return (60 * above) / below;
}

function picture(samples: readonly Sample[]): Buffer {
  const line = (name: string, of: (sample: Sample) => number) => ({
    name,
    points: samples.map((sample) => [sample.at, of(sample)] as const),
  });
  return plot(`soak, ${seconds} s`, [
    {
      title: "MiB",
      lines: [
        line("gateway, resident", ({ gatewayMiB }) => gatewayMiB),
        line("gateway, heap", ({ heapMiB }) => heapMiB),
        line("gateway, buffers", ({ externalMiB }) => externalMiB),
        line("store, resident", ({ storeMiB }) => storeMiB),
      ],
    },
    { title: "requests/s", lines: [line("all", ({ perSecond }) => perSecond)] },
    { title: "% of one core", lines: [line("gateway and store", ({ cores }) => cores * 100)] },
  ]);
}

/** The load, and what it saw. */
interface SoakLoad {
  /** Answers and failures that must not be, with how many there were. */
  readonly faults: ReadonlyMap<string, number>;
  /** Answers that say that there is too much to do. */
  refused(): number;
  fill(): Promise<void>;
  run(pids: () => readonly number[]): Promise<readonly Sample[]>;
}

function createLoad(client: Client): SoakLoad {
  const faults = new Map<string, number>();
  let isOver = false;
  let pauseMs = startPauseMs;
  let requests = 0;
  let refused = 0;
  let written = 0;

  function fault(text: string): void {
    faults.set(text, (faults.get(text) ?? 0) + 1);
  }

  /** Asks, and takes what is written here as right; what a busy machine refuses is only counted. */
  async function ask(asked: Asked, ...right: readonly number[]): Promise<string> {
    const { status, body } = await client.ask(asked);
    requests++;
    if (busy.includes(status)) refused++;
    else if (!right.includes(status)) fault(`${asked.method ?? "GET"} ${status} ${body.slice(0, 200)}`);
    return body;
  }

  const body = (name: string, bytes: number) =>
    JSON.stringify({
      ...{ apiVersion: "example.annex.dev/v1", kind: "Widget", metadata: { name } },
      spec: { color: "red", replicas: written++ % 100, options: { text: "x".repeat(bytes) } },
    });
  const sent = (type: string) => ({ "content-type": type });
  const nameIn = (count: number) => `w${Math.floor(Math.random() * count)}`;
  const smalls = collection(small.namespace);
  const larges = collection(large.namespace);
  const apply = (path: string, name: string, bytes: number) =>
    ask(
      {
        ...{ method: "PATCH", path: `${path}/${name}?fieldManager=soak&force=true`, body: body(name, bytes) },
        headers: sent("application/apply-patch+yaml"),
      },
      ...[200, 201],
    );

  /** Every kind of request, as often as it stands here. */
  const kinds: readonly (readonly [times: number, () => Promise<unknown>])[] = [
    [20, () => ask({ path: `${smalls}/${nameIn(small.count)}` }, 200, 404)],
    [10, () => ask({ path: `${smalls}/${nameIn(small.count)}?resourceVersion=0` }, 200, 404)],
    [5, () => ask({ path: `${smalls}?limit=50` }, 200)],
    [2, () => pages()],
    [3, () => ask({ path: smalls, headers: table }, 200)],
    [2, () => ask({ path: larges }, 200)],
    [1, () => ask({ path: larges, headers: { "accept-encoding": "gzip" } }, 200)],
    [6, () => create()],
    [6, () => replace()],
    [6, () => ask({ ...merge, path: `${smalls}/${nameIn(small.count)}` }, 200, 404)],
    [6, () => apply(smalls, nameIn(small.count), small.bytes)],
    [8, () => apply(larges, nameIn(large.count), large.bytes)],
    [5, () => ask({ method: "DELETE", path: `${smalls}/${nameIn(small.count)}` }, 200, 404)],
    [3, () => giveUp()],
  ];
  const merge = {
    method: "PATCH",
    headers: sent("application/merge-patch+json"),
    body: '{"metadata":{"labels":{"side":"in"}}}',
  };
  const urn = kinds.flatMap(([times, kind]) => Array.from({ length: times }, () => kind));

  async function create(): Promise<void> {
    const name = nameIn(small.count);
    await ask(
      { method: "POST", path: smalls, headers: sent("application/json"), body: body(name, small.bytes) },
      201,
      409,
    );
  }

  async function replace(): Promise<void> {
    const path = `${smalls}/${nameIn(small.count)}`;
    const { metadata, ...rest } = JSON.parse(await ask({ path }, 200, 404));
    if (rest.kind !== "Widget") return;
    const next = JSON.stringify({ ...rest, metadata, spec: { ...rest.spec, replicas: written++ % 100 } });
    await ask({ method: "PUT", path, headers: sent("application/json"), body: next }, 200, 404, 409);
  }

  async function pages(): Promise<void> {
    let token = "";
    do {
      const text = await ask({ path: `${smalls}?limit=100${token && `&continue=${token}`}` }, 200);
      token = JSON.parse(text).metadata?.continue ?? "";
    } while (token !== "");
  }

  /** A list whose reader goes away in the middle of it. */
  async function giveUp(): Promise<void> {
    const { body: stream, cancel } = await client.open({ path: larges });
    requests++;
    stream.once("data", cancel);
    await new Promise<void>((resolve) => stream.once("close", resolve).on("error", () => {}));
  }

  async function work(): Promise<void> {
    while (!isOver) {
      const kind = urn[Math.floor(Math.random() * urn.length)];
      await kind?.().catch((error: Error) => fault(error.message));
      await pause(pauseMs * 2 * Math.random());
    }
  }

  const watches: readonly Asked[] = [
    { path: `${smalls}?watch=1&resourceVersion=0` },
    { path: `${smalls}?watch=1&labelSelector=side%3Din&allowWatchBookmarks=true` },
    { path: `${smalls}?watch=1`, headers: table },
    { path: `${larges}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true` },
    { path: `${larges}?watch=1&fieldSelector=spec.color%3Dblue` },
  ];

  async function follow(index: number): Promise<void> {
    for (let turn = index; !isOver; turn++) {
      const asked = watches[turn % watches.length] as Asked;
      const ms = 1_000 + Math.random() * watchSeconds * 1_000;
      const { status, body: stream, cancel } = await client.open({ ...asked, path: `${asked.path}&timeoutSeconds=60` });
      requests++;
      if (busy.includes(status)) refused++;
      else if (status !== 200) fault(`watch ${status}`);
      stream.on("error", () => {}).resume();
      await Promise.race([pause(ms), new Promise<void>((resolve) => stream.once("close", resolve))]);
      cancel();
    }
  }

  /** Reads nothing, and so finds out late that it was cut off. */
  async function dawdle(): Promise<void> {
    while (!isOver) {
      const { body: stream, cancel } = await client.open({ path: `${larges}?watch=1&resourceVersion=0` });
      requests++;
      stream.on("error", () => {});
      for (let waited = 0; waited < 60 && !isOver; waited++) await pause(1_000);
      cancel();
    }
  }

  async function sample(pids: () => readonly number[]): Promise<readonly Sample[]> {
    const samples: Sample[] = [];
    const began = performance.now();
    let [cpu, count, last] = [cpuSeconds(pids()), requests, began];
    while (performance.now() - began < seconds * 1_000) {
      await pause(sampleMs);
      const now = performance.now();
      const elapsed = (now - last) / 1_000;
      const [gateway = 0, store = 0] = pids();
      const cores = (cpuSeconds(pids()) - cpu) / elapsed;
      const { body: metrics } = await client.ask({ path: "/metrics" });
      samples.push({
        at: (now - began) / 1_000,
        gatewayMiB: residentMiB([gateway]),
        heapMiB: told(metrics, "nodejs_heap_size_used_bytes"),
        externalMiB: told(metrics, "nodejs_external_memory_bytes"),
        storeMiB: residentMiB([store]),
        perSecond: (requests - count) / elapsed,
        cores,
      });
      [cpu, count, last] = [cpuSeconds(pids()), requests, now];
      // A quarter of the way each time: one second alone says little.
      const wanted = Math.max(1, pauseMs) * (cores / wantedCores);
      pauseMs = Math.min(maxPauseMs, Math.max(1, pauseMs + (wanted - pauseMs) / 4));
    }
    return samples;
  }

  return {
    faults,
    refused: () => refused,
    async fill() {
      for (let tries = 0; (await client.ask({ path: smalls })).status !== 200; tries++) {
        if (tries > 1_000) throw new Error("the widgets are not served");
        await pause(20);
      }
      for (const { namespace, count, bytes } of [small, large]) {
        for (let index = 0; index < count; index++) await apply(collection(namespace), `w${index}`, bytes);
      }
      // A copy, and with it a history, begins with the first read.
      await ask({ path: `${larges}?resourceVersion=0` }, 200);
      // What an event shows is made when somebody sees it, and kept with it.
      const { body: seen, cancel } = await client.open({ path: `${larges}?watch=1` });
      seen.on("error", () => {}).resume();
      let left = historyWrites;
      const write = async () => {
        while (left-- > 0) await apply(larges, `w${left % large.count}`, large.bytes);
      };
      await Promise.all(Array.from({ length: historyWriters }, write));
      cancel();
    },
    async run(pids) {
      const running = [
        ...Array.from({ length: workers }, work),
        ...Array.from({ length: watchers }, (_, index) => follow(index)),
        ...Array.from({ length: slowWatchers }, dawdle),
      ];
      const samples = await sample(pids);
      isOver = true;
      await Promise.all(running);
      return samples;
    },
  };
}

/** Reads a figure of bytes, in MiB. */
function told(metrics: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1] ?? 0) / 2 ** 20;
}
