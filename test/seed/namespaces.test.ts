/** NamespaceLifecycle, which kube-apiserver doesn't run for an aggregated API. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createNamespaceLifecycle } from "../../gateway/admission/admission.ts";
import { KubeError, type KubeRequest } from "../../gateway/kubeclient/kubeclient.ts";
import { Capability, Scope } from "../../gen/annex/store/v1/catalog_pb.js";
import { memoryCapabilities } from "../../stores/memory/store.ts";
import { startSeed, testType, testTypes } from "./seed.testing.ts";

test("writes into missing and terminating namespaces are refused; deletes, and what has no namespace, pass", async (t) => {
  const phases: Record<string, string> = { live: "Active" };
  const namespaceOf = (name: string) => ({ metadata: { name, resourceVersion: "1" }, status: { phase: phases[name] } });
  const events: ((line: string) => void)[] = [];
  const lifecycle = createNamespaceLifecycle({
    client: {
      async request({ path }: KubeRequest) {
        const name = path.split("/")[4];
        if (name === undefined) {
          return { items: Object.keys(phases).map(namespaceOf), metadata: { resourceVersion: "1" } } as never;
        }
        if (phases[name] === undefined) throw new KubeError("there is none", 404);
        return namespaceOf(name) as never;
      },
      async *lines({ signal }: KubeRequest) {
        for (;;) {
          const { promise, resolve, reject } = Promise.withResolvers<string>();
          signal?.addEventListener("abort", reject);
          events.push(resolve);
          yield await promise;
        }
      },
    },
    random: () => 0,
    log: { info: () => {}, warn: () => {} },
  });
  t.after(() => lifecycle.close());
  const capabilities = [...memoryCapabilities, Capability.UNCONDITIONAL_UPDATE];
  const { ask } = await startSeed(t, {
    admit: lifecycle.admit,
    stores: [
      [
        testTypes({ scope: Scope.NAMESPACED, capabilities }),
        testTypes({ plural: "clustertypes", kind: "ClusterType", capabilities }),
      ],
    ],
  });
  const path = (namespace: string) => `/apis/ext.cattle.io/v1/namespaces/${namespace}/testtypes`;
  const post = (namespace: string, name: string) => ask(path(namespace), { method: "POST", body: testType(name) });
  const put = (namespace: string, name: string) =>
    ask(`${path(namespace)}/${name}`, { method: "PUT", body: testType(name) });

  assert.equal((await post("live", "foo")).status, 201);
  const missing = await post("missing", "foo");
  assert.deepEqual([missing.status, missing.body.message], [404, 'namespaces "missing" not found']);

  phases["live"] = "Terminating";
  events.at(-1)?.(JSON.stringify({ type: "MODIFIED", object: namespaceOf("live") }));
  await new Promise<void>((done) => setImmediate(done));
  const refused = await post("live", "bar");
  assert.equal(refused.status, 403);
  assert.deepEqual(refused.body.details.causes, [
    { reason: "NamespaceTerminating", message: "namespace live is being terminated", field: "metadata.namespace" },
  ]);
  assert.equal((await put("live", "bar")).status, 403);
  assert.equal((await put("live", "foo")).status, 200);
  const merge = { "content-type": "application/merge-patch+json" };
  const patched = await ask(`${path("live")}/foo`, { method: "PATCH", headers: merge, body: { spec: { a: 1 } } });
  assert.equal(patched.status, 200);
  assert.equal((await ask(`${path("live")}/foo`, { method: "DELETE" })).status, 200);
  const ofCluster = { ...testType("foo"), kind: "ClusterType" };
  assert.equal((await ask("/apis/ext.cattle.io/v1/clustertypes", { method: "POST", body: ofCluster })).status, 201);
});
