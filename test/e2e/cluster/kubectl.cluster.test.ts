/** What the kubectl tests expect of Annex is what kube-apiserver does with the same definitions. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../support/checkout.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { describeKubectl } from "../kubectl-commands.ts";
import { describeRealObjects, projects } from "../real-objects.ts";
import { httpRoute, prometheus, widget } from "../subjects.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const realData = process.env["ANNEX_REAL_DATA"];
const definitions = [join(root, "stores/sql/examples")];
if (realData !== undefined) definitions.push(...projects.map((project) => join(realData, project, "crds")));

describe("kube-apiserver", () => {
  let cluster: Cluster;
  const host = () => ({ kubeconfig: cluster.kubeconfig, hasNamespaces: true, collectsGarbage: true });
  before(async () => {
    cluster = await startCluster();
    for (const path of definitions) {
      const { code, stderr } = await runKubectl(["apply", "--server-side", "-f", path], cluster);
      assert.equal(code, 0, stderr);
    }
    const established = ["wait", "--for=condition=Established", "crd", "--all"];
    assert.equal((await runKubectl(established, cluster)).code, 0);
  });
  after(async () => {
    await cluster.stop();
  });
  describeKubectl(widget, host);
  if (realData === undefined) test("the real definitions", { skip: "ANNEX_REAL_DATA is not set" }, () => {});
  else {
    for (const subject of [httpRoute, prometheus]) describeKubectl(subject, host);
    describeRealObjects(realData, host);
  }
});
