/**
 * Annex behind kube-apiserver's aggregation layer, by HTTP/1.1 and by HTTP/2 on its port: what a get costs both, how
 * many connections kube-apiserver opens for that, and what a rolling update loses.
 *
 * No bar: by these figures the README says who should choose which.
 */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Cluster } from "../../e2e/cluster/cluster.ts";
import { type Forwarder, startForwarder } from "../../e2e/cluster/forwarder.ts";
import { runKubectl } from "../../support/kubectl.ts";
import type { AnnexColumn } from "../columns.ts";
import { fill, flunder, flundersIn } from "../flunders.ts";
import { type Load, startLoad, type Target } from "../load/load.ts";
import { cpuSeconds, pidsOfGroups } from "../process-costs.ts";
import type { Figure, Row } from "../row.ts";
import { warmUp, warmUpTimes } from "../warm-up.ts";

const inFlight = [16, 64];
const seconds = 3;
const warmUpSeconds = 2;
const posters = 64;
/** Of a rolling update: under POSTs before it, and after the old gateway began to drain. */
const drain = { beforeMs: 1_000, seconds: 6 };
const namespace = "small";
const apiService = "v1beta1.wardle.example.com";
const availableTimeoutMs = 60_000;

/** Annex behind a cluster. */
interface Behind {
  readonly load: Load;
  readonly cluster: Cluster;
  readonly annex: AnnexColumn;
  /** kube-apiserver's port. */
  readonly target: Target;
  readonly protocol: string;
}

export const aggregator: Row = {
  name: "aggregator",
  about: "gets and a rolling update through kube-apiserver, by HTTP/1.1 and HTTP/2 on the gateway's port",
  async run(bench) {
    const load = startLoad();
    const forwarder = await startForwarder();
    try {
      const { cluster, startAnnex } = await bench.columns();
      if (cluster === undefined) return [];
      await giveUpApiService(cluster);
      const figures: Figure[] = [];
      for (const http2 of [false, true]) {
        const annex = await startAnnex(http2);
        const { token } = annex.target;
        const target = { port: Number(new URL(cluster.url).port), ca: readFileSync(cluster.pki.ca, "utf8"), token };
        const behind = { load, cluster, annex, target, protocol: http2 ? "HTTP/2" : "HTTP/1.1" };
        await fill(load, [annex], namespace);
        // Straight: an aggregator asks for less in the same time.
        await warmUp(load, [annex], { times: warmUpTimes.small, path: `${flundersIn(namespace)}/o-7` });
        await register(behind, annex.target.port);
        for (const count of inFlight) figures.push(...(await gets(behind, count)));
        figures.push(await rolled(behind, forwarder));
      }
      return figures;
    } finally {
      await load.stop();
      forwarder.close();
    }
  },
};

/** Has the cluster's own definition of the group no longer decide where its requests go. */
async function giveUpApiService(cluster: Cluster): Promise<void> {
  const label = "kube-aggregator.kubernetes.io/automanaged-";
  const { code, stderr } = await runKubectl(["label", "apiservice", apiService, label], cluster);
  if (code !== 0) throw new Error(stderr);
}

/** Sends the group's requests to a port of this machine, and waits until they go there. */
async function register({ load, cluster, annex, target }: Behind, port: number): Promise<void> {
  const service = { name: `annex-${port}`, namespace: "default", port };
  const objects = [
    {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: service.name, namespace: service.namespace } },
      spec: { type: "ExternalName", externalName: "localhost", ports: [{ port }] },
    },
    {
      ...{ apiVersion: "apiregistration.k8s.io/v1", kind: "APIService" },
      metadata: { name: apiService },
      spec: {
        ...{
          group: "wardle.example.com",
          version: "v1beta1",
          groupPriorityMinimum: 1000,
          versionPriority: 15,
          service,
        },
        // The certificate is verified for the Service's name, which this one doesn't bear.
        insecureSkipTLSVerify: true,
      },
    },
  ];
  await annex.subject.loop();
  const stdin = objects.map((object) => JSON.stringify(object)).join("\n");
  const { code, stderr } = await runKubectl(["apply", "-f", "-"], { ...cluster, stdin });
  if (code !== 0) throw new Error(stderr);
  const asked = { target, path: `${flundersIn(namespace)}/o-7`, connections: 1, strict: false };
  let connections = 0;
  for (const until = performance.now() + availableTimeoutMs; performance.now() < until; await pause(200)) {
    const { failed } = await load.request({ ...asked, until: { operations: 1 } });
    // The first that connect are its own checks.
    connections += (await annex.subject.loop()).connections;
    if (failed === 0 && connections > 0) return;
  }
  const { stdout } = await runKubectl(["get", "apiservice", apiService, "-o", "jsonpath={.status}"], cluster);
  throw new Error(`kube-apiserver does not reach the gateway: ${stdout}`);
}

async function gets({ load, cluster, annex, target, protocol }: Behind, count: number): Promise<readonly Figure[]> {
  const asked = { target, path: `${flundersIn(namespace)}/o-7`, connections: count };
  await load.request({ ...asked, until: { seconds: warmUpSeconds } });
  const inFront = pidsOfGroups(cluster.servingGroups);
  await annex.subject.loop();
  const before = [cpuSeconds(annex.pids()), cpuSeconds(inFront)] as const;
  const { operations, p99Ms } = await load.request({ ...asked, until: { seconds } });
  const micros = (pids: readonly number[], since: number) => ((cpuSeconds(pids) - since) / operations) * 1e6;
  const [behindMicros, inFrontMicros] = [micros(annex.pids(), before[0]), micros(inFront, before[1])];
  const { connections } = await annex.subject.loop();
  const what = `get, ${protocol}, ${count} in flight`;
  return [
    { what: `${what}: CPU of Annex`, unit: "µs", annex: behindMicros },
    { what: `${what}: CPU of kube-apiserver`, unit: "µs", annex: inFrontMicros },
    { what: `${what}: connections for 1,000 gets`, unit: "", annex: (connections / operations) * 1_000 },
    { what: `${what}: p99`, unit: "ms", annex: p99Ms },
  ];
}

/** Another gateway takes the place of the first, under POSTs. */
async function rolled(behind: Behind, forwarder: Forwarder): Promise<Figure> {
  const { load, annex, target, protocol } = behind;
  const { subject } = annex;
  const portOf = () => Number(new URL(subject.url).port);
  const old = portOf();
  forwarder.add(old);
  await register(behind, forwarder.port);
  const posting = load.request({
    ...{ target, method: "POST", path: flundersIn(namespace), status: 201, strict: false, connections: posters },
    body: flunder({ name: `p-${old}-{number}`, bytes: 1_000 }),
    until: { seconds: drain.seconds },
  });
  await pause(drain.beforeMs);
  const { endOld } = await subject.startNext();
  forwarder.add(portOf());
  forwarder.remove(old);
  await endOld();
  const { operations, failed } = await posting;
  forwarder.remove(portOf());
  return { what: `drain under POSTs, ${protocol}: lost of ${operations}`, unit: "", annex: failed };
}
