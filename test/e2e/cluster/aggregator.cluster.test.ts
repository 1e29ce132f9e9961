/** Annex behind a real kube-apiserver: everything that kubectl does goes through the aggregation layer. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../support/checkout.ts";
import { eventually } from "../../support/eventually.ts";
import { runKubectl } from "../../support/kubectl.ts";
import { describeKubectl } from "../kubectl-commands.ts";
import { describeRealObjects, projects } from "../real-objects.ts";
import { httpRoute, prometheus, widget } from "../subjects.ts";
import { type Aggregated, startAggregated } from "./aggregated.ts";
import { askAsAdmin } from "./ask.ts";
import { type Cluster, patience, startCluster } from "./cluster.ts";

const realData = process.env["ANNEX_REAL_DATA"];
const crds = [join(root, "stores/sql/examples")];
if (realData !== undefined) crds.push(...projects.map((project) => join(realData, project, "crds")));

describe("Annex behind kube-apiserver", () => {
  let cluster: Cluster;
  let annex: Aggregated;
  const host = () => ({ kubeconfig: cluster.kubeconfig, hasNamespaces: true, collectsGarbage: true });
  const kubectl = async (...args: string[]) => {
    const { code, stdout, stderr } = await runKubectl(args, cluster);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  before(async () => {
    cluster = await startCluster();
    annex = await startAggregated(cluster, { crds });
  });
  after(async () => {
    await annex?.stop();
    await cluster?.stop();
  });

  test("every APIService is Available, and stays so when it is checked again", async () => {
    const { items } = JSON.parse(await kubectl("get", "apiservices", "-o", "json"));
    const ours = items.filter((item: { spec: { service?: { name: string } } }) => item.spec.service?.name === "annex");
    assert.equal(ours.length, annex.groupVersions.length);
    for (const { metadata, status } of ours) {
      const [condition] = status.conditions;
      assert.deepEqual(
        [condition.type, condition.status, condition.reason],
        ["Available", "True", "Passed"],
        metadata.name,
      );
    }
  });

  test("every group and version is told to be registered, by the availability checks alone", async () => {
    const text = await askAsAdmin(cluster, { url: `${annex.url}/metrics`, ca: annex.ca });
    assert.match(text, /^annex_registered 1$/m);
    const told = text.split("\n").filter((line) => line.startsWith("annex_store_registered{"));
    assert.equal(told.length, annex.groupVersions.length);
    for (const line of told) assert.match(line, / 1$/);
  });

  test("figures that kube-apiserver has too have its types, labels and buckets", async () => {
    await kubectl("get", widget.plural, "-A");
    await kubectl("get", "configmaps", "-A");
    const ours = familiesOf(await askAsAdmin(cluster, { url: `${annex.url}/metrics`, ca: annex.ca }));
    const theirs = familiesOf(await askAsAdmin(cluster, { url: `${cluster.url}/metrics` }));
    const common = [...ours].filter(([name]) => theirs.has(name));
    for (const [name, family] of common) assert.deepEqual(family, theirs.get(name), name);
    assert.ok(common.length >= 16, `only ${common.map(([name]) => name)}`);
    const own = [...ours.keys()].filter((name) => !/^(annex|nodejs)_/.test(name) && !theirs.has(name));
    assert.deepEqual(own, [], "whatever has not a name of ours is kube-apiserver's");
  });

  test("kube-apiserver merges discovery: aggregated and legacy", async () => {
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const merged = JSON.parse(await askAsAdmin(cluster, { url: `${cluster.url}/apis`, accept }));
    assert.equal(merged.kind, "APIGroupDiscoveryList");
    const names = merged.items.map((item: { metadata: { name: string } }) => item.metadata.name);
    assert.ok(names.includes("apps") && names.includes(widget.group), names.join());
    const group = merged.items.find((item: { metadata: { name: string } }) => item.metadata.name === widget.group);
    for (const version of group.versions) {
      assert.equal(version.freshness, "Current");
      assert.ok(version.resources.some((one: { resource: string }) => one.resource === widget.plural));
    }
    const legacy = JSON.parse(await kubectl("get", "--raw", "/apis"));
    const found = legacy.groups.find((one: { name: string }) => one.name === widget.group);
    assert.equal(found.preferredVersion.version, widget.version);
  });

  test("kube-apiserver merges OpenAPI: v2 in one document, v3 by its index", async () => {
    const path = `/apis/${widget.group}/${widget.version}/${widget.plural}`;
    let v2 = { paths: {}, definitions: {} };
    await eventually(
      async () => {
        v2 = JSON.parse(await kubectl("get", "--raw", "/openapi/v2"));
        return Object.hasOwn(v2.paths, path);
      },
      `OpenAPI v2 has ${path}`,
      patience,
    );
    assert.ok(Object.hasOwn(v2.definitions, "dev.annex.example.v1.Widget"), "the definition keeps its name");
    const index = JSON.parse(await kubectl("get", "--raw", "/openapi/v3"));
    for (const groupVersion of annex.groupVersions) {
      const entry = index.paths[`apis/${groupVersion}`];
      const document = JSON.parse(await kubectl("get", "--raw", entry.serverRelativeURL));
      assert.ok(
        Object.keys(document.paths).some((path) => path.startsWith(`/apis/${groupVersion}/`)),
        groupVersion,
      );
    }
  });

  test("a user's name arrives as kube-apiserver knows it, impersonation included", async () => {
    const as = ["--as=ann", "--as-group=dev", "--as-uid=7"];
    const denied = await runKubectl(["get", widget.plural, "-n", "default", ...as], cluster);
    assert.equal(denied.code, 1);
    const why = `User "ann" cannot list resource "widgets" in API group "${widget.group}" in the namespace "default"`;
    assert.equal(denied.stderr, `Error from server (Forbidden): widgets.${widget.group} is forbidden: ${why}\n`);
  });

  describeKubectl(widget, host);
  if (realData === undefined) test("the real definitions", { skip: "ANNEX_REAL_DATA is not set" }, () => {});
  else {
    for (const subject of [httpRoute, prometheus]) describeKubectl(subject, host);
    describeRealObjects(realData, host);
  }
});

/** What Prometheus' text says of each name: its type, the names of its labels, its buckets. */
function familiesOf(text: string): ReadonlyMap<string, unknown> {
  const pieces = text
    .replaceAll(/^# HELP .*$/gm, "")
    .split(/^# TYPE /m)
    .slice(1);
  return new Map(
    pieces.map((piece) => {
      const { 1: name = "", 2: type } = /^(\S+) (\S+)$/m.exec(piece) ?? [];
      const labels = [...piece.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
      const names = new Set(labels.map(([, label]) => label));
      const bounds = labels.filter(([, label]) => label === "le").map(([, , value]) => value);
      const buckets = new Set(bounds.map((value) => (value === "+Inf" ? Infinity : Number(value))));
      return [name, { type, labels: [...names].sort(), buckets }];
    }),
  );
}
