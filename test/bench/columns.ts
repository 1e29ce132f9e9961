/**
 * What stands side by side in one table: Annex with a sql store, Kubernetes' sample-apiserver with etcd, and a raw
 * server that sends the same bytes.
 *
 * Annex and sample-apiserver serve flunders by one definition, and learn who asks and whether they may from the same
 * cluster, by a TokenReview and a SubjectAccessReview that each of them keeps for ten seconds. The clients show a
 * service account's token. As a front proxy's clients they would show a certificate, which sample-apiserver
 * verifies again with each request, by 0.2 ms of CPU: so tokens are the kinder choice for the peer, and what load
 * tools can do. The cluster counts for neither. Without Go there is no cluster and no peer: Annex then reads the
 * token and the rights from files.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../e2e/cluster/cluster.ts";
import { runKubectl } from "../support/kubectl.ts";
import type { Target } from "./load/load.ts";
import { type Peer, startSampleApiserver } from "./peer.ts";
import type { RawOrder, RawStart } from "./raw-server.ts";
import type { Skip } from "./row.ts";
import { type Subject, type SubjectOptions, startSubject } from "./subject.ts";

/** A server under measurement. */
export interface Column {
  readonly target: Target;
  /** All that serve. */
  pids(): readonly number[];
  /** Where it makes writes durable. */
  readonly dataDir?: string;
}

/** A raw server of its own process. */
export interface Limit extends Column {
  tell(order: RawOrder): void;
}

/** A gateway and its store. */
export interface AnnexColumn extends Column {
  readonly subject: Subject;
}

/** What is compared. */
export interface Columns {
  readonly annex: AnnexColumn;
  /** Undefined, and said, where it can't be built. */
  readonly peer: Column | undefined;
  /** Who answers reviews for both; undefined without a peer. */
  readonly cluster: Cluster | undefined;
  /** Starts a raw server. */
  startLimit(http2?: boolean): Promise<Limit>;
  /** Starts another gateway and store by the same definition. */
  startAnnex(http2: boolean, workers?: SubjectOptions["workers"]): Promise<AnnexColumn>;
  stop(): Promise<void>;
}

/** Path of the flunders in a namespace. */
export const flundersIn = (namespace: string) => `/apis/wardle.example.com/v1beta1/namespaces/${namespace}/flunders`;
/** Namespaces that are there; each measurement has its own objects. */
export const namespaces = ["small", "many", "large", "written", "watched"] as const;

const crds = fileURLToPath(new URL("./flunders.yaml", import.meta.url));
const servedTimeoutMs = 30_000;
/** What a drain may take; idle gateways are gone at once. */
const deadlineSeconds = 10;

/** Who asks, and all that they may. */
const account = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: bench, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: bench}
rules:
- {apiGroups: [wardle.example.com], resources: ["*"], verbs: ["*"]}
- {nonResourceURLs: ["*"], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bench}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bench}
subjects: [{kind: ServiceAccount, name: bench, namespace: default}]
---
${namespaces.map((name) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n---\n`).join("")}`;

/** Starts Annex, and its peer if wanted. */
export async function startColumns(skip: Skip, { withPeer = true } = {}): Promise<Columns> {
  const closes: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closes.reverse()) await close();
  };
  const started = <T extends { stop(): Promise<void> }>(one: T): T => {
    closes.push(() => one.stop());
    return one;
  };
  try {
    const peer = withPeer ? await startSampleApiserver({ skip }) : undefined;
    if (peer !== undefined) started(peer);
    const { token, config } = peer === undefined ? accessByFiles(closes) : await accessByCluster(peer);
    const start = async (http2: boolean, workers?: SubjectOptions["workers"]) => {
      const subject = started(
        await startSubject({ crds, http2, workers, config: { ...config, shutdown: { deadlineSeconds } } }),
      );
      await untilServed(subject);
      const target = { port: portOf(subject.url), ca: String(subject.serving.credentials.ca), token };
      return { subject, target, pids: subject.pids, dataDir: subject.dataDir };
    };
    const annex = await start(false);
    return {
      ...{ annex, cluster: peer?.cluster, startAnnex: start, stop },
      peer: peer && {
        target: { port: portOf(peer.url), ca: String(peer.credentials.ca), token },
        ...{ pids: peer.pids, dataDir: peer.dataDir },
      },
      startLimit: async (http2 = false) => started(await startLimit(annex.subject, http2)),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Access {
  readonly token: string;
  readonly config: NonNullable<SubjectOptions["config"]>;
}

async function accessByCluster({ cluster }: Peer): Promise<Access> {
  const { code, stderr } = await runKubectl(["apply", "-f", "-"], { ...cluster, stdin: account });
  if (code !== 0) throw new Error(stderr);
  const { stdout } = await runKubectl(["create", "token", "bench", "--duration=1h"], cluster);
  return {
    token: stdout.trim(),
    config: {
      authentication: { cluster: {} },
      authorization: { cluster: "review" },
      cluster: { kubeconfigFile: cluster.kubeconfig },
    },
  };
}

function accessByFiles(closes: (() => Promise<void>)[]): Access {
  const folder = mkdtempSync(join(tmpdir(), "annex-bench-access-"));
  closes.push(async () => rmSync(folder, { recursive: true, force: true }));
  const [tokenFile, rbacFile] = [join(folder, "tokens.csv"), join(folder, "rbac.yaml")];
  const token = randomBytes(16).toString("hex");
  const name = "system:serviceaccount:default:bench";
  writeFileSync(tokenFile, `${token},${name},1,system:serviceaccounts\n`, { mode: 0o600 });
  const rbac = account.split("---\n").filter((document) => document.includes("rbac"));
  writeFileSync(rbacFile, rbac.join("---\n"));
  return { token, config: { authentication: { tokenFile }, authorization: { rbacFiles: [rbacFile] } } };
}

async function untilServed(subject: Subject): Promise<void> {
  const client = subject.client();
  try {
    for (const until = performance.now() + servedTimeoutMs; performance.now() < until; await pause(20)) {
      if ((await client.ask({ path: flundersIn("small") })).status === 200) return;
    }
    throw new Error("the flunders are not served");
  } finally {
    client.close();
  }
}

async function startLimit({ serving }: Subject, http2: boolean): Promise<Limit & { stop(): Promise<void> }> {
  const child: ChildProcess = fork(fileURLToPath(new URL("./raw-server.ts", import.meta.url)));
  const { certFile, keyFile, credentials } = serving;
  child.send({ certFile, keyFile, http2 } satisfies RawStart);
  const [port] = await once(child, "message");
  return {
    target: { port, ca: String(credentials.ca), token: undefined },
    pids: () => [child.pid as number],
    tell: (order) => void child.send(order),
    async stop() {
      const ended = once(child, "close");
      child.kill();
      await ended;
    },
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
