/**
 * Who asks, in a real cluster: its ConfigMap says whose word counts, it reviews tokens, and on the
 * gateway's own port people try to be somebody else.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clientAuth, cn, type Issued, issue } from "../../../gateway/authn/certificates.fixture.ts";
import { issueClientCertificate } from "../../../gateway/certificates/certificates.ts";
import { root } from "../../support/checkout.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { type Aggregated, startAggregated } from "./aggregated.ts";
import { type Cluster, startCluster } from "./cluster.ts";

/** What the gateway may do in the cluster: read whom it trusts and which namespaces there are, and ask for reviews. */
const gatewayRights = `
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

/** kube-apiserver as an issuer of ID tokens: whoever asks may read its keys. */
const issuerRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: issuer-discovery}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:service-account-issuer-discovery}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:unauthenticated}]
`;

const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const configMap = ["configmap", "-n", "kube-system", "extension-apiserver-authentication"];
const account = "system:serviceaccount:default:default";

describe("authentication in a cluster", () => {
  let cluster: Cluster;
  let annex: Aggregated;
  const kubectl = async (args: readonly string[], stdin = "") => {
    const { code, stdout, stderr } = await runKubectl(args, { ...cluster, stdin });
    assert.equal(code, 0, stderr);
    return stdout;
  };

  before(async () => {
    cluster = await startCluster({ controllerManager: false });
    await kubectl(["apply", "-f", "-"], `${gatewayRights}---${issuerRights}`);
    await kubectl(["create", "serviceaccount", "default", "-n", "default"]);
    const kubeconfigFile = await kubeconfigOf(cluster, "annex-gateway");
    annex = await startAggregated(cluster, {
      crds: [join(root, "stores/sql/examples")],
      config: () => ({
        authentication: {
          cluster: {},
          jwt: [
            {
              issuer: { url: cluster.url, audiences: ["annex"], certificateAuthorityFile: cluster.pki.ca },
              claimMappings: { username: { claim: "sub", prefix: "signed:" } },
            },
          ],
        },
        authorization: { cluster: "review" },
        cluster: { kubeconfigFile },
      }),
    });
  });
  after(async () => {
    await annex?.stop();
    await cluster?.stop();
  });

  /** A connection past kube-apiserver, kept: each request says who the gateway took it for. */
  const connect = (pair: { readonly cert?: string; readonly key?: string } = {}) => createConnection(annex, pair);
  const frontProxy = () => ({
    cert: readFileSync(cluster.pki.frontProxy.cert, "utf8"),
    key: readFileSync(cluster.pki.frontProxy.key, "utf8"),
  });

  test("kube-apiserver's users arrive, those that it impersonates and its tokens' included", async () => {
    const refused = async (...args: string[]) =>
      (await runKubectl(["get", "widgets", "-n", "default", ...args], cluster)).stderr;
    assert.match(await refused("--as=ann", "--as-group=dev"), /: User "ann" cannot list resource "widgets"/);
    const token = (await kubectl(["create", "token", "default", "-n", "default"])).trim();
    const byToken = await runKubectl(["get", "widgets", "-n", "default"], { kubeconfig: tokenConfig(cluster, token) });
    assert.match(byToken.stderr, new RegExp(`: User "${account}" cannot list resource "widgets"`));
    assert.equal(await kubectl(["get", "widgets", "-n", "default"]), "");
  });

  test("a token is reviewed by the cluster, as a header and as a WebSocket's protocol", async () => {
    const token = (await kubectl(["create", "token", "default", "-n", "default"])).trim();
    const connection = connect();
    assert.equal(await connection.as("Authorization", `Bearer ${token}`), account);
    const protocol = `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`;
    const upgrade = ["Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Protocol"];
    assert.equal(await connection.as(...upgrade, `v5.channel.k8s.io, ${protocol}`), account);
    assert.equal(await connection.as(...upgrade, protocol), 401);
    assert.equal(await connection.as("Authorization", `Bearer ${token.slice(0, -4)}AAAA`), 401);
    assert.equal(await connection.as(), 401);
    connection.close();
  });

  test("a token is believed by its issuer's signature, and only if it is meant for the gateway", async () => {
    const tokenFor = async (audience: string) =>
      (await kubectl(["create", "token", "default", "-n", "default", "--audience", audience])).trim();
    const connection = connect();
    const token = await tokenFor("annex");
    assert.equal(await connection.as("Authorization", `Bearer ${token}`), `signed:${account}`);
    const [head, claims, signature] = token.split(".");
    const garbled = `${head}.${claims}.${signature?.split("").reverse().join("")}`;
    assert.equal(await connection.as("Authorization", `Bearer ${garbled}`), 401);
    assert.equal(await connection.as("Authorization", `Bearer ${await tokenFor("elsewhere")}`), 401);
    connection.close();
  });

  test("the front proxy is believed, the first of a doubled header, in any case", async () => {
    const connection = connect(frontProxy());
    assert.equal(await connection.as("X-Remote-User", "ann"), "ann");
    assert.equal(await connection.as("x-reMOTE-uSER", "ann", "X-Remote-User", "eve"), "ann");
    assert.equal(await connection.as("X-Remote-User", "", "X-Remote-User", "eve"), 401);
    assert.equal(await connection.as(), 401);
    assert.equal(await connection.as("X-Remote-User", "jürgen"), "jürgen");
    assert.equal(connection.sockets(), 1);
    connection.close();
  });

  test("nobody else is: without a certificate, with a client's, with the same name by another authority", async () => {
    const headers = ["X-Remote-User", "kubernetes-admin", "X-Remote-Group", "system:masters"];
    const caKey = join(cluster.dataDir, "pki/ca.key");
    const authority = { cert: readFileSync(cluster.pki.ca, "utf8"), key: readFileSync(caKey, "utf8") };
    const stranger = await issue({ subject: [cn("strangers")], ca: true });
    for (const [pair, known] of [
      [{}, 401],
      [await issueClientCertificate(authority, { name: "eve", groups: [] }), "eve"],
      [await issueClientCertificate(authority, { name: cluster.frontProxyName, groups: [] }), cluster.frontProxyName],
      [await clientOf(stranger, cluster.frontProxyName), 401],
      [await issueClientCertificate(await frontProxyAuthority(cluster), { name: "eve", groups: [] }), 401],
    ] as const) {
      const connection = connect(pair);
      assert.equal(await connection.as(...headers), known);
      assert.equal(await connection.as(...headers.map((one) => one.toUpperCase()).with(1, "kubernetes-admin")), known);
      connection.close();
    }
  });

  test("an authority that is added to the ConfigMap counts, and no more once it is taken out, on the same connection", async () => {
    const added = await issue({ subject: [cn("added-ca")], ca: true, notBefore: past(), notAfter: soon(3_600_000) });
    const late = connect(await clientOf(added, cluster.frontProxyName));
    assert.equal(await late.as("X-Remote-User", "ann"), 401);
    await trust(added);
    await eventually(async () => (await late.as("X-Remote-User", "ann")) === "ann", "the new authority counts");
    const lastsMs = 4_000;
    const brief = connect(await clientOf(added, cluster.frontProxyName, lastsMs));
    assert.equal(await brief.as("X-Remote-User", "ann"), "ann");
    await eventually(async () => (await brief.as("X-Remote-User", "ann")) === 401, "it expires on an open connection");
    await trust();
    await eventually(async () => (await late.as("X-Remote-User", "ann")) === 401, "the authority counts no more");
    assert.deepEqual([late.sockets(), brief.sockets()], [1, 1]);
    const proxy = connect(frontProxy());
    assert.equal(await proxy.as("X-Remote-User", "ann"), "ann");
    for (const connection of [late, brief, proxy]) connection.close();
  });

  /** Writes the front proxy's authority and one more into the ConfigMap. kube-apiserver puts its own there anyway. */
  async function trust(more?: Issued): Promise<void> {
    const pem = `${readFileSync(cluster.pki.frontProxyCa, "utf8")}${more === undefined ? "" : `${more.pem}\n`}`;
    const patch = JSON.stringify({ data: { "requestheader-client-ca-file": pem } });
    await kubectl(["patch", ...configMap, "--type=merge", "-p", patch]);
  }

  test("whoever may impersonate on the gateway's own port goes on as the other", async () => {
    const admin = connect({
      cert: readFileSync(cluster.pki.admin.cert, "utf8"),
      key: readFileSync(cluster.pki.admin.key, "utf8"),
    });
    assert.equal(await admin.as("Impersonate-User", "ann"), "ann");
    assert.equal(await admin.as("Impersonate-User", account), account);
    assert.equal(await admin.as("Impersonate-Group", "dev"), 400);
    const proxy = connect(frontProxy());
    assert.equal(await proxy.as("X-Remote-User", "eve", "Impersonate-User", "ann"), "eve");
    for (const connection of [admin, proxy]) connection.close();
  });
});

function past(): Date {
  return new Date(Date.now() - 60_000);
}

function soon(ms: number): Date {
  return new Date(Date.now() + ms);
}

async function clientOf(authority: Issued, name: string, lastsMs = 3_600_000) {
  const client = await issue({
    subject: [cn(name)],
    by: authority,
    usages: [clientAuth],
    notBefore: past(),
    notAfter: soon(lastsMs),
  });
  const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", client.keys.privateKey)).toString("base64");
  return { cert: client.pem, key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` };
}

async function frontProxyAuthority(cluster: Cluster) {
  const key = readFileSync(join(cluster.dataDir, "pki/front-proxy-ca.key"), "utf8");
  return { cert: readFileSync(cluster.pki.frontProxyCa, "utf8"), key };
}

async function kubeconfigOf(cluster: Cluster, name: string): Promise<string> {
  const key = readFileSync(join(cluster.dataDir, "pki/ca.key"), "utf8");
  const pair = await issueClientCertificate({ cert: readFileSync(cluster.pki.ca, "utf8"), key }, { name, groups: [] });
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return writeConfig(cluster, name, {
    "client-certificate-data": base64(pair.cert),
    "client-key-data": base64(pair.key),
  });
}

function tokenConfig(cluster: Cluster, token: string): string {
  return writeConfig(cluster, "token", { token });
}

function writeConfig(cluster: Cluster, name: string, user: object): string {
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

/** One connection to the gateway, kept from request to request. */
function createConnection({ url, ca }: Aggregated, pair: { readonly cert?: string; readonly key?: string }) {
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
