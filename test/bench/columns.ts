/**
 * What stands side by side in one table: Annex with a sql store, Kubernetes' sample-apiserver with etcd, a raw
 * server that sends the same bytes, and a CustomResourceDefinition in kube-apiserver.
 *
 * Annex and sample-apiserver serve flunders by one definition, and learn who asks and whether they may from the same
 * cluster, by a TokenReview and a SubjectAccessReview that each of them keeps for ten seconds. The clients show a
 * service account's token. As a front proxy's clients they would show a certificate, which sample-apiserver
 * verifies again with each request, by 0.2 ms of CPU: so tokens are the kinder choice for the peer, and what load
 * tools can do. The cluster counts for neither; its kube-apiserver, which
 * serves the same definition, is a column too, and works for nobody else while it is asked. Without Go there is no cluster and no peer: Annex then reads the
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
import { collections, flundersIn } from "./flunders.ts";
import type { Target } from "./load/load.ts";
import { type Peer, startKubeApiserver, startSampleApiserver } from "./peer.ts";
import type { RawOrder, RawStart } from "./raw-server.ts";
import type { Bench, Skip } from "./row.ts";
import { type Subject, type SubjectOptions, startSubject } from "./subject.ts";

/** A server under measurement. */
export interface Column {
  readonly target: Target;
  /** All that serve. */
  pids(): readonly number[];
  /** Where it makes writes durable. */
  readonly dataDir?: string;
  /** How many processes of Node's share what it is asked; 0 of Go's. See warm-up.ts. */
  readonly compiling: number;
}

/** A raw server of its own process. */
export interface Limit extends Column {
  /** Resolves once it answers so. */
  teach(answers: NonNullable<RawOrder["answers"]>): Promise<void>;
  /** Writes an event to every watch. */
  tell(event: string): void;
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
  /** kube-apiserver with the definition; undefined without a peer. */
  readonly crd: Column | undefined;
  /** Who answers reviews for both; undefined without a peer. */
  readonly cluster: Cluster | undefined;
  /** Starts a raw server. */
  startLimit(http2?: boolean): Promise<Limit>;
  /** Starts another gateway and store by the same definition. */
  startAnnex(http2: boolean, workers?: SubjectOptions["workers"]): Promise<AnnexColumn>;
  stop(): Promise<void>;
}

/** The columns of one run. */
export interface SharedColumns {
  /** See Bench. Those that it gave before are ended if they aren't to be given again. */
  columns: (skip: Skip, has?: { readonly fresh: boolean }) => ReturnType<Bench["columns"]>;
  stop(): Promise<void>;
}

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
${Object.keys(collections)
  .map((name) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n---\n`)
  .join("")}`;

/** Starts nothing until it is asked for. */
export function shareColumns(): SharedColumns {
  let kube: Promise<Peer | undefined> | undefined;
  let missing: string | undefined;
  let current: Columns | undefined;
  return {
    async columns(skip, { fresh } = { fresh: false }) {
      kube ??= startKubeApiserver({
        crds,
        skip: (why) => {
          missing = why;
        },
      });
      const started = await kube;
      if (missing !== undefined) skip(missing);
      if (fresh) {
        await current?.stop();
        current = undefined;
      }
      current ??= await startColumns(started);
      return current;
    },
    async stop() {
      await current?.stop();
      await (await kube)?.stop();
    },
  };
}

/** Starts Annex, and its peer if there is a kube-apiserver that knows who asks. Ends all but that. */
export async function startColumns(kube?: Peer): Promise<Columns> {
  const closes: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const close of closes.reverse()) await close();
  };
  const started = <T extends { stop(): Promise<void> }>(one: T): T => {
    closes.push(() => one.stop());
    return one;
  };
  try {
    const { token, config } = kube === undefined ? accessByFiles(closes) : await accessByCluster(kube.cluster);
    const start = async (http2: boolean, workers?: SubjectOptions["workers"]): Promise<AnnexColumn> => {
      const subject = started(
        await startSubject({ crds, http2, workers, config: { ...config, shutdown: { deadlineSeconds } } }),
      );
      const target = { port: portOf(subject.url), ca: String(subject.serving.credentials.ca), token };
      await untilServed(subject);
      return { subject, target, pids: subject.pids, dataDir: subject.dataDir, compiling: workers ?? 1 };
    };
    const annex = await start(false);
    const beside = kube && { peer: started(await startSampleApiserver(kube.cluster)), crd: kube };
    if (beside !== undefined) await untilServed(beside.crd);
    const column = ({ url, credentials, pids, dataDir }: Peer): Column => ({
      target: { port: portOf(url), ca: String(credentials.ca), token },
      ...{ pids, dataDir, compiling: 0 },
    });
    return {
      ...{ annex, cluster: kube?.cluster, startAnnex: start, stop },
      ...{ peer: beside && column(beside.peer), crd: beside && column(beside.crd) },
      startLimit: async (http2 = false) => started(await startLimit(annex, http2)),
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

async function accessByCluster(cluster: Cluster): Promise<Access> {
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

async function untilServed(server: Pick<Subject, "client">): Promise<void> {
  const client = server.client();
  try {
    for (const until = performance.now() + servedTimeoutMs; performance.now() < until; await pause(20)) {
      if ((await client.ask({ path: flundersIn("small") })).status === 200) return;
    }
    throw new Error("the flunders are not served");
  } finally {
    client.close();
  }
}

async function startLimit(
  { subject, target }: AnnexColumn,
  http2: boolean,
): Promise<Limit & { stop(): Promise<void> }> {
  const child: ChildProcess = fork(fileURLToPath(new URL("./raw-server.ts", import.meta.url)));
  const { certFile, keyFile } = subject.serving;
  child.send({ certFile, keyFile, http2 } satisfies RawStart);
  const [port] = await once(child, "message");
  return {
    // It lets everybody in, but is sent the same requests.
    target: { ...target, port },
    pids: () => [child.pid as number],
    compiling: 1,
    async teach(answers) {
      const taught = once(child, "message");
      child.send({ answers } satisfies RawOrder);
      await taught;
    },
    tell: (event) => void child.send({ event } satisfies RawOrder),
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
