/**
 * The test that Kubernetes asks of every cluster about aggregated APIs, with Annex in the place of the
 * sample-apiserver: its steps in its order and by its names.
 *
 * There is no node here, so these stand for what one does:
 * - the Deployment: a gateway, and instead of its container of etcd a sql store; both are processes;
 * - the mounted Secret, and the pod's token: files, with what the Secret holds, and a token of the
 *   namespace's ServiceAccount `default`, which is all that the gateway is in the cluster;
 * - the Service's address: the name localhost, and a forwarder that has the gateway once it is ready;
 * - the controller that gives a namespace that ServiceAccount: we do.
 * It asks the pods for nothing but logs to print, which is left out.
 * Source: Kubernetes 1.36, test/e2e/apimachinery/aggregator.go.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { createAuthority, issueServerCertificate } from "../../../gateway/certificates/certificates.ts";
import { type AnnexProcess, startAnnex } from "../../support/annex-process.ts";
import { root } from "../../support/checkout.ts";
import { type Client, createClient, credentialsOf } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { run } from "../../support/run.ts";
import { type Cluster, patience, startCluster } from "./cluster.ts";
import { kubeconfigWith } from "./delegating.ts";
import { type Forwarder, startForwarder } from "./forwarder.ts";
import { buildGoProgram } from "./go-program.ts";

const group = "wardle.example.com";
const version = "v1alpha1";
const apiService = `${version}.${group}`;
const namespace = `aggregator-${randomInt(10_000)}`;
const account = `system:serviceaccount:${namespace}:default`;
const names = {
  roleBinding: `wardler-auth-reader-${namespace}`,
  clusterRole: `sample-apiserver-reader-${namespace}`,
  clusterRoleBinding: `wardler:${namespace}sample-apiserver-reader-${namespace}`,
  delegator: `wardler:${namespace}:auth-delegator`,
};
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const paths = {
  namespaced: `/api/v1/namespaces/${namespace}`,
  roleBindings: `${rbac}/namespaces/kube-system/rolebindings`,
  clusterRoles: `${rbac}/clusterroles`,
  clusterRoleBindings: `${rbac}/clusterrolebindings`,
  apiServices: "/apis/apiregistration.k8s.io/v1/apiservices",
  apiService: `/apis/apiregistration.k8s.io/v1/apiservices/${apiService}`,
  flunders: `/apis/${group}/${version}/namespaces/default/flunders`,
};
const clusterRole = (name: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name });
const subjects = [{ kind: "ServiceAccount", name: "default", namespace }];
const reads = ["get", "list", "watch"];

interface Condition {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}
interface ApiService {
  readonly metadata: { readonly name: string; resourceVersion: string; labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly versionPriority: number };
  readonly status: { readonly conditions: Condition[] };
}

describe("should be able to support the Sample API Server using the current Aggregator", () => {
  const authority = createAuthority("e2e-server-cert-ca");
  let cluster: Cluster;
  let client: Client;
  let forwarder: Forwarder;
  let dynamicClient: string;
  let store: AnnexProcess | undefined;
  let deploying: Promise<AnnexProcess> | undefined;
  const flunder = { rest: `rest-flunder-${randomInt(2 ** 31)}`, dynamic: `dynamic-flunder-${randomInt(2 ** 31)}` };

  before(async () => {
    cluster = await startCluster({ controllerManager: false });
    client = createClient({ url: cluster.url, credentials: credentialsOf(cluster.kubeconfig) });
    forwarder = await startForwarder();
    dynamicClient = await buildGoProgram("dynamicclient", cluster.dataDir);
    await create("/api/v1/namespaces", { metadata: { name: namespace } });
    await create(`${paths.namespaced}/serviceaccounts`, { metadata: { name: "default" } });
  });
  after(async () => {
    client?.close();
    await (await deploying?.catch(() => undefined))?.stop();
    await store?.stop();
    forwarder?.close();
    await cluster?.stop();
  });

  /** Asks kube-apiserver as its admin. @throws AssertionError with its answer if that is no success. */
  async function ask(method: string, path: string, body?: object, type = "application/json") {
    const headers = { "Content-Type": type, Accept: "application/json" };
    const answer = await client.ask({
      ...{ method, path, headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body}`);
    return { status: answer.status, body: JSON.parse(answer.body) };
  }
  const create = async (path: string, object: object) => await ask("POST", path, object);
  const status = async (): Promise<ApiService> => (await ask("GET", `${paths.apiService}/status`)).body;
  const flunders = async (): Promise<unknown[]> => (await ask("GET", paths.flunders)).body.items;
  const hasCondition = ({ status }: ApiService, { type, reason, message }: Condition) =>
    status.conditions.some((one) => one.type === type && one.reason === reason && one.message === message);

  /** Reads, changes and writes again while somebody else was faster. */
  async function retryOnConflict(path: string, change: (object: ApiService) => void): Promise<ApiService> {
    for (let left = 5; ; left--) {
      const { body: object } = await ask("GET", path);
      change(object);
      const headers = { "Content-Type": "application/json" };
      const answer = await client.ask({ method: "PUT", path, headers, body: JSON.stringify(object) });
      if (answer.status === 200) return JSON.parse(answer.body);
      assert.ok(answer.status === 409 && left > 0, answer.body);
    }
  }

  /** One call of client-go's dynamic client, in the test's own namespace. */
  async function dynamic(verb: "create" | "list" | "delete", has: { name?: string; object?: object } = {}) {
    const about = { kubeconfig: cluster.kubeconfig, group, version, plural: "flunders", namespace, verb };
    const flags = Object.entries({ ...about, name: has.name ?? "" }).map(([name, value]) => `--${name}=${value}`);
    const { code, stdout, stderr } = await run(dynamicClient, flags, { stdin: JSON.stringify(has.object ?? {}) });
    assert.equal(code, 0, stderr);
    return stdout === "" ? undefined : JSON.parse(stdout);
  }
  const createDynamic = async () =>
    await dynamic("create", {
      object: {
        apiVersion: `${group}/${version}`,
        kind: "Flunder",
        metadata: { name: flunder.dynamic, creationTimestamp: null },
        spec: {},
        status: {},
      },
    });

  describe("Registering the sample API server.", () => {
    test("creating secret sample-apiserver-secret", async () => {
      const { cert, key } = await issueServerCertificate(await authority, {
        names: [`sample-api.${namespace}.svc`],
        ips: [],
      });
      const data = { "tls.crt": base64(cert), "tls.key": base64(key) };
      await create(`${paths.namespaced}/secrets`, { metadata: { name: "sample-apiserver-secret" }, data });
    });

    test("creating cluster role, and its binding", async () => {
      await create(paths.clusterRoles, {
        metadata: { name: names.clusterRole },
        rules: [
          { verbs: reads, apiGroups: [""], resources: ["namespaces"] },
          { verbs: reads, apiGroups: ["admissionregistration.k8s.io"], resources: ["*"] },
          {
            verbs: reads,
            apiGroups: ["flowcontrol.apiserver.k8s.io"],
            resources: ["prioritylevelconfigurations", "flowschemas"],
          },
        ],
      });
      const metadata = { name: names.clusterRoleBinding };
      await create(paths.clusterRoleBindings, { metadata, roleRef: clusterRole(names.clusterRole), subjects });
    });

    test("creating cluster role binding of system:auth-delegator", async () => {
      const metadata = { name: names.delegator };
      await create(paths.clusterRoleBindings, { metadata, roleRef: clusterRole("system:auth-delegator"), subjects });
    });

    test("creating deployment sample-apiserver-deployment", async () => {
      const config = await mount();
      const crds = join(root, "test/fixtures/flunders.yaml");
      const data = join(cluster.dataDir, "flunders");
      store = await startAnnex(["store", "sql", "--data", data, "--crds", crds], /^(unix:\S+)$/);
      const stores = [{ name: "sql", address: store.ready, protocol: "connect" }];
      writeFileSync(config.file, stringify({ ...config.document, stores }), { mode: 0o600 });
      // It can't read the ConfigMap yet: that right comes last, and it waits.
      deploying = startAnnex(["gateway", "--config", config.file], /^ready (\S+)$/);
      deploying.catch(() => {});
    });

    test("creating service sample-api", async () => {
      await create(`${paths.namespaced}/services`, {
        metadata: { name: "sample-api", labels: { test: "aggregator" } },
        spec: { type: "ExternalName", externalName: "localhost", ports: [{ port: forwarder.port }] },
      });
    });

    test("creating service account sample-apiserver", async () => {
      await create(`${paths.namespaced}/serviceaccounts`, { metadata: { name: "sample-apiserver" } });
    });

    test("creating role binding of extension-apiserver-authentication-reader", async () => {
      await create(paths.roleBindings, {
        metadata: {
          name: names.roleBinding,
          annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
        },
        roleRef: { apiGroup: "", kind: "Role", name: "extension-apiserver-authentication-reader" },
        subjects,
      });
    });

    test("deploying extension apiserver, which may do nothing else in the cluster", async () => {
      const gateway = await deploying;
      assert.ok(gateway);
      forwarder.add(Number(new URL(gateway.ready).port));
      const may = async (...what: string[]) =>
        (await runKubectl(["auth", "can-i", ...what, `--as=${account}`], cluster)).stdout.trim();
      const reader = ["get", "configmap/extension-apiserver-authentication", "-n", "kube-system"];
      assert.equal(await may(...reader), "yes");
      assert.equal(await may("get", "configmap/other", "-n", "kube-system"), "no");
      assert.equal(await may("list", "secrets", "-n", namespace), "no");
    });

    test(`creating apiservice ${apiService}`, async () => {
      await create(paths.apiServices, {
        metadata: { name: apiService },
        spec: {
          service: { namespace, name: "sample-api", port: forwarder.port },
          ...{ group, version, groupPriorityMinimum: 2000, versionPriority: 200 },
          caBundle: base64((await authority).cert),
        },
      });
    });

    test("waited for the sample-apiserver to be ready to handle requests", async () => {
      const isReady = async () => {
        const answer = await client.ask({ path: paths.flunders });
        if (answer.status === 200) return true;
        const isUnknown = answer.status === 404 && !answer.body.startsWith("{");
        assert.ok(isUnknown || [403, 503].includes(answer.status), `${answer.status} ${answer.body}`);
        return false;
      };
      await eventually(isReady, "flunders are served", { timeoutMs: 60_000 });
    });
  });

  /** Writes what a kubelet would mount, and gives the configuration over it, without its stores. */
  async function mount() {
    const folder = join(cluster.dataDir, "pod");
    mkdirSync(folder, { mode: 0o700 });
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const { body: secret } = await ask("GET", `${paths.namespaced}/secrets/sample-apiserver-secret`);
    const [certFile, keyFile] = ["tls.crt", "tls.key"].map((name) =>
      file(name, Buffer.from(secret.data[name], "base64").toString()),
    );
    const { body: granted } = await create(`${paths.namespaced}/serviceaccounts/default/token`, { spec: {} });
    const tokenFile = file("token", granted.status.token);
    return {
      file: join(folder, "gateway.yaml"),
      document: {
        ...{ apiVersion: "gateway.annex.dev/v1alpha1", kind: "GatewayConfiguration" },
        listen: { host: "127.0.0.1", port: 0, certFile, keyFile },
        authentication: { cluster: {} },
        authorization: { cluster: "review" },
        cluster: { kubeconfigFile: kubeconfigWith(cluster, "sample-apiserver", { tokenFile }) },
        log: { level: "warn" },
        shutdown: { deadlineSeconds: 5 },
      },
    };
  }

  test("creating a new flunders resource", async () => {
    const { status, body } = await create(paths.flunders, {
      ...{ apiVersion: `${group}/${version}`, kind: "Flunder" },
      metadata: { labels: { "sample-label": "true" }, name: flunder.rest, namespace: "default" },
    });
    assert.deepEqual(
      [status, body.apiVersion, body.kind, body.metadata.name],
      [201, `${group}/${version}`, "Flunder", flunder.rest],
    );
  });

  test("attempting to get a newly created flunders resource", async () => {
    assert.equal((await flunders()).length, 1);
  });

  test("attempting to delete a newly created flunders resource", async () => {
    await ask("DELETE", `${paths.flunders}/${flunder.rest}`);
  });

  test("confirming delete of a newly created flunders resource", async () => {
    assert.deepEqual(await flunders(), []);
  });

  test("getting group version resources for dynamic client, and creating flunders using it", async () => {
    const created = await createDynamic();
    assert.equal(created.metadata.name, flunder.dynamic);
  });

  test("listing flunders using dynamic client", async () => {
    assert.equal((await dynamic("list")).items.length, 1);
  });

  let oldVersion = "";
  test(`Read Status for ${apiService}`, async () => {
    const { metadata, status: seen } = await status();
    oldVersion = metadata.resourceVersion;
    assert.match(oldVersion, /^[1-9]\d*$/);
    assert.equal(seen.conditions[0]?.message, "all checks passed");
  });

  test(`kubectl patch apiservice ${apiService} -p '{"spec":{"versionPriority": 400}}'`, async () => {
    const patch = { spec: { versionPriority: 400 } };
    const { body } = await ask("PATCH", paths.apiService, patch, "application/merge-patch+json");
    assert.equal(body.spec.versionPriority, 400);
    assert.ok(BigInt(body.metadata.resourceVersion) > BigInt(oldVersion));
  });

  test("List APIServices", async () => {
    const { items } = (await ask("GET", paths.apiServices)).body as { items: ApiService[] };
    assert.ok(items.some(({ metadata }) => metadata.name === apiService));
  });

  test("Adding a label to the APIService", async () => {
    const patch = { metadata: { labels: { "e2e-apiservice": "patched" } } };
    await ask("PATCH", paths.apiService, patch, "application/strategic-merge-patch+json");
    const { metadata } = (await ask("GET", paths.apiService)).body as ApiService;
    assert.deepEqual(metadata.labels, { "e2e-apiservice": "patched" });
  });

  const updated = { type: "StatusUpdated", status: "True", reason: "E2E", message: "Set from e2e test" };
  test("Updating APIService Status", async () => {
    await retryOnConflict(`${paths.apiService}/status`, ({ status: { conditions } }) => void conditions.push(updated));
  });

  test(`Confirm that ${apiService} /status was updated`, async () => {
    const seen = await status();
    assert.ok(hasCondition(seen, updated), JSON.stringify(seen.status));
  });

  test(`Replace APIService ${apiService}`, async () => {
    const { metadata } = await retryOnConflict(paths.apiService, (object) => {
      object.metadata.labels = { [apiService]: "updated" };
    });
    assert.deepEqual(metadata.labels, { [apiService]: "updated" });
  });

  test("Delete flunders resource", async () => {
    await dynamic("delete", { name: flunder.dynamic });
    assert.deepEqual((await dynamic("list")).items, []);
  });

  test("Recreating test-flunder before removing endpoint via deleteCollection", async () => {
    await createDynamic();
    assert.equal((await dynamic("list")).items.length, 1);
  });

  let beforePatch: ApiService;
  test(`Read ${apiService} /status before patching it`, async () => {
    beforePatch = await status();
    assert.ok(hasCondition(beforePatch, updated));
  });

  const patched = { type: "StatusPatched", status: "True", reason: "E2E", message: "Set by e2e test" };
  test("Patch APIService Status", async () => {
    const patch = { status: { conditions: [...beforePatch.status.conditions, patched] } };
    await ask("PATCH", `${paths.apiService}/status`, patch, "application/merge-patch+json");
  });

  test(`Confirm that ${apiService} /status was patched`, async () => {
    const seen = await status();
    assert.ok(hasCondition(seen, patched), JSON.stringify(seen.status));
  });

  const selected = `${paths.apiServices}?labelSelector=${apiService}%3Dupdated`;
  test(`APIService deleteCollection with labelSelector: "${apiService}=updated"`, async () => {
    assert.equal((await ask("GET", selected)).body.items.length, 1);
    await ask("DELETE", selected);
  });

  test("Confirm that the generated APIService has been deleted", async () => {
    const isGone = async () => (await ask("GET", selected)).body.items.length === 0;
    await eventually(isGone, "the APIService is gone", patience);
  });

  test("what was set up is taken away", async () => {
    const gone = await client.ask({ method: "DELETE", path: paths.apiService });
    assert.equal(gone.status, 404);
    assert.equal(await (await deploying)?.stop(), 0);
    for (const path of [
      `${paths.namespaced}/secrets/sample-apiserver-secret`,
      `${paths.namespaced}/services/sample-api`,
      `${paths.namespaced}/serviceaccounts/sample-apiserver`,
      `${paths.roleBindings}/${names.roleBinding}`,
      `${paths.clusterRoleBindings}/${encodeURIComponent(names.delegator)}`,
      `${paths.clusterRoles}/${names.clusterRole}`,
      `${paths.clusterRoleBindings}/${encodeURIComponent(names.clusterRoleBinding)}`,
    ]) {
      await ask("DELETE", path);
    }
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
