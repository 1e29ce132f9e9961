/** A gateway that isn't embedded asks the host cluster, or a webhook, by Kubernetes' own protocols. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pino } from "pino";
import { parseGatewayConfig } from "../../gateway/config.ts";
import { startGateway } from "../../gateway/main.ts";
import { createServingFolder, issueClient, type ServingFolder } from "../support/certificates.ts";

// biome-ignore lint/suspicious/noExplicitAny: what comes over the wire is compared, not trusted.
type Json = any;

/** An https server that answers JSON, and a kubeconfig of it with a token. */
async function startHost(t: TestContext, files: ServingFolder, answer: (path: string, body: Json) => Json) {
  const asked: { path: string; token: string | undefined; body: Json }[] = [];
  const tls = { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) };
  const server = createServer(tls, async (incoming, reply) => {
    let text = "";
    for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
    const path = incoming.url ?? "";
    const body = text === "" ? undefined : JSON.parse(text);
    asked.push({ path, token: incoming.headers.authorization, body });
    reply.setHeader("Content-Type", "application/json").end(JSON.stringify(answer(path, body)));
  }).listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function kubeconfig(files: ServingFolder, name: string, server: string): string {
  const ca = Buffer.from(files.authority.cert).toString("base64");
  const config = {
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": ca } }],
    users: [{ name: "u", user: { token: "our-token" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  writeFileSync(join(files.folder, name), JSON.stringify(config), { mode: 0o600 });
  return name;
}

async function startAsking(t: TestContext, files: ServingFolder, sections: object) {
  const config = parseGatewayConfig(
    JSON.stringify({
      apiVersion: "gateway.annex.dev/v1alpha1",
      kind: "GatewayConfiguration",
      listen: { host: "127.0.0.1", port: 0, certFile: "tls.crt", keyFile: "tls.key" },
      authentication: { clientCAFile: "ca.crt" },
      admission: { namespaceLifecycle: false },
      ...sections,
    }),
    join(files.folder, "gateway.yaml"),
  );
  writeFileSync(join(files.folder, "ca.crt"), files.authority.cert);
  const gateway = await startGateway(config, { log: pino({ level: "silent" }) });
  t.after(() => gateway.drain());
  const client = await issueClient(files.authority, "somebody");
  const agent = new Agent({ ca: files.authority.cert, ...client, keepAlive: false });
  return async (path: string, headers: Record<string, string> = {}) => {
    const [response] = await once(request(new URL(path, gateway.url), { agent, headers }).end(), "response");
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    return { status: response.statusCode, text };
  };
}

test("a TokenReview webhook is asked at its own address, before the host cluster; a token that neither knows is a 401", async (t) => {
  const files = await createServingFolder(t);
  const knows =
    (known: string) =>
    (_path: string, { spec }: Json) => ({
      kind: "TokenReview",
      status: spec.token === known ? { authenticated: true, user: { username: `owner of ${known}` } } : {},
    });
  const webhook = await startHost(t, files, knows("theirs"));
  const host = await startHost(t, files, knows("the-cluster-s"));
  const ask = await startAsking(t, files, {
    cluster: { kubeconfigFile: kubeconfig(files, "host", host.url) },
    authentication: {
      cluster: { certificates: false },
      webhook: { kubeconfigFile: kubeconfig(files, "webhook", `${webhook.url}/authenticate`), audiences: ["annex"] },
    },
  });
  const said = async (token: string) => {
    const { status, text } = await ask("/version", { Authorization: `Bearer ${token}` });
    return [status, /User \\"([^"\\]*)/.exec(text)?.[1]];
  };
  assert.deepEqual(await said("theirs"), [403, "owner of theirs"]);
  assert.deepEqual(await said("the-cluster-s"), [403, "owner of the-cluster-s"]);
  assert.deepEqual(await said("nobody-s"), [401, undefined]);
  assert.deepEqual(
    webhook.asked.map(({ path, token, body }) => [path, token, body.spec.token, body.spec.audiences]),
    ["theirs", "the-cluster-s", "nobody-s"].map((token) => ["/authenticate", "Bearer our-token", token, ["annex"]]),
  );
  assert.deepEqual(
    host.asked.map(({ path, body }) => [path, body.spec.token]),
    ["the-cluster-s", "nobody-s"].map((token) => ["/apis/authentication.k8s.io/v1/tokenreviews", token]),
  );
});

test("a SubjectAccessReview webhook is asked at its own address, before the host cluster", async (t) => {
  const files = await createServingFolder(t);
  const webhook = await startHost(t, files, (_path, { spec }) => ({
    kind: "SubjectAccessReview",
    status:
      spec.nonResourceAttributes.path === "/denied"
        ? { allowed: false, denied: true, reason: "not that" }
        : { allowed: false },
  }));
  const host = await startHost(t, files, (_path, { spec }) => ({
    kind: "SubjectAccessReview",
    status: { allowed: spec.nonResourceAttributes.path === "/version", reason: "RBAC said so" },
  }));
  const ask = await startAsking(t, files, {
    cluster: { kubeconfigFile: kubeconfig(files, "host", host.url) },
    authorization: {
      cluster: "review",
      webhook: { kubeconfigFile: kubeconfig(files, "webhook", `${webhook.url}/authorize`) },
    },
  });
  assert.equal((await ask("/version")).status, 200);
  const denied = await ask("/denied");
  assert.equal(denied.status, 403);
  assert.match(denied.text, /User \\"somebody\\" cannot get path \\"\/denied\\": not that/);
  assert.equal((await ask("/neither")).status, 403);
  assert.deepEqual(
    webhook.asked.map(({ path, token, body }) => [path, token, body.spec.user, body.spec.nonResourceAttributes.path]),
    ["/version", "/denied", "/neither"].map((path) => ["/authorize", "Bearer our-token", "somebody", path]),
  );
  assert.deepEqual(
    host.asked.map(({ path, body }) => [path, body.spec.nonResourceAttributes.path]),
    ["/version", "/neither"].map((path) => ["/apis/authorization.k8s.io/v1/subjectaccessreviews", path]),
  );
});

test("roles of the host cluster are followed: as access sets they have the last word", async (t) => {
  const files = await createServingFolder(t);
  const rules = [{ verbs: ["get"], nonResourceURLs: ["/version"] }];
  const lists: Record<string, Json[]> = {
    clusterroles: [{ metadata: { name: "r", resourceVersion: "1" }, rules }],
    clusterrolebindings: [
      {
        metadata: { name: "r", resourceVersion: "1" },
        roleRef: { kind: "ClusterRole", name: "r" },
        subjects: [{ kind: "User", name: "somebody" }],
      },
    ],
  };
  const host = await startHost(t, files, (path) => ({
    metadata: { resourceVersion: "5" },
    items: lists[/rbac\.authorization\.k8s\.io\/v1\/(\w+)\?/.exec(path)?.[1] ?? ""] ?? [],
  }));
  const section = { kubeconfigFile: kubeconfig(files, "host", host.url) };
  const ask = await startAsking(t, files, { cluster: section, authorization: { cluster: "accessSets" } });
  assert.equal((await ask("/version")).status, 200);
  assert.equal((await ask("/apis")).status, 403);
  assert.equal((await ask("/healthz")).status, 200);
  assert.deepEqual(
    host.asked.filter(({ path }) => path.includes("subjectaccessreviews")),
    [],
  );
});

test("roles that are followed save the review of what they allow; the rest is reviewed", async (t) => {
  const files = await createServingFolder(t);
  const host = await startHost(t, files, (path) =>
    path.includes("subjectaccessreviews")
      ? { status: { allowed: true } }
      : { metadata: { resourceVersion: "5" }, items: [] },
  );
  const section = { kubeconfigFile: kubeconfig(files, "host", host.url) };
  const ask = await startAsking(t, files, { cluster: section, authorization: { cluster: "rolesThenReview" } });
  assert.equal((await ask("/version")).status, 200);
  assert.equal(host.asked.filter(({ path }) => path.includes("subjectaccessreviews")).length, 1);
});
