/** What a cluster does to objects that it keeps elsewhere: rights, garbage, namespaces, and a store that is away. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createKubeClient, loadKubeconfig, writeEvent } from "../../../gateway/kubeclient/kubeclient.ts";
import { root } from "../../support/checkout.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import type { Finished } from "../../support/run.ts";
import { type Aggregated, startAggregated } from "./aggregated.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const group = "example.annex.dev";
/** Controllers look for new kinds every thirty seconds, and back off after failures. */
const patience = { timeoutMs: 180_000 };
/** How long the store is away; ANNEX_LONG=1 makes it the ten minutes of a real outage. */
const awayMs = process.env["ANNEX_LONG"] === "1" ? 600_000 : 60_000;

describe("Annex in a cluster", () => {
  let cluster: Cluster;
  let annex: Aggregated;
  const tryKubectl = (args: readonly string[], stdin = ""): Promise<Finished> =>
    runKubectl(args, { ...cluster, stdin });
  const kubectl = async (args: readonly string[], stdin = "") => {
    const { code, stdout, stderr } = await tryKubectl(args, stdin);
    assert.equal(code, 0, `kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const get = async (kind: string, name: string, namespace = "default") => {
    const text = await kubectl(["get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json"]);
    return text === "" ? undefined : JSON.parse(text);
  };
  const create = async (object: object) =>
    JSON.parse(await kubectl(["create", "-o", "json", "-f", "-"], JSON.stringify(object)));
  const widget = (name: string, namespace = "default", metadata: object = {}) => ({
    apiVersion: `${group}/v1`,
    kind: "Widget",
    metadata: { name, namespace, ...metadata },
    spec: { color: "red" },
  });
  const configMap = (name: string, metadata: object = {}) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "default", ...metadata },
  });

  before(async () => {
    cluster = await startCluster();
    annex = await startAggregated(cluster, {
      crds: [join(root, "stores/sql/examples")],
      config: () => ({
        cluster: { kubeconfigFile: cluster.kubeconfig },
        authorization: { cluster: "review" },
      }),
    });
  });
  after(async () => {
    await annex?.stop();
    await cluster?.stop();
  });

  test("RBAC of the cluster decides, at the gateway too, and takes rights away again", async () => {
    const caFile = join(cluster.dataDir, "annex-ca.crt");
    writeFileSync(caFile, annex.ca);
    const direct = ["--server", annex.url, "--certificate-authority", caFile];
    const listAsAnn = async (...more: string[]) => {
      const { code, stderr } = await tryKubectl(["get", "widgets", "-n", "default", "--as=ann", ...more]);
      if (code !== 0)
        assert.match(stderr, /widgets\.example\.annex\.dev is forbidden: User "ann" cannot list resource "widgets"/);
      return code === 0;
    };
    assert.deepEqual([await listAsAnn(), await listAsAnn(...direct)], [false, false]);
    await kubectl(["create", "role", "reader", "-n", "default", "--verb=get,list", `--resource=widgets.${group}`]);
    await kubectl(["create", "rolebinding", "reader", "-n", "default", "--role=reader", "--user=ann"]);
    // A "no" is kept for ten seconds.
    await eventually(async () => (await listAsAnn()) && (await listAsAnn(...direct)), "ann may list", patience);
    const denied = await tryKubectl(
      ["create", "-f", "-", "--as=ann", ...direct, "--validate=false"],
      JSON.stringify(widget("hers")),
    );
    assert.match(denied.stderr, /User "ann" cannot (create|get|patch) resource "widgets"/);
    await kubectl(["delete", "rolebinding", "reader", "-n", "default"]);
    await eventually(async () => !(await listAsAnn(...direct)), "ann may list no more", patience);
  });

  for (const policy of ["background", "foreground", "orphan"] as const) {
    for (const [name, owner, dependent] of [
      ["an owner in the cluster and a dependent in Annex", configMap, widget],
      ["an owner in Annex and a dependent in the cluster", widget, configMap],
      ["both in Annex", widget, widget],
    ] as const) {
      test(`garbage collection, ${policy}: ${name}`, async () => {
        const owners = await create(owner(`owner-${policy}`));
        const { apiVersion, kind, metadata } = owners;
        const reference = { apiVersion, kind, name: metadata.name, uid: metadata.uid, blockOwnerDeletion: true };
        const ownerReferences = [reference];
        const made =
          dependent === widget
            ? await create(widget(`dependent-${policy}`, "default", { ownerReferences }))
            : await create(configMap(`dependent-${policy}`, { ownerReferences }));
        await kubectl(["delete", kind, metadata.name, "-n", "default", `--cascade=${policy}`, "--wait=false"]);
        await eventually(async () => (await get(kind, metadata.name)) === undefined, "the owner is gone", patience);
        if (policy === "orphan") {
          const left = await get(made.kind, made.metadata.name);
          assert.deepEqual([left.metadata.uid, left.metadata.ownerReferences], [made.metadata.uid, undefined]);
          await kubectl(["delete", made.kind, made.metadata.name, "-n", "default"]);
          return;
        }
        const isGone = async () => (await get(made.kind, made.metadata.name)) === undefined;
        // In the foreground the owner waits for its dependents.
        if (policy === "foreground") assert.ok(await isGone());
        await eventually(isGone, "the dependent is gone", patience);
      });
    }
  }

  test("a namespace's deletion empties it, and nothing new gets in", async () => {
    await kubectl(["create", "namespace", "doomed"]);
    await create(widget("kept", "doomed", { finalizers: ["example.com/hold"] }));
    await create(widget("plain", "doomed"));
    await kubectl(["delete", "namespace", "doomed", "--wait=false"]);
    await eventually(async () => (await get("widget", "plain", "doomed")) === undefined, "plain objects go", patience);
    const late = await tryKubectl(["create", "-f", "-"], JSON.stringify(widget("late", "doomed")));
    assert.match(late.stderr, /unable to create new content in namespace doomed because it is being terminated/);
    await kubectl([
      "patch",
      "widget",
      "kept",
      "-n",
      "doomed",
      "--type=merge",
      "-p",
      '{"metadata":{"finalizers":null}}',
    ]);
    await eventually(async () => (await get("namespace", "doomed")) === undefined, "the namespace is gone", patience);
  });

  test("an event that a store records is shown beside its object", async () => {
    const { apiVersion, kind, metadata } = await create(widget("eventful"));
    const client = createKubeClient(loadKubeconfig(cluster.kubeconfig), { userAgent: "annex-test" });
    const about = { apiVersion, kind, namespace: "default", name: "eventful", uid: metadata.uid };
    const said = { type: "Warning", reason: "PaintIsWet", message: "don't touch", component: "annex.dev/sql" } as const;
    await writeEvent({ ...said, about }, { client, clock: () => new Date(), uuid: randomUUID });
    client.close();
    const shown = await kubectl(["describe", "widget", "eventful", "-n", "default"]);
    assert.match(shown, /Warning +PaintIsWet +\S+ +annex\.dev\/sql +don't touch/);
  });

  test("a creation in a namespace that isn't there is refused", async () => {
    const { stderr } = await tryKubectl(["create", "-f", "-"], JSON.stringify(widget("lost", "nowhere")));
    assert.match(stderr, /namespaces "nowhere" not found/);
  });

  test(`with its store away for ${awayMs / 1000} s the APIService stays Available; namespaces wait with the store named, and finish`, async () => {
    await kubectl(["create", "namespace", "held"]);
    await create(widget("inside", "held"));
    await kubectl(["create", "namespace", "other"]);
    annex.store.kill("SIGKILL");
    await annex.store.ended;
    const since = performance.now();
    await kubectl(["delete", "namespace", "held", "--wait=false"]);
    const transitions = new Set<string>();
    const conditions = new Set<string>();
    while (performance.now() < since + awayMs) {
      for (const version of ["v1", "v1beta1"]) {
        const service = JSON.parse(await kubectl(["get", "apiservice", `${version}.${group}`, "-o", "json"]));
        for (const { status, reason, lastTransitionTime } of service.status.conditions) {
          transitions.add(`${version} ${status} ${reason} ${lastTransitionTime}`);
        }
      }
      const held = await get("namespace", "held");
      for (const { type, status, message } of held.status.conditions ?? []) {
        if (status === "True") conditions.add(`${type}: ${message}`);
      }
      await new Promise<void>((resolve) => setTimeout(resolve, 1_000));
    }
    // One state for each version, and it never changed.
    assert.equal(transitions.size, 2, [...transitions].join("\n"));
    for (const one of transitions) assert.match(one, / True Passed /);
    const named = [...conditions].filter((one) => one.startsWith("NamespaceDeletionContentFailure: "));
    assert.ok(
      named.some((one) => one.includes('the store "sql"')),
      [...conditions].join("\n"),
    );
    // Clients are told when to come back, and everything else of the cluster goes on.
    const away = await tryKubectl(["get", "--raw", `/apis/${group}/v1/namespaces/held/widgets/inside`]);
    assert.match(away.stderr, /the store "sql" of widgets is not available|ServiceUnavailable/);
    await kubectl(["get", "--raw", `/apis/${group}/v1`]);
    await annex.startStore();
    await eventually(async () => (await get("namespace", "held")) === undefined, "the namespace is gone", patience);
  });
});
