/** What the tests of apply expect of Annex is what kube-apiserver does with the same definition. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../support/checkout.ts";
import { createClient } from "../../support/client.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { applyRequests, askAll, readAnswers, writeAnswers } from "../apply-requests.ts";
import { describeKubectlApply } from "../kubectl-apply.ts";
import { type Cluster, startCluster } from "./cluster.ts";

describe("kube-apiserver", () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    const applied = await runKubectl(["apply", "--server-side", "-f", join(root, "stores/sql/examples")], cluster);
    assert.equal(applied.code, 0, applied.stderr);
    const established = ["wait", "--for=condition=Established", "crd", "--all"];
    assert.equal((await runKubectl(established, cluster)).code, 0);
    // Established is a little before it is served.
    const served = ["get", "widgets.example.annex.dev,regions.example.annex.dev", "-A"];
    for (let tries = 0; (await runKubectl(served, cluster)).code !== 0; tries++) assert.ok(tries < 20);
  });
  after(async () => {
    await cluster.stop();
  });

  test(`answers ${applyRequests.length} requests as it was recorded to; ANNEX_RECORD=1 records`, async () => {
    const { url, pki } = cluster;
    const [ca, cert, key] = [pki.ca, pki.admin.cert, pki.admin.key].map((file) => readFileSync(file)) as [
      Buffer,
      Buffer,
      Buffer,
    ];
    const client = createClient({ url, credentials: { ca, cert, key }, connections: 1 });
    const answers = await askAll(client);
    client.close();
    if (process.env["ANNEX_RECORD"] === "1") writeAnswers(answers);
    assert.deepEqual(answers, readAnswers());
  });

  describeKubectlApply(() => ({ kubeconfig: cluster.kubeconfig, hasNamespaces: true, collectsGarbage: true }));
});
