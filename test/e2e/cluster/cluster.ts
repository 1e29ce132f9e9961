/**
 * A control plane on this machine's loopback: etcd, kube-apiserver, kube-controller-manager.
 *
 * Real programs of one release, RBAC on, an authority of its own, free ports, no node. It ends with
 * the process that started it, whatever ends that. Source: the flags' own help, Kubernetes 1.36.
 */

import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Binaries, buildBinaries } from "./binaries.ts";
import { type Leashed, startLeashed } from "./leashed.ts";
import { createPki, frontProxyName, type Pair, type Pki } from "./pki.ts";

/** What is started. */
export interface ClusterOptions {
  /** Kept after `stop`, and found again. Undefined: a fresh folder that goes with it, and is never synced. */
  readonly dataDir?: string;
  /** Built by buildBinaries. Undefined: builds them. */
  readonly binaries?: Binaries;
  /** Default: true. Without it no namespace and no owner's death takes objects along. */
  readonly controllerManager?: boolean;
  /** More flags of kube-apiserver. */
  readonly apiserverArgs?: readonly string[];
}

/** A control plane that answers. */
export interface Cluster {
  readonly version: string;
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** A file: user kubernetes-admin of system:masters. */
  readonly kubeconfig: string;
  /** Without a scheme's TLS: `http://127.0.0.1:PORT`. */
  readonly etcdUrl: string;
  /** Files; `pki.frontProxyCa` is what a server behind the aggregator trusts. */
  readonly pki: Pki;
  /** The allowed name of the front proxy. */
  readonly frontProxyName: string;
  readonly dataDir: string;
  /** Process groups of etcd and kube-apiserver. */
  readonly servingGroups: readonly number[];
  /** Ends all, the last started first. */
  stop(): Promise<void>;
}

/** For `eventually`: what a control plane brings about. Some of its loops look once a minute. */
export const patience = { timeoutMs: 120_000 };

/** On a machine whose cores are all busy with a build it takes half a minute. */
const readyTimeoutMs = 120_000;
const pollMs = 100;
/** Someone else may take a port between our look and the start; then everything starts once more. */
const attempts = 3;

/** Starts a control plane and waits until `/readyz` says ok. @throws Error with the last lines of what died. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const binaries = options.binaries ?? (await buildBinaries());
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(binaries, options);
    } catch (error) {
      if (attempt === attempts || !(error instanceof Error && /address already in use/.test(error.message)))
        throw error;
    }
  }
}

async function start(binaries: Binaries, options: ClusterOptions): Promise<Cluster> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "annex-cluster-"));
  const isTemporary = options.dataDir === undefined;
  const running: Leashed[] = [];
  const launch = (name: "etcd" | "kube-apiserver" | "kube-controller-manager", flags: readonly string[]) => {
    const logFile = join(dataDir, `${name}.log`);
    writeFileSync(logFile, "");
    const process = startLeashed(name, [binaries.path(name), ...flags], { logFile, cwd: dataDir });
    running.push(process);
  };
  const stop = async () => {
    // What still writes would only complain about an etcd that is gone.
    for (const process of running.toReversed()) await process.stop();
    if (isTemporary) rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const [port, etcdPort, etcdPeerPort] = (await freePorts(3)) as [number, number, number];
    const [url, etcdUrl] = [`https://127.0.0.1:${port}`, `http://127.0.0.1:${etcdPort}`];
    const pki = await createPki(join(dataDir, "pki"));
    const kubeconfig = writeKubeconfig(dataDir, { name: "admin", url, ca: pki.ca, user: pki.admin });
    launch("etcd", etcdFlags({ dataDir, etcdUrl, peerUrl: `http://127.0.0.1:${etcdPeerPort}`, isTemporary }));
    launch("kube-apiserver", [...apiserverFlags({ pki, port, url, etcdUrl }), ...(options.apiserverArgs ?? [])]);
    const servingGroups = running.map(({ group }) => group);
    await untilReady({ url, pki, running });
    if (options.controllerManager !== false) {
      const user = { name: "controller-manager", url, ca: pki.ca, user: pki.controllerManager };
      launch("kube-controller-manager", controllerManagerFlags(pki, writeKubeconfig(dataDir, user)));
    }
    return { version: binaries.version, url, kubeconfig, etcdUrl, pki, frontProxyName, dataDir, servingGroups, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Asks the kernel. All are held until the last is known, so that no two are the same. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** Gives etcd's flags. A temporary one never syncs. */
export function etcdFlags(has: { dataDir: string; etcdUrl: string; peerUrl: string; isTemporary: boolean }): string[] {
  return flags({
    "data-dir": join(has.dataDir, "etcd"),
    "listen-client-urls": has.etcdUrl,
    "advertise-client-urls": has.etcdUrl,
    "listen-peer-urls": has.peerUrl,
    "initial-advertise-peer-urls": has.peerUrl,
    "initial-cluster": `default=${has.peerUrl}`,
    "unsafe-no-fsync": String(has.isTemporary),
    "log-level": "error",
  });
}

function apiserverFlags(has: { pki: Pki; port: number; url: string; etcdUrl: string }): string[] {
  const { pki, port, url, etcdUrl } = has;
  return flags({
    "etcd-servers": etcdUrl,
    "secure-port": String(port),
    "bind-address": "127.0.0.1",
    "advertise-address": "127.0.0.1",
    "tls-cert-file": pki.server.cert,
    "tls-private-key-file": pki.server.key,
    "client-ca-file": pki.ca,
    "authorization-mode": "RBAC",
    "service-cluster-ip-range": "10.0.0.0/24",
    "service-account-issuer": url,
    "service-account-key-file": pki.serviceAccounts.publicKey,
    "service-account-signing-key-file": pki.serviceAccounts.key,
    "requestheader-client-ca-file": pki.frontProxyCa,
    "requestheader-allowed-names": frontProxyName,
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-uid-headers": "X-Remote-Uid",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "proxy-client-cert-file": pki.frontProxy.cert,
    "proxy-client-key-file": pki.frontProxy.key,
  });
}

function controllerManagerFlags(pki: Pki, kubeconfig: string): string[] {
  return flags({
    kubeconfig,
    "authentication-kubeconfig": kubeconfig,
    "authorization-kubeconfig": kubeconfig,
    "secure-port": "0",
    "service-account-private-key-file": pki.serviceAccounts.key,
    "root-ca-file": pki.ca,
    // Each controller with the rights that Kubernetes gives it.
    "use-service-account-credentials": "true",
    "leader-elect": "false",
    // Those that don't need a node.
    controllers: [
      "garbage-collector-controller",
      "namespace-controller",
      "serviceaccount-controller",
      "serviceaccount-token-controller",
      "clusterrole-aggregation-controller",
      "root-ca-certificate-publisher-controller",
    ].join(),
  });
}

function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

function writeKubeconfig(folder: string, has: { name: string; url: string; ca: string; user: Pair }): string {
  const data = (file: string) => readFileSync(file).toString("base64");
  const file = join(folder, `${has.name}.kubeconfig`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "cluster", cluster: { server: has.url, "certificate-authority-data": data(has.ca) } }],
    users: [
      {
        name: "user",
        user: { "client-certificate-data": data(has.user.cert), "client-key-data": data(has.user.key) },
      },
    ],
    contexts: [{ name: "context", context: { cluster: "cluster", user: "user" } }],
    "current-context": "context",
  };
  // JSON is YAML too.
  writeFileSync(file, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
  return file;
}

/** @throws Error if one of the processes ended, or the time is over. */
async function untilReady(has: { url: string; pki: Pki; running: readonly Leashed[] }): Promise<void> {
  let dead: Leashed | undefined;
  for (const process of has.running) {
    process.ended.then(
      () => {
        dead ??= process;
      },
      () => {
        dead ??= process;
      },
    );
  }
  const agent = new Agent({
    ca: readFileSync(has.pki.ca),
    cert: readFileSync(has.pki.admin.cert),
    key: readFileSync(has.pki.admin.key),
  });
  for (const until = performance.now() + readyTimeoutMs; performance.now() < until; ) {
    if (dead !== undefined) throw new Error(`${dead.name} ended:\n${dead.tail()}`);
    if ((await statusOf(new URL("/readyz", has.url), agent)) === 200) {
      agent.destroy();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new Error(`kube-apiserver was not ready in time:\n${has.running.at(-1)?.tail() ?? ""}`);
}

/** Gives 0 where nobody answers yet. */
async function statusOf(url: URL, agent: Agent): Promise<number> {
  return await new Promise((resolve) => {
    const asked = request(url, { agent }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.once("error", () => resolve(0));
    asked.end();
  });
}
