/**
 * Annex behind a control plane's aggregation layer: a sql store and a gateway, two processes, and an
 * APIService for each version that they serve.
 *
 * There is no node, so the Service is a name for this machine; kube-apiserver verifies the serving
 * certificate for the Service's own name all the same.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { createAuthority, issueServerCertificate } from "../../../gateway/certificates/certificates.ts";
import { type AnnexProcess, startAnnex } from "../../support/annex-process.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { askAsAdmin } from "./ask.ts";
import { type Cluster, patience } from "./cluster.ts";

/** What is served. */
export interface AggregatedOptions {
  /** Files and folders of CustomResourceDefinition YAML. */
  readonly crds: readonly string[];
  /** Gives the port that the Service names, for who stands in front of the gateway. Default: the gateway's own. */
  readonly front?: (gateway: AnnexProcess) => number;
  /** More of the GatewayConfiguration: its top fields are put over ours. */
  readonly config?: (files: AggregatedFiles) => Readonly<Record<string, unknown>>;
}

/** Where things are. */
export interface AggregatedFiles {
  readonly folder: string;
  readonly cluster: Cluster;
}

/** A gateway behind kube-apiserver. */
export interface Aggregated {
  readonly gateway: AnnexProcess;
  /** As it was started last. */
  readonly store: AnnexProcess;
  /** Starts the store again, with its data and at its address, after it was killed. */
  startStore(): Promise<void>;
  /** Starts one more gateway by the same configuration, for whoever asked for it to stop. */
  startGateway(): Promise<AnnexProcess>;
  /** The gateway's own, past kube-apiserver. */
  readonly url: string;
  /** Of its serving certificate, PEM. */
  readonly ca: string;
  /** Issues another serving certificate and puts it in the place of the one before. @returns it, PEM. */
  renew(): Promise<string>;
  /** `group/version` of each APIService. */
  readonly groupVersions: readonly string[];
  stop(): Promise<void>;
}

const namespace = "annex-system";
const service = "annex";
/** An availability check comes at once, then every thirty seconds. */
const availableTimeout = "90s";

/** Rights that Kubernetes gives everybody who is known, and its controllers everywhere. */
const rbac = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: system:discovery}
rules:
- {verbs: [get], nonResourceURLs: [/api, /api/*, /apis, /apis/*, /openapi, /openapi/*, /version, /version/]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: system:discovery}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:discovery}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:authenticated}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: controllers}
rules:
- {verbs: ["*"], apiGroups: ["*"], resources: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: controllers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: controllers}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:serviceaccounts:kube-system}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: system:kube-controller-manager}
`;

/** Starts both and waits until every APIService is Available. */
export async function startAggregated(cluster: Cluster, options: AggregatedOptions): Promise<Aggregated> {
  const folder = join(cluster.dataDir, "annex");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const authority = await createAuthority("annex-serving-ca");
  const names = ["localhost", `${service}.${namespace}.svc`];
  const serve = async () => {
    const { cert, key } = await issueServerCertificate(authority, { names, ips: ["127.0.0.1"] });
    return { cert, files: { certFile: file("tls.crt", cert), keyFile: file("tls.key", key) } };
  };
  const crds = options.crds.flatMap((path) => ["--crds", path]);
  const listen = `unix:${join(folder, "store.sock")}`;
  const startStore = () =>
    startAnnex(["store", "sql", "--listen", listen, "--data", join(folder, "data"), ...crds], /^(unix:\S+)$/);
  let store = await startStore();
  const document = {
    apiVersion: "gateway.annex.dev/v1alpha1",
    kind: "GatewayConfiguration",
    listen: { host: "127.0.0.1", port: 0, ...(await serve()).files },
    authentication: {
      requestHeader: {
        clientCAFile: cluster.pki.frontProxyCa,
        allowedNames: [cluster.frontProxyName],
        uidHeaders: ["X-Remote-Uid"],
      },
      clientCAFile: cluster.pki.ca,
    },
    authorization: { rbacFiles: [file("rbac.yaml", rbac)] },
    stores: [{ name: "sql", address: store.ready, protocol: "connect" }],
    log: { level: "warn" },
    shutdown: { deadlineSeconds: 5 },
    ...options.config?.({ folder, cluster }),
  };
  let gateway: AnnexProcess | undefined;
  const stop = async () => {
    await gateway?.stop();
    await store.stop();
  };
  try {
    const config = file("gateway.yaml", stringify(document));
    const startGateway = () => startAnnex(["gateway", "--config", config], /^ready (\S+)$/);
    gateway = await startGateway();
    const url = gateway.ready;
    const groupVersions = await servedVersions(cluster, { url, ca: authority.cert });
    const port = options.front?.(gateway) ?? Number(new URL(url).port);
    await register(cluster, { groupVersions, port, ca: authority.cert });
    return {
      ...{ gateway, url, ca: authority.cert, groupVersions, startGateway, stop },
      renew: async () => (await serve()).cert,
      get store() {
        return store;
      },
      async startStore() {
        store = await startStore();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** kube-apiserver asks for discovery by itself, a moment after an APIService is Available. */
async function untilMerged(cluster: Cluster, groupVersions: readonly string[]): Promise<void> {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  await eventually(
    async () => {
      const { items } = JSON.parse(
        await askAsAdmin(cluster, { url: `${cluster.url}/apis`, accept }),
      ) as MergedDiscovery;
      const current = items.flatMap(({ metadata, versions }) =>
        versions.filter((one) => one.freshness === "Current").map((one) => `${metadata.name}/${one.version}`),
      );
      return groupVersions.every((one) => current.includes(one));
    },
    "kube-apiserver's discovery lists what the gateway serves",
    patience,
  );
}

interface MergedDiscovery {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly versions: readonly { readonly version: string; readonly freshness: string }[];
  }[];
}

/** Asks the gateway itself, until it has heard from its store. */
async function servedVersions(cluster: Cluster, at: { url: string; ca: string }): Promise<string[]> {
  let versions: string[] = [];
  await eventually(
    async () => {
      const { groups } = JSON.parse(await askAsAdmin(cluster, { url: `${at.url}/apis`, ca: at.ca })) as APIGroupList;
      versions = groups.flatMap((group) => group.versions.map((version) => version.groupVersion));
      return versions.length > 0;
    },
    "the gateway serves something",
    patience,
  );
  return versions;
}

interface APIGroupList {
  readonly groups: readonly { readonly versions: readonly { readonly groupVersion: string }[] }[];
}

async function register(
  cluster: Cluster,
  has: { readonly groupVersions: readonly string[]; readonly port: number; readonly ca: string },
): Promise<void> {
  const objects = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: service, namespace },
      spec: { type: "ExternalName", externalName: "localhost", ports: [{ port: has.port }] },
    },
    ...has.groupVersions.map((groupVersion, index) => {
      const [group = "", version = ""] = groupVersion.split("/");
      return {
        apiVersion: "apiregistration.k8s.io/v1",
        kind: "APIService",
        metadata: { name: `${version}.${group}` },
        spec: {
          ...{ group, version, groupPriorityMinimum: 1000 },
          // In the order in which the gateway prefers them.
          versionPriority: 1000 - index,
          service: { name: service, namespace, port: has.port },
          caBundle: Buffer.from(has.ca).toString("base64"),
        },
      };
    }),
  ];
  const stdin = objects.map((object) => JSON.stringify(object)).join("\n");
  const applied = await runKubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { ...cluster, stdin });
  assert.equal(applied.code, 0, applied.stderr);
  const services = has.groupVersions.map((one) => `apiservice/${one.split("/").reverse().join(".")}`);
  await untilAvailable(cluster, services);
  await untilMerged(cluster, has.groupVersions);
}

async function untilAvailable(cluster: Cluster, services: readonly string[]): Promise<void> {
  const wait = ["wait", "--for=condition=Available", `--timeout=${availableTimeout}`, ...services];
  const { code, stderr } = await runKubectl(wait, cluster);
  if (code === 0) return;
  const { stdout } = await runKubectl(["get", ...services, "-o", "yaml"], cluster);
  assert.fail(`${stderr}\n${stdout}`);
}
