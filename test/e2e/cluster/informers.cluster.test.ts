/**
 * Go's informers follow a resource while its store is killed, paused and started again under writes: they
 * hear of every object's last state, and none lists anew.
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

const group = "example.annex.dev";
const widgets = `/apis/${group}/v1/namespaces/default/widgets`;
const names = Array.from({ length: 20 }, (_, at) => `w${at}`);
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test("informers and a manager live through the deaths and pauses of a store", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-informers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const clients = await buildGoProgram("clients", folder);
  const startStore = () =>
    startStoreProcess({
      command: process.execPath,
      args: [
        ...[annexBin, "store", "sql", "--listen", `unix:${join(folder, "store.sock")}`],
        ...["--data", join(folder, "data"), "--crds", join(root, "stores/sql/examples")],
      ],
      cwd: root,
    });
  let store: StoreProcess = await startStore();
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
    store = await startStore();
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
