/**
 * Annex as it stands in a cluster: the ConfigMap says whose word counts, and users' tokens and rights
 * are reviewed by kube-apiserver, which knows the gateway as a user of its own.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { issueClientCertificate } from "../../../gateway/certificates/certificates.ts";
import { root } from "../../support/checkout.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { type Aggregated, startAggregated } from "./aggregated.ts";
import type { Cluster } from "./cluster.ts";

/** What the gateway may do in the cluster: read whom it trusts and which namespaces there are, and ask for reviews. */
const rights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: annex-gateway, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extension-apiserver-authentication-reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: annex-gateway}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: annex-gateway}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:auth-delegator}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: annex-gateway}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: annex-gateway}
rules: [{apiGroups: [""], resources: [namespaces], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: annex-gateway-namespaces}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: annex-gateway}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: annex-gateway}]
`;

const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";

/** Starts a gateway that asks the cluster. `more` are fields of its `authentication`, `sections` others beside it. */
export async function startDelegating(cluster: Cluster, more: object = {}, sections: object = {}): Promise<Aggregated> {
  const { code, stderr } = await runKubectl(["apply", "-f", "-"], { ...cluster, stdin: rights });
  assert.equal(code, 0, stderr);
  const kubeconfigFile = await kubeconfigOf(cluster, "annex-gateway");
  return await startAggregated(cluster, {
    crds: [join(root, "stores/sql/examples")],
    config: () => ({
      authentication: { cluster: {}, ...more },
      authorization: { cluster: "review" },
      cluster: { kubeconfigFile },
      ...sections,
    }),
  });
}

async function kubeconfigOf(cluster: Cluster, name: string): Promise<string> {
  const key = readFileSync(join(cluster.dataDir, "pki/ca.key"), "utf8");
  const pair = await issueClientCertificate({ cert: readFileSync(cluster.pki.ca, "utf8"), key }, { name, groups: [] });
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return kubeconfigWith(cluster, name, {
    "client-certificate-data": base64(pair.cert),
    "client-key-data": base64(pair.key),
  });
}

/** Writes a kubeconfig of the cluster for somebody with these credentials. @returns its path. */
export function kubeconfigWith(cluster: Cluster, name: string, user: object): string {
  const file = join(cluster.dataDir, `${name}.kubeconfig`);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server: cluster.url, "certificate-authority": cluster.pki.ca } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

/** Opens one connection to the gateway, past kube-apiserver, kept from request to request. */
export function connectTo({ url, ca }: Aggregated, pair: { readonly cert?: string; readonly key?: string }) {
  const agent = new Agent({ ca, ...pair, keepAlive: true, maxSockets: 1 });
  const sockets = new Set<Socket>();
  return {
    /** Gives the user that the gateway takes a request for, by its refusal to list widgets; else the status. */
    async as(...headers: readonly string[]): Promise<string | number> {
      const host = new URL(url).host;
      const raw = ["Host", host, ...headers.map((one) => Buffer.from(one).toString("latin1"))];
      const asked = request(`${url}${widgets}`, { agent, headers: raw });
      asked.once("socket", (socket) => sockets.add(socket));
      asked.end();
      const [reply] = await once(asked, "response");
      let text = "";
      for await (const chunk of reply.setEncoding("utf8")) text += chunk;
      if (reply.statusCode !== 403) return reply.statusCode;
      return /User "(.*)" cannot (?:list|impersonate)/.exec(JSON.parse(text).message)?.[1] ?? text;
    },
    sockets: () => sockets.size,
    close: () => agent.destroy(),
  };
}
