/**
 * Reads over 64 connections: what a get and a list cost the gateway and its store, against a raw server
 * that gives the same bytes.
 *
 * The figures are CPU, read from the operating system, so that who asks counts for nothing and a busy
 * machine for little.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../../support/checkout.ts";
import { type Client, createClient } from "../../support/client.ts";
import { cpuSeconds } from "../process-costs.ts";
import type { RawAnswers } from "../raw-server.ts";
import type { Figure, Row } from "../row.ts";
import { type Subject, startSubject } from "../subject.ts";

const connections = 64;
const objects = 1_000;
const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";

/** One kind of read. The ratio is the least of the limit's CPU over ours. */
interface Kind {
  readonly what: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly requests: number;
  readonly limitRatio?: number;
}

const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
const kinds: readonly Kind[] = [
  { what: 'get, resourceVersion=""', path: `${widgets}/w7`, requests: 20_000, limitRatio: 0.4 },
  { what: "get, resourceVersion=0", path: `${widgets}/w7?resourceVersion=0`, requests: 20_000, limitRatio: 0.5 },
  { what: "list of 1,000", path: widgets, requests: 400, limitRatio: 0.7 },
  { what: "list of 1,000, in chunks of 500, the first", path: `${widgets}?limit=500`, requests: 400, limitRatio: 0.6 },
  { what: "Table of 1,000", path: widgets, headers: table, requests: 60 },
];

export const reads: Row = {
  name: "reads",
  about: `reads of objects of 1 KB over ${connections} connections, HTTP/1.1`,
  async run() {
    const subject = await startSubject({ crds: join(root, "stores/sql/examples") });
    const client = subject.client({ connections });
    const figures: Figure[] = [];
    try {
      await fill(client);
      for (const { what, requests, limitRatio, ...asked } of kinds) {
        const { body } = await client.ask(asked);
        const annex = await costOf(client, asked, requests, subject.pids());
        const limit = await limitOf(subject, asked.path, body, requests);
        figures.push({
          what: `${what}: CPU`,
          unit: "µs",
          annex,
          limit,
          ...(limitRatio === undefined ? {} : { target: { limitRatio } }),
        });
      }
    } finally {
      client.close();
      await subject.stop();
    }
    return figures;
  },
};

/** Creates the objects, each of about 1 KB. */
async function fill(client: Client): Promise<void> {
  for (let tries = 0; (await client.ask({ path: widgets })).status !== 200; tries++) {
    if (tries > 500) throw new Error("the widgets are not served");
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
  let next = 0;
  await inParallel(async () => {
    while (next < objects) {
      const name = `w${next++}`;
      const spec = { color: "red", options: { text: "x".repeat(500) } };
      const body = JSON.stringify({ apiVersion: "example.annex.dev/v1", kind: "Widget", metadata: { name }, spec });
      const headers = { "content-type": "application/json" };
      const { status } = await client.ask({ method: "POST", path: widgets, headers, body });
      if (status !== 201) throw new Error(`a create: ${status}`);
    }
  });
}

/** Gives the CPU of processes for one request, in µs. */
async function costOf(
  client: Client,
  asked: { readonly path: string; readonly headers?: Readonly<Record<string, string>> },
  requests: number,
  pids: readonly number[],
): Promise<number> {
  const run = async (count: number) => {
    let left = count;
    await inParallel(async () => {
      while (left-- > 0) {
        const { status } = await client.ask(asked);
        if (status !== 200) throw new Error(`${asked.path}: ${status}`);
      }
    });
  };
  await run(Math.ceil(requests / 4));
  const before = cpuSeconds(pids);
  await run(requests);
  return ((cpuSeconds(pids) - before) / requests) * 1e6;
}

async function limitOf(subject: Subject, path: string, body: string, requests: number): Promise<number> {
  const { certFile, keyFile, credentials } = subject.serving;
  const server = fork(fileURLToPath(new URL("../raw-server.ts", import.meta.url)));
  try {
    const answers: RawAnswers = { certFile, keyFile, answers: { [path]: body } };
    server.send(answers);
    const [port] = await once(server, "message");
    const client = createClient({ url: `https://localhost:${port}`, credentials, connections });
    const cost = await costOf(client, { path }, requests, [server.pid as number]);
    client.close();
    return cost;
  } finally {
    server.kill();
    await once(server, "close");
  }
}

async function inParallel(work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: connections }, work));
}
