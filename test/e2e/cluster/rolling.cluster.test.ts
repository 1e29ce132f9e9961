/** Two replicas behind one Service are replaced one after the other, and no client of the cluster notices. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { AnnexProcess } from "../../support/annex-process.ts";
import { root } from "../../support/checkout.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { type Aggregated, startAggregated } from "./aggregated.ts";
import { askAsAdmin } from "./ask.ts";
import { type Cluster, patience, startCluster } from "./cluster.ts";
import { type Forwarder, startForwarder } from "./forwarder.ts";
import { type GoEvent, goClients, listedAnew, startGoClients } from "./go-clients.ts";
import { buildGoProgram } from "./go-program.ts";

const group = "example.annex.dev";
const path = `/apis/${group}/v1/namespaces/default/widgets`;
const portOf = ({ ready }: AnnexProcess) => Number(new URL(ready).port);
const widget = (name: string) => ({
  apiVersion: `${group}/v1`,
  kind: "Widget",
  metadata: { name, namespace: "default" },
  spec: { color: "red" },
});

describe("two replicas behind kube-apiserver", () => {
  const folder = mkdtempSync(join(tmpdir(), "annex-rolling-"));
  let cluster: Cluster;
  let annex: Aggregated;
  let metrics: string[];
  let forwarder: Forwarder;
  let replicas: AnnexProcess[] = [];
  let clients: string;
  before(async () => {
    clients = await buildGoProgram("clients", folder);
    cluster = await startCluster();
    forwarder = await startForwarder();
    annex = await startAggregated(cluster, {
      crds: [join(root, "stores/sql/examples")],
      front(gateway) {
        forwarder.add(portOf(gateway));
        return forwarder.port;
      },
      config: () => ({
        cluster: { kubeconfigFile: cluster.kubeconfig },
        authorization: { cluster: "rolesThenReview" },
        shutdown: { delaySeconds: 1, deadlineSeconds: 30 },
      }),
    });
    replicas = [annex.gateway, await annex.startGateway()];
    forwarder.add(portOf(replicas[1] as AnnexProcess));
  });
  after(async () => {
    for (const replica of replicas.slice(1)) await replica.stop();
    await annex?.stop();
    forwarder?.close();
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Takes a replica away as a Deployment does, and puts a new one in its place. */
  async function replace(index: number): Promise<void> {
    const old = replicas[index] as AnnexProcess;
    forwarder.remove(portOf(old));
    assert.equal(await old.stop(), 0);
    const fresh = await annex.startGateway();
    replicas[index] = fresh;
    forwarder.add(portOf(fresh));
  }

  test("informers and a manager sync, and see every change through a rolling restart under load; nobody gets an error", async () => {
    const names = Array.from({ length: 20 }, (_, at) => `w${at}`);
    const ask = asker(cluster);
    for (const name of names) assert.equal((await ask("POST", path, widget(name))).status, 201);
    const about = { kubeconfig: cluster.kubeconfig, group, version: "v1", plural: "widgets", kind: "Widget" };
    const go = startGoClients(clients, about);
    const has = (client: string, test: (event: GoEvent) => boolean) =>
      go.seen().some((event) => event.client === client && test(event));
    const isSynced = () => goClients.every((client) => has(client, ({ event }) => event === "synced"));
    await eventually(isSynced, "all of them sync", patience);
    const reconciled = () =>
      names.every((name) => has("manager", (one) => one.event === "reconciled" && one.name === name));
    await eventually(reconciled, "the manager reconciles", patience);

    const statuses = new Map<string, number>();
    const count = (what: string) => statuses.set(what, (statuses.get(what) ?? 0) + 1);
    let isRolling = true;
    const load = Array.from({ length: 6 }, async (_, at) => {
      const own = asker(cluster);
      for (let round = 0; isRolling; round++) {
        const name = `load-${at}-${round}`;
        for (const [method, about, body] of [
          ["POST", path, widget(name)],
          ["GET", `${path}/${name}`],
          ["GET", `${path}?limit=10`],
          ["DELETE", `${path}/${name}`],
        ] as const) {
          const { status, text } = await own(method, about, body);
          // What was refused says why.
          count(status < 300 ? `${method} ${status}` : `${method} ${about} ${status} ${text}`);
        }
      }
      own.close();
    });
    await replace(0);
    await replace(1);
    isRolling = false;
    await Promise.all(load);
    for (const what of statuses.keys()) assert.match(what, /^\w+ 20\d$/, JSON.stringify([...statuses]));
    assert.ok((statuses.get("POST 201") ?? 0) > 10, JSON.stringify([...statuses]));

    // Watches that began at one replica went on at another.
    const patched = await ask("PATCH", `${path}/w7`, { spec: { color: "blue" } });
    assert.equal(patched.status, 200);
    const { resourceVersion } = patched.body.metadata;
    for (const client of ["dynamic", "metadata"]) {
      await eventually(
        () => has(client, (one) => one.name === "w7" && one.resourceVersion === resourceVersion),
        `${client} sees the change`,
        patience,
      );
    }
    const isBlue = async () => (await ask("GET", `${path}/w7`)).body.metadata.labels?.color === "blue";
    await eventually(isBlue, "the manager acts on it", patience);
    // Before the clients stop: what one of them then has in flight is counted as cut off by a timeout.
    metrics = (await askAsAdmin(cluster, { url: `${cluster.url}/metrics` })).split("\n");
    const seen = go.seen();
    await go.stop();
    ask.close();
    assert.deepEqual(
      seen.filter(({ event }) => event === "error"),
      [],
    );
    for (const client of ["dynamic", "metadata"] as const) assert.deepEqual(listedAnew(seen, client), [], client);
  });

  test("kube-apiserver counted no 5xx of the group, and the APIServices stayed Available", async () => {
    const counted = metrics.filter((line) => line.includes(`group="${group}"`));
    assert.deepEqual(
      counted.filter((line) => /code="5\d\d"/.test(line)),
      [],
    );
    const away = metrics.filter(
      (line) => line.startsWith("aggregator_unavailable_apiservice{") && line.includes(group),
    );
    assert.equal(away.length, 2, away.join("\n"));
    for (const line of away) assert.match(line, / 0$/);
    for (const version of ["v1", "v1beta1"]) {
      const { stdout } = await runKubectl(["get", "apiservice", `${version}.${group}`, "-o", "json"], cluster);
      const [condition] = JSON.parse(stdout).status.conditions;
      assert.deepEqual([condition.status, condition.reason], ["True", "Passed"]);
    }
  });
});

/** Asks kube-apiserver as the admin, over a kept connection. An answer that breaks off has status 0. */
function asker(cluster: Cluster) {
  const agent = new Agent({
    ca: readFileSync(cluster.pki.ca),
    cert: readFileSync(cluster.pki.admin.cert),
    key: readFileSync(cluster.pki.admin.key),
    keepAlive: true,
  });
  const ask = async (method: string, about: string, body?: object) => {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const sent = request(new URL(about, cluster.url), { agent, method, headers: { "Content-Type": type } });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(sent, "response");
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    return {
      status: response.statusCode as number,
      text,
      body: text.startsWith("{") ? JSON.parse(text) : undefined,
    };
  };
  return Object.assign(ask, { close: () => agent.destroy() });
}
