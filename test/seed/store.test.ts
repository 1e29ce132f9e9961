/** The seed's TestStore, TestDiscoveryAndOpenAPI, TestNoStore, TestStoreEncoding and the errors of a store. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore } from "../../stores/memory/store.ts";
import { readKubeProtobuf } from "./kube-protobuf.testing.ts";
import { startSeed, testType, testTypes } from "./seed.testing.ts";

const path = "/apis/ext.cattle.io/v1/testtypes";

test("TestStore: each verb in the seed's order, and a watcher that saw it all", async (t) => {
  const { ask, port } = await startSeed(t);
  const put = (value: object) => ask(`${path}/foo`, { method: "PUT", body: value });
  const watching = await fetch(`http://127.0.0.1:${port}${path}?watch=1`);
  const names = async () => {
    const { status, body } = await ask(path);
    assert.deepEqual([status, body.kind], [200, "TestTypeList"]);
    return body.items;
  };
  assert.equal((await ask(`${path}/foo`, { method: "DELETE" })).status, 404, "delete not existing");
  assert.deepEqual(await names(), [], "get empty list");
  const created = await ask(path, { method: "POST", body: testType("foo") });
  assert.deepEqual([created.status, created.body.metadata.name], [201, "foo"], "create testtype foo");
  assert.deepEqual(await names(), [created.body], "get non-empty list");
  assert.deepEqual((await ask(`${path}/foo`)).body, created.body, "get specific object");
  const updated = await put({ ...created.body, metadata: { ...created.body.metadata, labels: { foo: "bar" } } });
  assert.deepEqual([updated.status, updated.body.metadata.labels], [200, { foo: "bar" }], "update foo (PUT)");
  assert.deepEqual(await names(), [updated.body], "get updated (list)");
  const deleted = await ask(`${path}/foo`, { method: "DELETE" });
  // The seed answers with the object, as its own store does; here it is what kube-apiserver answers.
  assert.deepEqual(
    [deleted.status, deleted.body.kind, deleted.body.details.name],
    [200, "Status", "foo"],
    "delete foo",
  );
  assert.equal((await ask(`${path}/foo`, { method: "DELETE" })).status, 404, "delete not found");
  assert.equal((await ask(`${path}/foo`)).status, 404, "get not found");
  assert.deepEqual(await names(), [], "get empty list again");
  const again = await put(testType("foo"));
  assert.deepEqual([again.status, again.body.metadata.name], [201, "foo"], "create via update");

  const reader = (watching.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  while (text.split("\n").length < 5) text += Buffer.from((await reader.read()).value ?? []).toString();
  await reader.cancel();
  const events = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "MODIFIED", "DELETED", "ADDED"],
    "recorded watch",
  );
  assert.deepEqual([events[0].object, events[1].object, events[3].object], [created.body, updated.body, again.body]);
  assert.deepEqual(events[2].object.metadata.labels, { foo: "bar" });
});

test("TestDiscoveryAndOpenAPI: groups, versions, resources and verbs as they are described", async (t) => {
  const others = testTypes({ plural: "testtypeothers", kind: "TestTypeOther" });
  const createOnly = { verbs: [Verb.CREATE], capabilities: [], createOnUpdate: false };
  const { ask } = await startSeed(t, {
    stores: [
      [testTypes({ in: ["v2", "v1"] }), others],
      [testTypes({ plural: "imperatives", kind: "Imperative", in: ["v4"], ...createOnly })],
      [testTypes({ group: "ext2.cattle.io", in: ["v3"] })],
    ],
  });
  const entry = (group: string, version: string) => ({ groupVersion: `${group}/${version}`, version });
  const ext = ["v4", "v2", "v1"].map((version) => entry("ext.cattle.io", version));
  const groups = {
    "ext.cattle.io": { name: "ext.cattle.io", versions: ext, preferredVersion: ext[0] },
    "ext2.cattle.io": {
      name: "ext2.cattle.io",
      versions: [entry("ext2.cattle.io", "v3")],
      preferredVersion: entry("ext2.cattle.io", "v3"),
    },
  };
  const { body } = await ask("/apis");
  assert.equal(body.kind, "APIGroupList");
  assert.equal(body.apiVersion, undefined);
  assert.deepEqual(
    body.groups.toSorted((a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)),
    [groups["ext.cattle.io"], groups["ext2.cattle.io"]],
  );
  for (const [name, group] of Object.entries(groups)) {
    const whole = { kind: "APIGroup", apiVersion: "v1", ...group };
    // serverAddressByClientCIDRs is said nowhere.
    assert.deepEqual((await ask(`/apis/${name}`)).body, whole);
  }
  const seven = ["create", "delete", "get", "list", "patch", "update", "watch"];
  const resources = async (version: string) => {
    const list = (await ask(`/apis/${version}`)).body;
    assert.deepEqual([list.kind, list.apiVersion, list.groupVersion], ["APIResourceList", "v1", version]);
    return list.resources.map((one: { name: string; singularName: string; kind: string; verbs: string[] }) => [
      one.name,
      one.singularName,
      one.kind,
      one.verbs.toSorted(),
    ]);
  };
  assert.deepEqual((await resources("ext.cattle.io/v1")).toSorted(), [
    ["testtypeothers", "testtypeother", "TestTypeOther", seven],
    ["testtypes", "testtype", "TestType", seven],
  ]);
  assert.deepEqual(await resources("ext.cattle.io/v2"), [["testtypes", "testtype", "TestType", seven]]);
  assert.deepEqual(await resources("ext2.cattle.io/v3"), [["testtypes", "testtype", "TestType", seven]]);
  assert.deepEqual(await resources("ext.cattle.io/v4"), [["imperatives", "imperative", "Imperative", ["create"]]]);
  const documents = ["ext.cattle.io/v1", "ext.cattle.io/v2", "ext.cattle.io/v4", "ext2.cattle.io/v3"];
  const paths = ["/openapi/v2", "/openapi/v3", ...documents.map((one) => `/openapi/v3/apis/${one}`)];
  for (const one of paths) assert.equal((await ask(one)).status, 200, one);
});

test("TestDiscoveryAndOpenAPI: version order by registration, where that is asked for; the first is preferred", async (t) => {
  const { ask } = await startSeed(t, {
    stores: [[testTypes({ in: ["v2", "v1"] })], [testTypes({ plural: "others", kind: "Other", in: ["v4"] })]],
    versionOrder: "registration",
  });
  const { versions, preferredVersion } = (await ask("/apis/ext.cattle.io")).body;
  assert.deepEqual(
    versions.map((one: { version: string }) => one.version),
    ["v2", "v1", "v4"],
  );
  assert.equal(preferredVersion.version, "v2");
});

test("partial verbs: what is not described is refused with 405, and create-on-update only where it is declared", async (t) => {
  const { ask } = await startSeed(t, {
    stores: [[testTypes({ verbs: [Verb.GET, Verb.LIST, Verb.CREATE, Verb.UPDATE], createOnUpdate: false })]],
  });
  assert.equal((await ask(`${path}/foo`, { method: "PUT", body: testType("foo") })).status, 404);
  assert.equal((await ask(`${path}?watch=1`)).status, 405);
  assert.equal((await ask(`${path}/foo`, { method: "DELETE" })).status, 405);
  assert.equal((await ask(path, { method: "POST", body: testType("foo") })).status, 201);
});

test("TestStoreEncoding: JSON and YAML; protobuf alone is a 406 in protobuf, beside JSON it is JSON", async (t) => {
  const { ask } = await startSeed(t);
  const get = async (accept: string) => {
    const { status, headers } = await ask(path, { headers: { accept } });
    return [status, headers["content-type"]];
  };
  const protobuf = "application/vnd.kubernetes.protobuf";
  assert.deepEqual(await get("application/json"), [200, "application/json"]);
  assert.deepEqual(await get("application/yaml"), [200, "application/yaml"]);
  assert.deepEqual(await get(protobuf), [406, protobuf]);
  assert.deepEqual(await get(`${protobuf}, application/json`), [200, "application/json"]);
});

test("the 406 of a client that reads only protobuf is a Status that it can read", async (t) => {
  const { port } = await startSeed(t);
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { accept: "application/vnd.kubernetes.protobuf" },
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(bytes.subarray(0, 4).toString(), "k8s\0");
  const unknown = readKubeProtobuf("Unknown", bytes.subarray(4));
  const { apiVersion, kind } = unknown["typeMeta"] as { apiVersion: string; kind: string };
  assert.deepEqual([apiVersion, kind], ["v1", "Status"]);
  const status = readKubeProtobuf("Status", unknown["raw"] as Uint8Array);
  assert.deepEqual([status["status"], status["reason"], status["code"]], ["Failure", "NotAcceptable", 406]);
  assert.match(String(status["message"]), /^only the following media types are accepted: application\/json, /);
});

test("an error of a store that the contract doesn't know is logged whole and shown as InternalError", async (t) => {
  const memory = createMemoryStore([testTypes()]);
  const store = {
    ...memory,
    get: async () => {
      throw new ConnectError("the database password is hunter2", Code.DataLoss);
    },
  };
  const { ask, logged } = await startSeed(t, { stores: [store] });
  const { status, body, text } = await ask(`${path}/foo`);
  assert.deepEqual([status, body.reason], [500, "InternalError"]);
  assert.doesNotMatch(text, /hunter2/);
  const told = logged.find((line) => line.text === "the store failed");
  assert.match(String((told?.fields["err"] as Error | undefined)?.message), /hunter2/);
});

test("an error that the contract knows passes as it is", async (t) => {
  const memory = createMemoryStore([testTypes()]);
  const store = {
    ...memory,
    get: async () => {
      throw new ConnectError("gone", Code.NotFound);
    },
  };
  const { ask } = await startSeed(t, { stores: [store] });
  const { status, body } = await ask(`${path}/foo`);
  assert.deepEqual([status, body.reason, body.message], [404, "NotFound", 'testtypes.ext.cattle.io "foo" not found']);
});

test("TestConvertListOptions: every option of a list reaches the list", async (t) => {
  const { ask } = await startSeed(t);
  for (const name of ["a", "b", "c"]) {
    const metadata = { name, labels: { even: name === "b" ? "yes" : "no" } };
    await ask(path, { method: "POST", body: { ...testType(name), metadata } });
  }
  const names = async (query: string) => {
    const { status, body } = await ask(`${path}?${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body.items.map((item: { metadata: { name: string } }) => item.metadata.name).join();
  };
  assert.equal(await names("labelSelector=even%3Dno"), "a,c");
  assert.equal(await names("fieldSelector=metadata.name%3Db"), "b");
  const first = (await ask(`${path}?limit=2`)).body;
  assert.equal(await names(`limit=2&continue=${encodeURIComponent(first.metadata.continue)}`), "c");
  assert.equal(await names("resourceVersion=0&resourceVersionMatch=NotOlderThan&timeoutSeconds=5"), "a,b,c");
});
