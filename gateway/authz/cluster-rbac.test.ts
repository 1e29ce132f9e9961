import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { JsonObject } from "../apimachinery/json.ts";
import type { KubeRequest } from "../kubeclient/kubeclient.ts";
import { asked } from "./asked.fixture.ts";
import type { Decision } from "./authorizer.ts";
import { followClusterRbac, rbacObjectFrom } from "./cluster-rbac.ts";
import { rbacAuthorizer } from "./rbac.ts";

const silent = { info: () => {}, warn: () => {} };
const role = {
  metadata: { name: "r", resourceVersion: "1" },
  rules: [{ verbs: ["get"], apiGroups: ["g"], resources: ["things"] }],
};
const binding = {
  metadata: { name: "b", resourceVersion: "1" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "r" },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "u" }],
};

test("followClusterRbac() allows nothing until all four collections are there, then follows their events", async (t) => {
  const lists: Record<string, unknown[]> = { clusterroles: [role], clusterrolebindings: [binding] };
  const held = Promise.withResolvers<void>();
  const events = new Map<string, (event: object) => void>();
  const client = {
    async request({ path }: KubeRequest) {
      if (path.endsWith("/rolebindings")) await held.promise;
      const items = lists[path.split("/").at(-1) ?? ""] ?? [];
      return { items, metadata: { resourceVersion: "5" } } as JsonObject;
    },
    async *lines({ path, signal }: KubeRequest) {
      for (;;) {
        const { promise, resolve, reject } = Promise.withResolvers<object>();
        signal?.addEventListener("abort", reject);
        events.set(path.split("/").at(-1) ?? "", resolve);
        yield JSON.stringify(await promise);
      }
    },
  };
  const cluster = followClusterRbac({ client, random: () => 0, log: silent, pause: async () => {} });
  t.after(() => cluster.close());
  const authorize = rbacAuthorizer(cluster.rules);
  const now = () => (authorize(asked()) as Decision).outcome;
  for (let at = 0; at < 10; at++) await turn();
  assert.equal(now(), "noOpinion");
  held.resolve();
  await cluster.synced();
  assert.equal(now(), "allow");
  while (!events.has("clusterrolebindings")) await turn();
  const tell = async (type: string, object: object) => {
    events.get("clusterrolebindings")?.({ type, object });
    for (let at = 0; at < 10; at++) await turn();
  };
  const metadata = { name: "b", resourceVersion: "6" };
  await tell("MODIFIED", { ...binding, metadata, subjects: [{ kind: "User", name: "somebody else" }] });
  assert.equal(now(), "noOpinion");
  await tell("MODIFIED", { ...binding, metadata: { name: "b", resourceVersion: "7" } });
  assert.equal(now(), "allow");
  await tell("DELETED", { ...binding, metadata: { name: "b", resourceVersion: "8" } });
  assert.equal(now(), "noOpinion");
});

test("rbacObjectFrom() takes what it can't read for nothing", () => {
  const odd = {
    metadata: { name: "x", namespace: "ns", resourceVersion: "1" },
    rules: [7, { verbs: "get" }],
    subjects: {},
  };
  const none = { verbs: [], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] };
  const read = rbacObjectFrom("Role", odd);
  assert.deepEqual("rules" in read && read.rules, [none, none]);
  assert.deepEqual(rbacObjectFrom("RoleBinding", { ...odd, subjects: [{ kind: "Robot", name: "r" }] }), {
    kind: "RoleBinding",
    name: "x",
    namespace: "ns",
    roleRef: { kind: "", name: "" },
    subjects: [],
  });
});
