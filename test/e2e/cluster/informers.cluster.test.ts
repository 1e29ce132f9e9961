/**
 * Informers follow a resource while its store is killed, paused and started again under writes, and the gateway
 * too: they hear of every object's last state, and none lists anew.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { annexBin, root } from "../../support/checkout.ts";
import { type Client, createClient, credentialsOf } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { startGatewayProcess } from "../../support/gateway-process.ts";
import { type StoreProcess, startStoreProcess } from "../../support/store-process.ts";
import { patience } from "./cluster.ts";
import { type GoEvent, goClients, listedAnew, startGoClients } from "./go-clients.ts";
import { buildGoProgram } from "./go-program.ts";
import { nodeInformers, startInformers } from "./informers.ts";

const group = "example.annex.dev";
const widgets = `/apis/${group}/v1/namespaces/default/widgets`;
const names = Array.from({ length: 20 }, (_, at) => `w${at}`);
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test("informers and a manager live through the deaths and pauses of a store", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-informers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clients = await buildGoProgram("clients", folder);
  let store: StoreProcess = await startStore(folder);
  t.after(() => store.stop());
  const gateway = await startGatewayProcess({
    stores: [{ name: "sql", address: store.address }],
    serves: [`widgets.${group}`],
  });
  t.after(() => gateway.stop());
  const client = createClient({ url: gateway.url, credentials: credentialsOf(gateway.kubeconfig) });
  t.after(() => client.close());
  for (const name of names) await write(client, name, 0);
  const go = startGoClients(clients, {
    ...{ kubeconfig: gateway.kubeconfig, group, version: "v1", plural: "widgets", kind: "Widget" },
  });
  t.after(() => go.stop());
  const isSynced = () => goClients.every((one) => go.seen().some((e) => e.client === one && e.event === "synced"));
  await eventually(isSynced, "all of them sync", patience);

  let isWriting = true;
  let written = 0;
  const writing = (async () => {
    while (isWriting) if (await write(client, names[written % names.length] as string, written)) written++;
  })();
  for (let round = 0; round < 3; round++) {
    await pause(1_500);
    process.kill(store.pid, "SIGKILL");
    await store.stop();
    store = await startStore(folder);
    await pause(1_500);
    process.kill(store.pid, "SIGSTOP");
    await pause(round === 2 ? 12_000 : 2_000);
    process.kill(store.pid, "SIGCONT");
  }
  const before = written;
  await eventually(() => written > before + names.length, "writes go on", patience);
  isWriting = false;
  await writing;
  t.diagnostic(`${written} writes`);

  const ended = await client.ask({ path: widgets });
  const items: { metadata: { name: string; resourceVersion: string } }[] = JSON.parse(ended.body).items;
  const wanted = items.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`).sort();
  for (const one of ["dynamic", "metadata"] as const) {
    await eventually(() => lastStates(go.seen(), one).join() === wanted.join(), `${one} has the last states`, patience);
    assert.deepEqual(listedAnew(go.seen(), one), [], one);
  }
});

/** How long there are writes; ANNEX_LONG=1 makes it the ten minutes that show that nothing adds up. */
const longMs = process.env["ANNEX_LONG"] === "1" ? 600_000 : 60_000;
const goInformers = 12;
const clientNodeInformers = 8;

test("twenty informers of two kinds live through restarts of the store and of the gateway", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-informers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const goProgram = await buildGoProgram("informers", folder);
  let store = await startStore(folder);
  t.after(() => store.stop());
  const gateway = await startGatewayProcess({
    stores: [{ name: "sql", address: store.address }],
    serves: [`widgets.${group}`],
    config: { descriptions: { folder: join(folder, "descriptions") } },
  });
  t.after(() => gateway.stop());
  const client = createClient({ url: gateway.url, credentials: credentialsOf(gateway.kubeconfig) });
  t.after(() => client.close());
  for (const name of names) await write(client, name, 0);
  const { kubeconfig } = gateway;
  const about = { kubeconfig, group, version: "v1", plural: "widgets" };
  const all = [
    startInformers([goProgram], { ...about, count: goInformers }),
    startInformers(nodeInformers, { ...about, count: clientNodeInformers }),
  ];
  for (const informers of all) t.after(() => informers.stop());
  const isSynced = () => all.every((one) => one.synced().length === one.firstLists.size && one.synced().length > 0);
  const countSynced = () => all.reduce((sum, one) => sum + one.synced().length, 0);
  await eventually(() => isSynced() && countSynced() === goInformers + clientNodeInformers, "all sync", patience);
  assert.deepEqual([...new Set(all[0]?.firstLists.values())], ["watchlist"]);

  let isWriting = true;
  let written = 0;
  const writing = (async () => {
    for (let turn = 0; isWriting; turn++) {
      const name = names[turn % names.length] as string;
      const isRemoval = turn % 7 === 6;
      try {
        if (isRemoval ? await drop(client, name) : await write(client, name, turn)) written++;
      } catch (error) {
        // The gateway is away.
        if (!/ECONN|socket|hang up/.test(String(error))) throw error;
        await pause(50);
      }
    }
  })();
  const killStore = async () => {
    process.kill(store.pid, "SIGKILL");
    await store.stop();
  };
  const until = performance.now() + longMs;
  let rounds = 0;
  while (performance.now() < until) {
    await pause(2_000);
    await killStore();
    store = await startStore(folder);
    await pause(2_000);
    process.kill(store.pid, "SIGSTOP");
    await pause(2_000);
    process.kill(store.pid, "SIGCONT");
    await pause(2_000);
    await gateway.restart();
    await pause(2_000);
    // The store goes, the gateway is another one when it comes back.
    await store.stop();
    await gateway.restart();
    store = await startStore(folder);
    rounds++;
  }
  const before = written;
  await eventually(() => written > before + names.length, "writes go on", patience);
  isWriting = false;
  await writing;

  const ended = await client.ask({ path: widgets });
  const items: { metadata: { name: string; resourceVersion: string } }[] = JSON.parse(ended.body).items;
  const wanted = Object.fromEntries(
    items.map(({ metadata }) => [`default/${metadata.name}`, metadata.resourceVersion]).sort(),
  );
  for (const informers of all) {
    let states: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map();
    const isEqual = (state: Readonly<Record<string, string>>) =>
      JSON.stringify(Object.fromEntries(Object.entries(state).sort())) === JSON.stringify(wanted);
    await eventually(
      async () => {
        states = await informers.states();
        return [...states.values()].every(isEqual);
      },
      "each cache equals the store",
      patience,
    ).catch((error) =>
      assert.deepEqual(
        [...states.values()].find((state) => !isEqual(state)),
        wanted,
        error.message,
      ),
    );
  }
  t.diagnostic(`${written} writes, ${rounds} rounds of three restarts of the store and two of the gateway`);
  for (const informers of all) for (const [error, count] of informers.errors()) t.diagnostic(`${count} × ${error}`);
  assert.deepEqual(
    all.flatMap((informers) => informers.relists()),
    [],
  );
});

/** Removes a widget. Gives false as write() does. */
async function drop(client: Client, name: string): Promise<boolean> {
  const { status, body } = await client.ask({ method: "DELETE", path: `${widgets}/${name}` });
  assert.ok([200, 404, 503].includes(status), `${status} ${body}`);
  if (status === 503) await pause(50);
  return status === 200;
}

function startStore(folder: string): Promise<StoreProcess> {
  return startStoreProcess({
    command: process.execPath,
    args: [
      ...[annexBin, "store", "sql", "--listen", `unix:${join(folder, "store.sock")}`],
      ...["--data", join(folder, "data"), "--crds", join(root, "stores/sql/examples")],
    ],
    cwd: root,
  });
}

/** Sets a widget's replicas. Gives false while the store is away; then nobody knows if it was written. */
async function write(client: Client, name: string, replicas: number): Promise<boolean> {
  const body = JSON.stringify({
    ...{ apiVersion: `${group}/v1`, kind: "Widget", metadata: { name, namespace: "default" } },
    spec: { color: "red", replicas: replicas % 100 },
  });
  const path = `${widgets}/${name}?fieldManager=test&force=true`;
  const headers = { "content-type": "application/apply-patch+yaml" };
  const { status, body: said, ms } = await client.ask({ method: "PATCH", path, headers, body });
  assert.ok([200, 201, 503].includes(status), `${status} ${said} ${ms} ms`);
  if (status === 503) await pause(50);
  return status !== 503;
}

function lastStates(seen: readonly GoEvent[], client: GoEvent["client"]): readonly string[] {
  const states = new Map<string, string>();
  for (const { client: who, event, name = "", resourceVersion = "" } of seen) {
    if (who !== client) continue;
    if (event === "added" || event === "updated") states.set(name, resourceVersion);
    if (event === "deleted") states.delete(name);
  }
  return [...states].map(([name, version]) => `${name} ${version}`).sort();
}
