/**
 * What Annex is compared with: Kubernetes' own API servers, each with an etcd that is told to sync, as
 * Annex's store does. Only what serves is counted: not who answers sample-apiserver's reviews. Who answers them, a
 * kube-apiserver that serves definitions itself, is compared only while nobody else is asked anything.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { buildBinaries, missingGo } from "../e2e/cluster/binaries.ts";
import { type Cluster, etcdFlags, freePorts, startCluster } from "../e2e/cluster/cluster.ts";
import { type Leashed, startLeashed } from "../e2e/cluster/leashed.ts";
import { type Client, type ClientOptions, type Credentials, createClient } from "../support/client.ts";
import { runKubectl } from "../support/kubectl.ts";
import { cpuSeconds, pidsOfGroups } from "./process-costs.ts";
import type { Skip } from "./row.ts";

/** What is measured. */
export interface Peer {
  /** The API server and its etcd, with what starts them. */
  pids(): readonly number[];
  client(options?: Pick<ClientOptions, "http2" | "connections">): Client;
  /** `https://127.0.0.1:PORT`, for clients of another make. */
  readonly url: string;
  /** Those of a member of system:masters. */
  readonly credentials: Credentials;
  /** Who knows its users and their rights; kube-apiserver does so itself. */
  readonly cluster: Cluster;
  /** Where its etcd writes. */
  readonly dataDir: string;
  stop(): Promise<void>;
}

/** Below this share of a core it has done with what a start brings. */
const quietShare = 0.15;
const quietTimeoutMs = 60_000;
const readyTimeoutMs = 120_000;
const pollMs = 100;

/** Starts kube-apiserver, without controllers, with definitions. Undefined, and said, where it can't be built. */
export async function startKubeApiserver(options: { crds: string; skip: Skip }): Promise<Peer | undefined> {
  const { crds, skip } = options;
  const missing = await missingGo();
  if (missing !== undefined) {
    skip(`Kubernetes' API servers: ${missing}`);
    return undefined;
  }
  return await starting(async (dataDir, closeLater) => {
    const cluster = await startCluster({ controllerManager: false, dataDir });
    closeLater(() => cluster.stop());
    const { code, stderr } = await runKubectl(["create", "-f", crds], cluster);
    if (code !== 0) throw new Error(stderr);
    return { cluster, url: cluster.url, groups: cluster.servingGroups };
  });
}

/** Starts sample-apiserver, which serves flunders, and asks a cluster who asks and whether they may. */
export async function startSampleApiserver(cluster: Cluster): Promise<Peer> {
  return await starting(async (dataDir, closeLater) => {
    const binaries = await buildBinaries(["etcd", "sample-apiserver"]);
    const [port, etcdPort, peerPort] = (await freePorts(3)) as [number, number, number];
    const etcdUrl = `http://127.0.0.1:${etcdPort}`;
    const groups: number[] = [];
    const launch = (name: "etcd" | "sample-apiserver", args: readonly string[]): Leashed => {
      const logFile = join(dataDir, `${name}.log`);
      writeFileSync(logFile, "");
      const running = startLeashed(name, [binaries.path(name), ...args], { logFile, cwd: dataDir });
      groups.push(running.group);
      closeLater(() => running.stop());
      return running;
    };
    launch("etcd", etcdFlags({ dataDir, etcdUrl, peerUrl: `http://127.0.0.1:${peerPort}`, isTemporary: false }));
    const server = launch("sample-apiserver", [
      `--etcd-servers=${etcdUrl}`,
      `--secure-port=${port}`,
      "--bind-address=127.0.0.1",
      `--tls-cert-file=${cluster.pki.server.cert}`,
      `--tls-private-key-file=${cluster.pki.server.key}`,
      `--client-ca-file=${cluster.pki.ca}`,
      `--kubeconfig=${cluster.kubeconfig}`,
      `--authentication-kubeconfig=${cluster.kubeconfig}`,
      `--authorization-kubeconfig=${cluster.kubeconfig}`,
    ]);
    const url = `https://127.0.0.1:${port}`;
    await untilReady(createClient({ url, credentials: adminOf(cluster) }), server);
    return { cluster, url, groups };
  });
}

/** Starts a peer in a folder of its own, waits until it is idle, and ends all of it if that fails. */
async function starting(
  start: (
    dataDir: string,
    closeLater: (close: () => Promise<void>) => void,
  ) => Promise<{ cluster: Cluster; url: string; groups: readonly number[] }>,
): Promise<Peer> {
  const dataDir = mkdtempSync(join(tmpdir(), "annex-bench-peer-"));
  const closes: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closes.reverse()) await close();
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const { cluster, url, groups } = await start(dataDir, (close) => closes.push(close));
    const pids = () => pidsOfGroups(groups);
    await untilQuiet(pids);
    const credentials = adminOf(cluster);
    const client: Peer["client"] = (options = {}) => createClient({ url, credentials, ...options });
    return { pids, client, url, credentials, cluster, dataDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function adminOf({ pki }: Cluster): Credentials {
  return { ca: readFileSync(pki.ca), cert: readFileSync(pki.admin.cert), key: readFileSync(pki.admin.key) };
}

/** @throws Error with its last lines if it ended, or the time is over. */
async function untilReady(client: Client, server: Leashed): Promise<void> {
  let hasEnded = false;
  server.ended.finally(() => {
    hasEnded = true;
  });
  try {
    for (const until = performance.now() + readyTimeoutMs; performance.now() < until; await pause(pollMs)) {
      if (hasEnded) throw new Error(`${server.name} ended:\n${server.tail()}`);
      // Nobody listens yet.
      const answer = await client.ask({ path: "/readyz" }).catch(() => undefined);
      if (answer?.status === 200) return;
    }
    throw new Error(`${server.name} was not ready in time:\n${server.tail()}`);
  } finally {
    client.close();
  }
}

/** Also returns when the time is over: on a busy machine it is never quiet. */
async function untilQuiet(pids: () => readonly number[]): Promise<void> {
  const until = performance.now() + quietTimeoutMs;
  for (let share = 1; share > quietShare && performance.now() < until; ) {
    const before = cpuSeconds(pids());
    await pause(1000);
    share = cpuSeconds(pids()) - before;
  }
}
