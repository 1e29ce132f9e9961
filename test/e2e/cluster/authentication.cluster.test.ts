/**
 * Who asks, in a real cluster: its ConfigMap says whose word counts, it reviews tokens, and on the
 * gateway's own port people try to be somebody else.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { clientAuth, cn, type Issued, issue } from "../../../gateway/authn/certificates.fixture.ts";
import { issueClientCertificate } from "../../../gateway/certificates/certificates.ts";
import { createMemoryStore, historyEvents, memoryCapabilities } from "../../../stores/memory/store.ts";
import { type CallUser, readCrds, type ServedStore, type Store, serveStore } from "../../../stores/sdk/sdk.ts";
import { root } from "../../support/checkout.ts";
import { createClient, credentialsOf } from "../../support/client.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import type { Aggregated } from "./aggregated.ts";
import { type Cluster, patience, startCluster } from "./cluster.ts";
import { connectTo, kubeconfigWith, startDelegating } from "./delegating.ts";

/** kube-apiserver as an issuer of ID tokens: whoever asks may read its keys. */
const issuerRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: issuer-discovery}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:service-account-issuer-discovery}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: system:unauthenticated}]
`;

const configMap = ["configmap", "-n", "kube-system", "extension-apiserver-authentication"];
const account = "system:serviceaccount:default:default";

describe("authentication in a cluster", () => {
  let cluster: Cluster;
  let annex: Aggregated;
  let served: ServedStore;
  const users: (CallUser | undefined)[] = [];
  const kubectl = async (args: readonly string[], stdin = "") => {
    const { code, stdout, stderr } = await runKubectl(args, { ...cluster, stdin });
    assert.equal(code, 0, stderr);
    return stdout;
  };

  before(async () => {
    cluster = await startCluster({ controllerManager: false });
    await kubectl(["apply", "-f", "-"], issuerRights);
    await kubectl(["create", "serviceaccount", "default", "-n", "default"]);
    served = await serveStore(recording(users), { log: () => {} });
    const jwt = {
      issuer: { url: cluster.url, audiences: ["annex"], certificateAuthorityFile: cluster.pki.ca },
      claimMappings: { username: { claim: "sub", prefix: "signed:" } },
    };
    annex = await startDelegating(cluster, { jwt: [jwt] }, { stores: [{ name: "widgets", address: served.address }] });
  });
  after(async () => {
    await annex?.stop();
    await served?.stop();
    await cluster?.stop();
  });

  /** A connection past kube-apiserver, kept: each request says who the gateway took it for. */
  const connect = (pair: { readonly cert?: string; readonly key?: string } = {}) => connectTo(annex, pair);
  const frontProxy = () => ({
    cert: readFileSync(cluster.pki.frontProxy.cert, "utf8"),
    key: readFileSync(cluster.pki.frontProxy.key, "utf8"),
  });

  test("kube-apiserver's users arrive, those that it impersonates and its tokens' included", async () => {
    const refused = async (...args: string[]) =>
      (await runKubectl(["get", "widgets", "-n", "default", ...args], cluster)).stderr;
    assert.match(await refused("--as=ann", "--as-group=dev"), /: User "ann" cannot list resource "widgets"/);
    const token = (await kubectl(["create", "token", "default", "-n", "default"])).trim();
    const byToken = await runKubectl(["get", "widgets", "-n", "default"], {
      kubeconfig: kubeconfigWith(cluster, "token", { token }),
    });
    assert.match(byToken.stderr, new RegExp(`: User "${account}" cannot list resource "widgets"`));
    assert.equal(await kubectl(["get", "widgets", "-n", "default"]), "");
  });

  test("the store sees name, uid, groups and extra as kube-apiserver has them", async () => {
    const only = ["--verb=create", "--resource=widgets.example.annex.dev"];
    await kubectl(["create", "role", "maker", "-n", "default", ...only]);
    await kubectl(["create", "rolebinding", "maker", "-n", "default", "--role=maker", "--group=dev"]);
    const client = createClient({ url: cluster.url, credentials: credentialsOf(cluster.kubeconfig) });
    const headers = {
      ...{ "Impersonate-User": "ann", "Impersonate-Uid": "7", "Impersonate-Group": "dev" },
      "Impersonate-Extra-Example.com%2Fscope": "a, b %2F",
      "Content-Type": "application/json",
    };
    const body = JSON.stringify({
      ...{ apiVersion: "example.annex.dev/v1", kind: "Widget" },
      ...{ metadata: { generateName: "hers-" }, spec: { color: "red" } },
    });
    const path = "/apis/example.annex.dev/v1/namespaces/default/widgets";
    const isMade = async () => (await client.ask({ method: "POST", path, headers, body })).status === 201;
    await eventually(isMade, "her group's right counts", patience);
    client.close();
    const extra = { "example.com/scope": ["a, b %2F"] };
    assert.deepEqual(users, [{ name: "ann", uid: "7", groups: ["dev", "system:authenticated"], extra }]);
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
    await eventually(
      async () => (await late.as("X-Remote-User", "ann")) === "ann",
      "the new authority counts",
      patience,
    );
    // Long enough to be believed first, on a busy machine too.
    const lastsMs = 8_000;
    const brief = connect(await clientOf(added, cluster.frontProxyName, lastsMs));
    assert.equal(await brief.as("X-Remote-User", "ann"), "ann");
    await eventually(
      async () => (await brief.as("X-Remote-User", "ann")) === 401,
      "it expires on an open connection",
      patience,
    );
    await trust();
    await eventually(
      async () => (await late.as("X-Remote-User", "ann")) === 401,
      "the authority counts no more",
      patience,
    );
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

/** A store of the example kinds that keeps who created something. */
function recording(users: (CallUser | undefined)[]): Store {
  const crds = [join(root, "stores/sql/examples")];
  const resumeWindow = { minRevisions: BigInt(historyEvents), minAgeMs: 0n };
  const support = { capabilities: memoryCapabilities, resumeWindow, maxObjectBytes: 1024n * 1024n };
  const memory = createMemoryStore(readCrds(crds, support));
  return {
    ...memory,
    async create(call) {
      users.push(call.user);
      return (await memory.create?.(call)) as Awaited<ReturnType<NonNullable<Store["create"]>>>;
    },
  };
}

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
