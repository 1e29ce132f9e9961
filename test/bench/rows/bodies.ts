/**
 * Bodies as large as they may be, several at a time: the gateway's event loop while it reads, checks,
 * stores and refuses them, and what a small read beside them waits.
 */
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import type { Asked, Client } from "../../support/client.ts";
import { loopFigures, readBeside } from "../beside.ts";
import { cpuSeconds, peakMiB } from "../process-costs.ts";
import type { Figure, Row } from "../row.ts";
import { startSubject } from "../subject.ts";

/** Just below the limit of 3 MiB. */
const bodyBytes = 3 * 1024 * 1024 - 4096;
/** Bodies of each kind, so many at a time: more than a gateway has cores. */
const bodiesOfAKind = 8;
const atATime = 4;

const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const json = "application/json";
const yaml = "application/yaml";
const mergePatch = "application/merge-patch+json";
const jsonPatch = "application/json-patch+json";

/** One kind of body. `ask` makes the n-th request. */
interface Kind {
  readonly name: string;
  readonly status: number;
  ask(n: number): Asked;
}

export const bodies: Row = {
  name: "bodies",
  about: `bodies of 3 MiB, ${bodiesOfAKind} of each kind, ${atATime} at a time`,
  async run() {
    const figures: Figure[] = [];
    const subject = await startSubject({ crds: join(root, "stores/sql/examples") });
    const client = subject.client({ connections: atATime });
    try {
      await untilServed(client);
      for (const kind of kinds()) {
        const beside = await readBeside(subject);
        await subject.loop();
        const spent = cpuSeconds(subject.pids());
        await sendAll(client, kind);
        const cpu = cpuSeconds(subject.pids()) - spent;
        figures.push(...loopFigures(kind.name, await subject.loop()), ...(await beside.stop(kind.name)), {
          what: `${kind.name}: CPU of gateway and store a body`,
          unit: "ms",
          annex: (cpu * 1000) / bodiesOfAKind,
        });
      }
      figures.push({ what: "peak memory of gateway and store", unit: "MiB", annex: peakMiB(subject.pids()) });
    } finally {
      client.close();
      await subject.stop();
    }
    return figures;
  },
};

async function untilServed(client: Client): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if ((await client.ask({ path: widgets })).status === 200) return;
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the widgets are not served");
}

async function sendAll(client: Client, kind: Kind): Promise<void> {
  let next = 0;
  const sender = async () => {
    while (next < bodiesOfAKind) {
      const { status, body } = await client.ask(kind.ask(next++));
      if (status !== kind.status) throw new Error(`${kind.name}: ${status} ${body.slice(0, 500)}`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, sender));
}

/** What users and attackers send: many small values, few large ones, faults early and late, in both languages. */
function kinds(): readonly Kind[] {
  const parts = filled((n) => ({ name: `part-${n}`, count: n }));
  const options = filled((n) => ({ key: `k${n}`, list: [n, n % 2 === 0, null, "text"] }));
  const text = "x".repeat(bodyBytes - 1024);
  const object = (name: string, spec: object) =>
    JSON.stringify({ apiVersion: "example.annex.dev/v1", kind: "Widget", metadata: { name }, spec });
  const create = (name: string, spec: object, status = 201): Kind => {
    const body = object("NAME", { color: "red", ...spec });
    return {
      name: `create, JSON, ${name}`,
      status,
      ask: (n) => post(body.replace("NAME", kebab(`${name}-${n}`)), json),
    };
  };
  const yamlOf = (items: readonly object[], field: string) =>
    `apiVersion: example.annex.dev/v1\nkind: Widget\nmetadata: {name: NAME}\nspec:\n  color: red\n  ${field}:\n${items
      .map((item) => {
        const [first, ...rest] = Object.entries(item);
        const line = ([key, value]: [string, unknown]) => `${key}: ${JSON.stringify(value)}\n`;
        return `  - ${line(first as [string, unknown])}${rest.map((entry) => `    ${line(entry)}`).join("")}`;
      })
      .join("")}`;
  const createYaml = (name: string, body: string, status = 201): Kind => ({
    name: `create, YAML, ${name}`,
    status,
    ask: (n) => post(body.replace("NAME", kebab(`yaml-${name}-${n}`)), yaml),
  });
  const seed = object("seed", { color: "red" });
  const patch = (name: string, type: string, body: string, status = 200): Kind => ({
    name,
    status,
    ask: () => ({ method: "PATCH", path: `${widgets}/seed`, headers: { "content-type": type }, body }),
  });
  return [
    {
      name: "warm-up: create, JSON, small",
      status: 201,
      ask: (n) => post(n === 0 ? seed : seed.replace("seed", `small-${n}`), json),
    },
    create("small values", { parts }),
    create("unknown to the schema", { options: { list: options } }),
    create("one text", { options: { text } }),
    create("every value wrong", { parts: parts.map(({ name }) => ({ name, count: "x" })) }, 422),
    create("unknown fields", { parts: parts.map(({ name, count }) => ({ name, [`x${count}`]: 1 })) }),
    { name: "create, JSON, cut off", status: 400, ask: () => post(object("cut", { parts }).slice(0, -1), json) },
    { name: "create, JSON, only brackets", status: 400, ask: () => post("[".repeat(bodyBytes), json) },
    createYaml("small values", yamlOf(yamlFilled(yamlOf, "parts"), "parts")),
    createYaml("broken at its end", `${yamlOf(yamlFilled(yamlOf, "parts"), "parts")}  }`, 400),
    { name: "create, YAML, flow", status: 201, ask: (n) => post(object(`flow-${n}`, { color: "red", parts }), yaml) },
    patch("merge patch, small values", mergePatch, JSON.stringify({ spec: { parts } })),
    patch("merge patch, every value wrong", mergePatch, JSON.stringify({ spec: { color: parts } }), 422),
    patch("JSON patch, one value", jsonPatch, JSON.stringify([{ op: "replace", path: "/spec/parts", value: parts }])),
  ];
}

function post(body: string, type: string): Asked {
  return { method: "POST", path: widgets, headers: { "content-type": type }, body };
}

function kebab(text: string): string {
  return text.replaceAll(" ", "-");
}

/** So many items that their JSON is about as large as a body may be. */
function filled<T extends object>(make: (n: number) => T): T[] {
  const items: T[] = [];
  for (let bytes = 1024; ; ) {
    const item = make(items.length);
    bytes += JSON.stringify(item).length + 1;
    if (bytes > bodyBytes) return items;
    items.push(item);
  }
}

function yamlFilled(format: (items: readonly object[], field: string) => string, field: string): object[] {
  const items: object[] = [];
  const empty = format([], field).length;
  for (let bytes = empty + 1024; ; ) {
    const item = { name: `part-${items.length}`, count: items.length };
    bytes += format([item], field).length - empty;
    if (bytes > bodyBytes) return items;
    items.push(item);
  }
}
