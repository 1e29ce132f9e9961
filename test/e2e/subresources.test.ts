/** Kinds with some of the verbs, and custom subresources, from clients through a gateway to a store. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Capability, OwnerMatch, Scope, SubresourceKind, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { conflict, type InvokeCall, type Store } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { runKubectl } from "../support/kubectl.ts";

const group = "machines.annex.dev";
const base = { group, scope: Scope.NAMESPACED, storageVersion: "v1", versions: [{ name: "v1", served: true }] };
const unary = { kind: SubresourceKind.UNARY };
const rbac = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: restart}
rules:
- {apiGroups: [${group}], resources: [machines/restart], verbs: [create]}
- {apiGroups: [${group}], resources: [machines, machines/proxy, machines/console], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: restart}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: restart}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: operator}]
`;

const calls: InvokeCall[] = [];
let gateway: TestGateway;
let kubeconfig: string;
const path = `/apis/${group}/v1/namespaces/ns/machines`;

before(async () => {
  const store: Store = {
    ...createMemoryStore([
      {
        ...base,
        plural: "machines",
        kind: "Machine",
        verbs: [Verb.GET, Verb.UPDATE, Verb.PATCH],
        capabilities: [...memoryCapabilities],
        createOnUpdate: true,
        subresources: [
          { ...unary, name: "restart", httpMethods: ["POST"], responseKind: "Restart" },
          { ...unary, name: "proxy", httpMethods: ["GET", "PUT", "DELETE"], acceptedContentTypes: ["text/plain"] },
          {
            ...unary,
            name: "console",
            httpMethods: ["GET", "HEAD", "OPTIONS", "PATCH"],
            acceptedContentTypes: ["application/merge-patch+json"],
          },
          {
            ...unary,
            name: "eviction",
            httpMethods: ["POST"],
            ...{ responseGroup: "policy", responseVersion: "v1", responseKind: "Eviction" },
          },
        ],
      },
      {
        ...base,
        plural: "vaults",
        kind: "Vault",
        verbs: [Verb.GET, Verb.UPDATE],
        createOnUpdate: true,
        capabilities: [...memoryCapabilities, Capability.DRY_RUN],
        ownerScope: { fieldPath: ".spec.owner", match: OwnerMatch.NAME },
        subresources: [{ ...unary, name: "open", httpMethods: ["POST"] }],
      },
    ]),
    async invoke(call) {
      calls.push(call);
      if (call.subpath === "/conflict") throw conflict();
      if (call.subpath === "/hang") {
        await new Promise((resolve) => call.signal.addEventListener("abort", resolve, { once: true }));
        throw new Error("nobody waits");
      }
      if (call.subpath === "/moved") return { httpStatus: 302, body: new Uint8Array() };
      if (call.subpath === "/teapot")
        return { httpStatus: 418, contentType: "text/plain", body: Buffer.from("short and stout") };
      if (call.subresource === "proxy" || call.subresource === "console")
        return {
          contentType: call.contentType || "text/plain",
          body: Buffer.from(`${call.httpMethod} ${call.subpath}`),
        };
      const answer = { apiVersion: `${group}/v1`, kind: "Restart", metadata: { name: call.key.name } };
      return { httpStatus: 201, body: Buffer.from(JSON.stringify(answer)), warnings: ["it takes a while"] };
    },
  };
  gateway = await startTestGateway({ stores: { machines: store }, rbac });
  kubeconfig = await gateway.kubeconfig();
  const body = { apiVersion: `${group}/v1`, kind: "Machine", metadata: { name: "a" }, spec: { x: 1 } };
  const made = await gateway.ask(`${path}/a`, { method: "PUT", body });
  assert.equal(made.status, 201, made.text);
});
after(async () => await gateway.stop());

test("discovery shows the verbs that there are, and each subresource with its kind", async () => {
  const { stdout } = await runKubectl(["get", "--raw", `/apis/${group}/v1`], { kubeconfig });
  const resources = (JSON.parse(stdout).resources as Record<string, unknown>[]).map((one) =>
    [one["name"], [one["group"], one["version"], one["kind"]].filter(Boolean).join("/"), String(one["verbs"])].join(
      " ",
    ),
  );
  assert.deepEqual(resources, [
    "machines Machine get,patch,update",
    "machines/restart Restart create",
    "machines/proxy Machine delete,get,update",
    "machines/console Machine get,patch",
    "machines/eviction policy/v1/Eviction create",
    "vaults Vault get,update",
    "vaults/open Vault create",
  ]);
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const aggregated = await gateway.ask("/apis", { headers: { accept } });
  assert.ok(
    aggregated.text.includes(
      `{"subresource":"restart","responseKind":{"group":"${group}","version":"v1","kind":"Restart"},"verbs":["create"]}`,
    ),
    aggregated.text,
  );
});

test("OpenAPI describes connects as kube-apiserver does, with and without a path behind", async () => {
  type Paths = Record<string, Record<string, { operationId: string; "x-kubernetes-action": string }>>;
  for (const document of [`/openapi/v3/apis/${group}/v1`, "/openapi/v2"]) {
    const { paths } = (await gateway.ask(document)).json() as { paths: Paths };
    const item = `/apis/${group}/v1/namespaces/{namespace}/machines/{name}`;
    assert.equal(paths[item]?.["delete"], undefined);
    const restart = paths[`${item}/restart`]?.["post"];
    assert.equal(restart?.operationId, "connectMachinesAnnexDevV1PostNamespacedMachineRestart");
    assert.equal(restart?.["x-kubernetes-action"], "connect");
    const id = "connectMachinesAnnexDevV1GetNamespacedMachineProxyWithPath";
    assert.equal(paths[`${item}/proxy/{path}`]?.["get"]?.operationId, id);
  }
});

test("verbs that aren't there answer 405", async () => {
  const refused: [string, string, string][] = [
    ["GET", "", "list"],
    ["POST", "", "create"],
    ["DELETE", "/a", "delete"],
    ["GET", "/a/restart", "get"],
    ["PATCH", "/a/proxy", "patch"],
  ];
  for (const [method, rest, verb] of refused) {
    const { status, text } = await gateway.ask(path + rest, { method });
    assert.deepEqual(
      [status, JSON.parse(text).message],
      [405, `${verb} is not supported on resources of kind "machines.${group}"`],
    );
  }
  for (const method of ["HEAD", "OPTIONS"])
    assert.equal((await gateway.ask(`${path}/a/restart`, { method })).status, 405);
});

test("a request reaches the store whole, with its object, user and audit id", async () => {
  const headers = { "content-type": "text/plain; charset=utf-8", "audit-id": "audit-1" };
  const answer = await gateway.ask(`${path}/a/proxy/x//y%20z/?q=1&q=2&r`, { method: "PUT", body: "hello", headers });
  assert.deepEqual(
    [answer.status, answer.text, answer.headers["content-type"]],
    [200, "PUT /x//y z/", headers["content-type"]],
  );
  const call = calls.at(-1);
  assert.deepEqual(
    [call?.key, call?.query],
    [
      { namespace: "ns", name: "a" },
      { q: ["1", "2"], r: [""] },
    ],
  );
  assert.deepEqual(
    [Buffer.from(call?.body ?? []).toString(), call?.requestId, call?.user?.name],
    ["hello", "audit-1", "admin"],
  );
  assert.deepEqual(JSON.parse(Buffer.from(call?.parent?.json ?? []).toString()).spec, { x: 1 });
});

test("PATCH, HEAD and OPTIONS reach the store, authorized by their verbs, and a HEAD answers without a body", async () => {
  const text = '{"spec":{"x":2}}';
  const headers = { "content-type": "application/merge-patch+json" };
  const patched = await gateway.ask(`${path}/a/console/x`, { method: "PATCH", body: text, headers });
  assert.deepEqual([patched.status, patched.text], [200, "PATCH /x"]);
  assert.deepEqual(
    [calls.at(-1)?.contentType, Buffer.from(calls.at(-1)?.body ?? []).toString()],
    [headers["content-type"], text],
  );
  const json = await gateway.ask(`${path}/a/console`, { method: "PATCH", body: {} });
  assert.equal(json.status, 415, json.text);
  const asked = await gateway.ask(`${path}/a/console`, { method: "OPTIONS" });
  assert.deepEqual([asked.status, asked.text], [200, "OPTIONS "]);
  const user = "operator";
  const head = await gateway.ask(`${path}/a/console`, { method: "HEAD", user });
  assert.deepEqual([head.status, head.text, head.headers["content-length"]], [200, "", `${"HEAD ".length}`]);
  assert.deepEqual([calls.at(-1)?.httpMethod, calls.at(-1)?.user?.name], ["HEAD", user]);
  for (const [method, verb] of [
    ["PATCH", "patch"],
    ["OPTIONS", ""],
  ] as const) {
    const denied = await gateway.ask(`${path}/a/console`, { method, user });
    assert.equal(denied.status, 403);
    assert.match(denied.json().message ?? "", new RegExp(`cannot ${verb} resource "machines/console" in API group`));
  }
});

test("kubectl posts to a subresource, and shows the store's answer and warnings", async () => {
  const args = ["create", "--raw", `${path}/a/restart`, "-f", "-"];
  const { code, stdout, stderr } = await runKubectl(args, { kubeconfig, stdin: "{}" });
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).kind, "Restart");
  assert.match(stderr, /Warning: it takes a while/);
});

test("each method is authorized by its verb on the subresource", async () => {
  const user = "operator";
  assert.equal((await gateway.ask(`${path}/a/restart`, { method: "POST", user })).status, 201);
  assert.equal((await gateway.ask(`${path}/a/proxy`, { user })).status, 200);
  const denied = await gateway.ask(`${path}/a/proxy`, { method: "DELETE", user });
  assert.equal(denied.status, 403);
  assert.match(denied.json().message ?? "", /cannot delete resource "machines\/proxy" in API group/);
});

test("a dry run is refused where it isn't declared, and passed on where it is", async () => {
  const before = calls.length;
  const refused = await gateway.ask(`${path}/a/restart?dryRun=All`, { method: "POST" });
  assert.deepEqual([refused.status, refused.json().message], [400, "dryRun is not supported"]);
  assert.equal(calls.length, before);
  const vault = `/apis/${group}/v1/namespaces/ns/vaults/v`;
  const body = { apiVersion: `${group}/v1`, kind: "Vault", metadata: { name: "v" }, spec: { owner: "admin" } };
  assert.equal((await gateway.ask(vault, { method: "PUT", body })).status, 201);
  assert.equal((await gateway.ask(`${vault}/open?dryRun=All`, { method: "POST" })).status, 201);
  assert.equal(calls.at(-1)?.dryRun, true);
});

test("the store is told when the request's time is over", async () => {
  const late = await gateway.ask(`${path}/a/proxy/hang?timeout=1s`);
  assert.equal(late.status, 504, late.text);
  const call = calls.at(-1);
  assert.equal(call?.subpath, "/hang");
  assert.ok(call.timeoutMs !== undefined && call.timeoutMs <= 1_000, `${call.timeoutMs} ms`);
  await eventually(() => call?.signal.aborted === true, "the call is over for the store too");
});

test("an object that isn't there, or is another's, answers 404 before the store is asked", async () => {
  const before = calls.length;
  assert.equal((await gateway.ask(`${path}/none/restart`, { method: "POST" })).status, 404);
  const vault = `/apis/${group}/v1/namespaces/ns/vaults/other`;
  const body = { apiVersion: `${group}/v1`, kind: "Vault", metadata: { name: "other" }, spec: { owner: "bob" } };
  assert.equal((await gateway.ask(vault, { method: "PUT", body })).status, 201);
  assert.equal((await gateway.ask(`${vault}/open`, { method: "POST" })).status, 404);
  assert.equal(calls.length, before);
});

test("a body of another type, a redirect, a conflict and a status of the store's own", async () => {
  const wrong = await gateway.ask(`${path}/a/proxy`, { method: "PUT", body: {} });
  assert.equal(wrong.status, 415);
  assert.match(wrong.json().message ?? "", /accepted media types include: text\/plain$/);
  const moved = await gateway.ask(`${path}/a/proxy/moved`);
  assert.deepEqual([moved.status, moved.json().message], [500, "Internal error occurred: the store answered 302"]);
  assert.equal((await gateway.ask(`${path}/a/proxy/conflict`)).status, 409);
  const teapot = await gateway.ask(`${path}/a/proxy/teapot`);
  assert.deepEqual([teapot.status, teapot.text], [418, "short and stout"]);
});
