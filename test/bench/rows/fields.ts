/**
 * Writes with managedFields: creates, updates and applies of small objects, by one client at a time, and what
 * tracking adds to an update.
 *
 * An object whose managedFields were reset isn't tracked until it is applied: so the same update is measured
 * with tracking and without.
 */
import { join } from "node:path";
import { root } from "../../support/checkout.ts";
import type { Client } from "../../support/client.ts";
import { cpuSeconds } from "../process-costs.ts";
import type { Figure, Row } from "../row.ts";
import { startSubject } from "../subject.ts";

const writes = 800;
const warmUp = 300;
const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const json = "application/json";
const merge = "application/merge-patch+json";
const apply = "application/apply-patch+yaml";

/** A widget of about so many bytes, a third of them names of fields. */
function widget(name: string, bytes: number, seed = 0): object {
  const options: Record<string, unknown> = {};
  for (let index = 0; index * 45 < bytes - 300; index++)
    options[`option-${index}`] = `value ${index} of ${seed}, some words`;
  return { apiVersion: "example.annex.dev/v1", kind: "Widget", metadata: { name }, spec: { color: "red", options } };
}

export const fields: Row = {
  name: "fields",
  about: "writes of objects with managedFields, one after the other",
  async run() {
    const subject = await startSubject({ crds: join(root, "stores/sql/examples") });
    const client = subject.client({ connections: 1 });
    const figures: Figure[] = [];
    const measure = async (what: string, ask: (n: number) => Write): Promise<number> => {
      for (let n = 0; n < warmUp; n++) await send(client, ask(n));
      const spent = cpuSeconds(subject.pids());
      for (let n = warmUp; n < warmUp + writes; n++) await send(client, ask(n));
      const annex = ((cpuSeconds(subject.pids()) - spent) / writes) * 1e6;
      figures.push({ what: `${what}: CPU of gateway and store a write`, unit: "µs", annex });
      return annex;
    };
    try {
      await untilServed(client);
      await measure("create, 1 KB", (n) => ({
        method: "POST",
        path: widgets,
        type: json,
        body: widget(`c${n}`, 1000),
      }));
      await send(client, { method: "POST", path: widgets, type: json, body: widget("plain", 1000) });
      const update =
        (name: string) =>
        (n: number): Write => ({
          method: "PATCH",
          path: `${widgets}/${name}?fieldManager=bench`,
          type: merge,
          body: { spec: { options: { "option-3": `changed ${n}` } } },
        });
      const tracked = await measure("update of a field, 1 KB", update("plain"));
      await send(client, {
        method: "PATCH",
        path: `${widgets}/plain`,
        type: merge,
        body: { metadata: { managedFields: [{}] } },
      });
      const bare = await measure("the same, untracked", update("plain"));
      figures.push({
        what: "what tracking adds",
        unit: "%",
        annex: (tracked / bare - 1) * 100,
        target: { atMost: 30 },
      });
      for (const bytes of [1000, 10_000]) {
        const name = `m${bytes}`;
        for (let manager = 0; manager < 10; manager++)
          await send(client, applied(name, `manager-${manager}`, widget(name, bytes)));
        const size = `${bytes / 1000} KB, ten managers`;
        await measure(`apply that changes a field of all, ${size}`, (n) =>
          applied(name, "manager-3", widget(name, bytes, n), "&force=true"),
        );
        for (let manager = 0; manager < 10; manager++)
          await send(client, applied(name, `manager-${manager}`, widget(name, bytes), "&force=true"));
        await measure(`apply that changes nothing, ${size}`, () => applied(name, "manager-3", widget(name, bytes)));
        await measure(`update of a field, ${size}`, update(name));
      }
    } finally {
      client.close();
      await subject.stop();
    }
    return figures;
  },
};

/** One write. */
interface Write {
  readonly method: "POST" | "PATCH";
  readonly path: string;
  readonly type: string;
  readonly body: object;
}

function applied(name: string, manager: string, body: object, more = ""): Write {
  return { method: "PATCH", path: `${widgets}/${name}?fieldManager=${manager}${more}`, type: apply, body };
}

async function send(client: Client, { method, path, type, body }: Write): Promise<void> {
  const headers = { "Content-Type": type };
  const { status, body: answer } = await client.ask({ method, path, headers, body: JSON.stringify(body) });
  if (status !== 200 && status !== 201) throw new Error(`${method} ${path}: ${status} ${answer.slice(0, 500)}`);
}

async function untilServed(client: Client): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if ((await client.ask({ path: widgets })).status === 200) return;
    await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the widgets are not served");
}
