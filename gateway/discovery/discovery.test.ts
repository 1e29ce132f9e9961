import assert from "node:assert/strict";
import { test } from "node:test";
import { definitionWith, tableWith, versionWith } from "../apimachinery/resource.fixture.ts";
import { answerDiscovery, type DiscoveryRequest, deprecationWarning } from "./discovery.ts";

const aggregatedAccept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const scale = { specReplicasPath: ".spec.n", statusReplicasPath: ".status.n", labelSelectorPath: "" };
const table = tableWith(
  definitionWith({
    versions: [versionWith({ name: "v1beta1" }), versionWith({ status: true, scale })],
    shortNames: ["wd"],
    categories: ["all"],
  }),
  definitionWith({
    plural: "gears",
    singular: "gear",
    kind: "Gear",
    listKind: "GearList",
    namespaced: false,
    verbs: ["get", "list"],
  }),
  definitionWith({
    group: "another.io",
    versions: [versionWith({ name: "v2", served: false }), versionWith()],
    storageVersion: "v2",
  }),
  definitionWith({ group: "hidden.io", versions: [versionWith({ served: false })] }),
);

function ask(path: string, change: Partial<DiscoveryRequest> = {}) {
  return answerDiscovery({ path, accept: undefined, ifNoneMatch: undefined, ...change }, table);
}

/** The document as it goes out: in the order in which its fields were set. */
function text(path: string, change: Partial<DiscoveryRequest> = {}): string {
  return JSON.stringify(ask(path, change)?.document);
}

const versionsOfExample =
  '"versions":[{"groupVersion":"example.com/v1","version":"v1"},{"groupVersion":"example.com/v1beta1","version":"v1beta1"}],' +
  '"preferredVersion":{"groupVersion":"example.com/v1","version":"v1"}';
const allVerbs = '["delete","deletecollection","get","list","patch","create","update","watch"]';
const subVerbs = '["get","patch","update"]';

test("answerDiscovery() lists the groups without apiVersion, in order of registration", () => {
  assert.equal(
    text("/apis"),
    `{"kind":"APIGroupList","groups":[{"name":"example.com",${versionsOfExample}},` +
      '{"name":"another.io","versions":[{"groupVersion":"another.io/v1","version":"v1"}],"preferredVersion":{"groupVersion":"another.io/v1","version":"v1"}}]}',
  );
  assert.equal(text("/apis/", { accept: "application/json" }), text("/apis"));
});

test("answerDiscovery() gives a group", () => {
  assert.equal(
    text("/apis/example.com"),
    `{"kind":"APIGroup","apiVersion":"v1","name":"example.com",${versionsOfExample}}`,
  );
});

test("answerDiscovery() gives a version's resources and subresources", () => {
  assert.equal(
    text("/apis/example.com/v1"),
    '{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"example.com/v1","resources":[' +
      `{"name":"widgets","singularName":"widget","namespaced":true,"kind":"Widget","verbs":${allVerbs},"shortNames":["wd"],"categories":["all"],"storageVersionHash":"gIwvi5rymmg="},` +
      `{"name":"widgets/status","singularName":"","namespaced":true,"kind":"Widget","verbs":${subVerbs}},` +
      `{"name":"widgets/scale","singularName":"","namespaced":true,"group":"autoscaling","version":"v1","kind":"Scale","verbs":${subVerbs}},` +
      '{"name":"gears","singularName":"gear","namespaced":false,"kind":"Gear","verbs":["get","list"],"storageVersionHash":"8Jq+9EUyNyI="}]}',
  );
  assert.match(text("/apis/example.com/v1beta1"), /"resources":\[\{"name":"widgets"[^{]*\}\]\}$/);
});

test("answerDiscovery() takes a slash at the end", () => {
  for (const path of ["/apis/example.com", "/apis/example.com/v1"]) assert.equal(text(`${path}/`), text(path));
});

test("answerDiscovery() names no storage version that isn't served", () => {
  assert.ok(!text("/apis/another.io/v1").includes("storageVersionHash"));
});

test("answerDiscovery() leaves to the server what is no document of ours", () => {
  for (const path of [
    "/apis/none.io",
    "/apis/hidden.io",
    "/apis/example.com/v9",
    "/apis/another.io/v2",
    "/api",
    "/apis/a/b/c",
    "//apis",
    "/apis//",
    "/apis//example.com",
    "/apis/example.com//v1",
    "apis",
    "/x",
  ]) {
    assert.equal(ask(path), undefined, path);
  }
});

test("answerDiscovery() lists the paths, sorted", () => {
  const paths = [
    "/apis",
    "/apis/",
    "/apis/another.io",
    "/apis/another.io/v1",
    "/apis/example.com",
    "/apis/example.com/v1",
    "/apis/example.com/v1beta1",
    "/healthz",
    "/livez",
    "/metrics",
    "/metrics/slis",
    "/openapi/v2",
    "/openapi/v3",
    "/readyz",
    "/version",
  ];
  assert.deepEqual(ask("/")?.document, { paths });
  assert.deepEqual(ask("/index.html")?.document, { paths });
});

test("answerDiscovery() gives everything at once to who asks for it, groups and resources by name", () => {
  const kind = (name: string, version: string) => `{"group":"example.com","version":"${version}","kind":"${name}"}`;
  const widgets = (version: string) =>
    `"resource":"widgets","responseKind":${kind("Widget", version)},"scope":"Namespaced","singularResource":"widget","verbs":${allVerbs},"shortNames":["wd"],"categories":["all"]`;
  assert.equal(
    text("/apis", { accept: `application/json, ${aggregatedAccept}` }),
    '{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[' +
      '{"metadata":{"name":"another.io"},"versions":[{"version":"v1","resources":[{"resource":"widgets","responseKind":{"group":"another.io","version":"v1","kind":"Widget"},' +
      `"scope":"Namespaced","singularResource":"widget","verbs":${allVerbs}}],"freshness":"Current"}]},` +
      '{"metadata":{"name":"example.com"},"versions":[{"version":"v1","resources":[' +
      `{"resource":"gears","responseKind":${kind("Gear", "v1")},"scope":"Cluster","singularResource":"gear","verbs":["get","list"]},` +
      `{${widgets("v1")},"subresources":[{"subresource":"status","responseKind":${kind("Widget", "v1")},"verbs":${subVerbs}},` +
      `{"subresource":"scale","responseKind":{"group":"autoscaling","version":"v1","kind":"Scale"},"verbs":${subVerbs}}]}],"freshness":"Current"},` +
      `{"version":"v1beta1","resources":[{${widgets("v1beta1")}}],"freshness":"Current"}]}]}`,
  );
});

test("answerDiscovery() tags the whole document, and answers 304 to who has it", () => {
  const first = ask("/apis", { accept: aggregatedAccept });
  const etag = String(first?.headers["ETag"]);
  assert.match(etag, /^"[0-9A-F]{128}"$/);
  assert.deepEqual(first?.headers, {
    ETag: etag,
    Vary: "Accept",
    "Cache-Control": "public",
    "Content-Type": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
  });
  const again = ask("/apis", { accept: aggregatedAccept, ifNoneMatch: etag });
  assert.deepEqual(again, {
    status: 304,
    headers: { ETag: etag, Vary: "Accept", "Cache-Control": "public" },
    document: undefined,
  });
  for (const ifNoneMatch of [`W/${etag}`, "*", `${etag}, "x"`]) {
    assert.equal(ask("/apis", { accept: aggregatedAccept, ifNoneMatch })?.status, 200, ifNoneMatch);
  }
});

test("answerDiscovery() knows the aggregated form whatever the order of its parameters, and no v2beta1", () => {
  const asked = [
    "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io;profile=nopeer",
    `text/html, ${aggregatedAccept};q=0.5`,
  ];
  for (const accept of asked)
    assert.equal(ask("/apis", { accept })?.document?.["kind"], "APIGroupDiscoveryList", accept);
  const old = aggregatedAccept.replace("v=v2", "v=v2beta1");
  assert.equal(ask("/apis", { accept: `${old},application/json` })?.document?.["kind"], "APIGroupList");
});

test("deprecationWarning() names the newest version to use instead, or says what the definition says", () => {
  const versions = [
    versionWith({ name: "v1alpha1", deprecated: true }),
    versionWith({ name: "v1beta1", deprecated: true, deprecationWarning: "stop it" }),
    versionWith({ name: "v1" }),
    versionWith({ name: "v2", served: false }),
  ];
  const warnings = versions.map((version) => deprecationWarning({ definition: definitionWith({ versions }), version }));
  assert.deepEqual(warnings, [
    "example.com/v1alpha1 Widget is deprecated; use example.com/v1 Widget",
    "stop it",
    undefined,
    undefined,
  ]);
  const alone = versionWith({ deprecated: true });
  assert.equal(
    deprecationWarning({
      definition: definitionWith({ versions: [alone, versionWith({ name: "v1beta1" })] }),
      version: alone,
    }),
    "example.com/v1 Widget is deprecated",
  );
});
