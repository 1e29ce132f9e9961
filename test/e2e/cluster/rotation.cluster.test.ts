/** Authorities and certificates rotate one after the other, while requests go on through kube-apiserver. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { after, before, describe, test } from "node:test";
import { connect } from "node:tls";
import { createAuthority, issueClientCertificate } from "../../../gateway/certificates/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import type { Aggregated } from "./aggregated.ts";
import { type Cluster, patience, startCluster } from "./cluster.ts";
import { connectTo, startDelegating } from "./delegating.ts";

const configMap = ["configmap", "-n", "kube-system", "extension-apiserver-authentication"];
const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";

describe("rotation in a cluster", () => {
  let cluster: Cluster;
  let annex: Aggregated;
  let load: ReturnType<typeof startLoad>;
  const read = (file: string) => readFileSync(file, "utf8");
  const published = async (key: string): Promise<string> => {
    const { stdout } = await runKubectl(["get", ...configMap, "-o", "json"], cluster);
    return JSON.parse(stdout).data[key];
  };

  before(async () => {
    cluster = await startCluster({ controllerManager: false, apiserverArgs: ["--v=2"] });
    annex = await startDelegating(cluster);
    load = startLoad(cluster);
  });
  after(async () => {
    await load?.stop();
    await annex?.stop();
    await cluster?.stop();
  });

  test("the serving certificate", async () => {
    const renewed = new X509Certificate(await annex.renew()).fingerprint256;
    await eventually(async () => (await servingFingerprint(annex.url)) === renewed, "the new one is served", patience);
    await load.goesOn();
  });

  test("the clients' authority", async () => {
    const next = await createAuthority("kubernetes-ca-2");
    const direct = connectTo(annex, await issueClientCertificate(next, { name: "ann", groups: [] }));
    assert.equal(await direct.as(), 401);
    writeFileSync(cluster.pki.ca, read(cluster.pki.ca) + next.cert);
    await eventually(
      async () => (await direct.as()) === "ann",
      "who has a certificate of the new one is known",
      patience,
    );
    assert.equal(direct.sockets(), 1);
    direct.close();
    await load.goesOn();
  });

  test("the front proxy's authority and certificate", async () => {
    const { frontProxyCa, frontProxy } = cluster.pki;
    const old = connectTo(annex, { cert: read(frontProxy.cert), key: read(frontProxy.key) });
    assert.equal(await old.as("X-Remote-User", "ann"), "ann");
    const next = await createAuthority("front-proxy-ca-2");
    const pair = await issueClientCertificate(next, { name: cluster.frontProxyName, groups: [] });
    writeFileSync(frontProxyCa, read(frontProxyCa) + next.cert);
    const renewed = connectTo(annex, pair);
    await eventually(
      async () => (await renewed.as("X-Remote-User", "ann")) === "ann",
      "both authorities count",
      patience,
    );
    await load.goesOn();

    const taken = taking(cluster);
    writeFileSync(frontProxy.key, pair.key);
    writeFileSync(frontProxy.cert, pair.cert);
    await eventually(taken, "kube-apiserver shows its new certificate", patience);
    await load.goesOn();

    writeFileSync(frontProxyCa, next.cert);
    const patch = JSON.stringify({ data: { "requestheader-client-ca-file": next.cert } });
    await eventually(
      async () => {
        // kube-apiserver adds what it has loaded itself, the old one too until it has read the file again.
        await runKubectl(["patch", ...configMap, "--type=merge", "-p", patch], cluster);
        return (await published("requestheader-client-ca-file")).trim() === next.cert.trim();
      },
      "the old authority is gone",
      patience,
    );
    await eventually(
      async () => (await old.as("X-Remote-User", "ann")) === 401,
      "nobody believes it any more",
      patience,
    );
    assert.equal(await renewed.as("X-Remote-User", "ann"), "ann");
    assert.deepEqual([old.sockets(), renewed.sockets()], [1, 1]);
    for (const connection of [old, renewed]) connection.close();
    await load.goesOn();
  });

  test("not one request failed", async (t) => {
    const { requests, failures } = await load.stop();
    t.diagnostic(`${requests} requests through kube-apiserver`);
    assert.deepEqual(failures, []);
    assert.ok(requests >= 100, String(requests));
  });
});

/** Tells whether kube-apiserver has loaded a key pair since. */
function taking(cluster: Cluster): () => boolean {
  const lines = () =>
    readFileSync(`${cluster.dataDir}/kube-apiserver.log`, "utf8").split('"Loaded a new cert/key pair"').length;
  const before = lines();
  return () => lines() > before;
}

async function servingFingerprint(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** Reads and writes through kube-apiserver without a pause, two at a time, until it is stopped. */
function startLoad(cluster: Cluster) {
  const agent = new Agent({
    ca: readFileSync(cluster.pki.ca),
    cert: readFileSync(cluster.pki.admin.cert),
    key: readFileSync(cluster.pki.admin.key),
    keepAlive: true,
  });
  const state = { requests: 0, isStopped: false };
  const failures: string[] = [];

  async function ask(method: string, path: string, body?: object): Promise<void> {
    const headers = { "Content-Type": "application/json" };
    const asked = request(`${cluster.url}${path}`, { agent, method, headers });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    try {
      const [reply] = await once(asked, "response");
      let text = "";
      for await (const chunk of reply.setEncoding("utf8")) text += chunk;
      if (reply.statusCode > 299) failures.push(`${method} ${path}: ${reply.statusCode} ${text}`);
    } catch (error) {
      failures.push(`${method} ${path}: ${(error as Error).message}`);
    }
    state.requests++;
  }

  async function work(): Promise<void> {
    const metadata = { generateName: "load-" };
    const widget = { apiVersion: "example.annex.dev/v1", kind: "Widget", metadata, spec: { color: "red" } };
    while (!state.isStopped) {
      await ask("POST", `${widgets}?dryRun=All`, widget);
      await ask("GET", `${widgets}?limit=1`);
      await new Promise<void>((resolve) => setTimeout(resolve, 10));
    }
  }

  const done = Promise.all([work(), work()]);
  return {
    /** Waits for a few more requests, and fails with what failed so far. */
    async goesOn(): Promise<void> {
      const until = state.requests + 20;
      await eventually(() => state.requests >= until || failures.length > 0, "requests go on", patience);
      assert.deepEqual(failures, []);
    },
    async stop() {
      state.isStopped = true;
      await done;
      agent.destroy();
      return { requests: state.requests, failures };
    },
  };
}
