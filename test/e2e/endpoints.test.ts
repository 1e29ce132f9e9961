/**
 * A store of several processes that are replicas of each other: the certifier's promise of them, and a
 * gateway in front of them while they die and come back.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { resource } from "../contract/contract.testing.ts";
import { promises } from "../contract/promises.ts";
import { summary } from "../contract/report.ts";
import { certify } from "../contract/run.ts";
import { root } from "../support/checkout.ts";
import { createClient, credentialsOf } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { type StoreProcess, startStoreProcess } from "../support/store-process.ts";

const things = `/apis/${resource.group}/v1/namespaces/ns/things`;

/** Replicas on one file, by their names. */
function replicas(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "annex-replicas-"));
  const running = new Map<string, StoreProcess>();
  t.after(async () => {
    for (const store of running.values()) await store.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const addressOf = (name: string) => `unix:${join(folder, `${name}.sock`)}`;
  return {
    addressOf,
    async start(name: string) {
      const store = await startStoreProcess({
        command: process.execPath,
        args: [join(root, "test/support/replica-store.ts"), "--listen", addressOf(name)],
        cwd: root,
        env: { ...process.env, ANNEX_REPLICA_FILE: join(folder, "objects.db") },
      });
      running.set(name, store);
    },
    async kill(name: string) {
      const store = running.get(name);
      running.delete(name);
      process.kill(store?.pid ?? 0, "SIGKILL");
      await store?.stop();
    },
  };
}

test("replicas keep what the contract promises of them", async (t) => {
  const store = replicas(t);
  for (const name of ["a", "b"]) await store.start(name);
  const wanted = promises.filter(({ name, level }) => name === "chaos.replicas" || level === "verbs");
  const report = await certify({ addresses: ["a", "b"].map(store.addressOf), promises: wanted });
  const broken = report.results.filter(({ outcome }) => outcome === "broken");
  assert.deepEqual(broken, [], summary(report));
  assert.equal(report.results.find(({ promise }) => promise.name === "chaos.replicas")?.outcome, "kept");
});

test("a gateway uses the replicas that are there: no read fails, no watch notices", async (t) => {
  const store = replicas(t);
  for (const name of ["a", "b"]) await store.start(name);
  const gateway = await startGatewayProcess({
    stores: [{ name: "replicas", addresses: ["a", "b"].map(store.addressOf) }],
    serves: [`things.${resource.group}`],
  });
  const client = createClient({ url: gateway.url, credentials: credentialsOf(gateway.kubeconfig) });
  t.after(async () => {
    client.close();
    assert.equal(await gateway.stop(), 0);
  });
  const endpoints = async (count: number) => {
    const { body } = await client.ask({ path: "/metrics" });
    return body.includes(`annex_store_endpoints{state="ready",store="replicas"} ${count}\n`);
  };
  await eventually(() => endpoints(2), "both are used");

  const watch = await client.open({ path: `${things}?watch=true&resourceVersion=0` });
  let seen = "";
  watch.body.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
  });
  let written = 0;
  const failed: string[] = [];
  async function create(): Promise<boolean> {
    const name = `t-${written++}`;
    const body = JSON.stringify({ apiVersion: `${resource.group}/v1`, kind: "Thing", metadata: { name } });
    const headers = { "content-type": "application/json" };
    return (await client.ask({ method: "POST", path: things, headers, body })).status === 201;
  }
  /** Writes and reads while something happens. A write that was under way may fail; nothing else. */
  async function working(work: () => Promise<void>): Promise<number> {
    let isOver = false;
    let lost = 0;
    const worker = async () => {
      while (!isOver) {
        if (!(await create())) lost++;
        for (const path of [`${things}/t-0`, `${things}?limit=1`]) {
          const { status, body: text } = await client.ask({ path });
          if (status !== 200) failed.push(`${path}: ${status} ${text}`);
        }
      }
    };
    const workers = Array.from({ length: 4 }, worker);
    await work();
    isOver = true;
    await Promise.all(workers);
    return lost;
  }
  const more = async () => {
    const from = written;
    await eventually(() => written >= from + 20, "twenty more are written");
  };

  assert.ok(await create());
  assert.equal(await working(more), 0);
  for (const name of ["a", "b"]) {
    const lost = await working(async () => {
      await store.kill(name);
      await eventually(() => endpoints(1), `${name} is known to be away`);
      await more();
      await store.start(name);
      await eventually(() => endpoints(2), `${name} is used again`);
      await more();
    });
    // Four are under way at most: those that the replica may have received.
    assert.ok(lost <= 4, `${lost} writes failed`);
  }
  assert.deepEqual(failed, []);
  const list = JSON.parse((await client.ask({ path: things })).body) as { items: { metadata: { name: string } }[] };
  const added = () => new Set([...seen.matchAll(/"type":"ADDED".*?"name":"(t-\d+)"/g)].map(([, name]) => name));
  await eventually(() => added().size === list.items.length, "the watch has shown each object");
  assert.ok(!seen.includes('"ERROR"') && !seen.includes('"DELETED"'));
  assert.equal(seen.match(/"type":"ADDED"/g)?.length, list.items.length, "each once");
  watch.cancel();
});
