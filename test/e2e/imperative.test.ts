/** A kind that only answers creates, from kubectl through a gateway to a store that keeps nothing. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Capability, Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { conflict, type InvokeCall, invalid, type Store } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { runKubectl } from "../support/kubectl.ts";

const schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["question"],
      properties: { question: { type: "string" }, tries: { type: "integer", default: 3 } },
    },
    status: { type: "object", properties: { answer: { type: "string" } } },
  },
};
const version = { served: true, schemaJson: Buffer.from(JSON.stringify(schema)) };
const base = { group: "ask.example.com", storageVersion: "v1", verbs: [Verb.CREATE] };
const calls: InvokeCall[] = [];
const store: Store = {
  implementation: "asks",
  version: "1",
  revisionScope: "store",
  epoch: () => "1",
  resources: [
    {
      ...base,
      plural: "reviews",
      kind: "Review",
      scope: Scope.CLUSTER,
      versions: [
        { ...version, name: "v1" },
        { ...version, name: "v1beta1" },
      ],
    },
    {
      ...base,
      plural: "checks",
      kind: "Check",
      scope: Scope.NAMESPACED,
      versions: [{ ...version, name: "v1" }],
      capabilities: [Capability.DRY_RUN],
    },
  ],
  async invoke(call) {
    calls.push(call);
    const object = JSON.parse(Buffer.from(call.body).toString());
    const { question } = object.spec;
    if (question === "conflict") throw conflict();
    if (question === "forever") await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
    if (question === "") throw invalid([{ reason: "FieldValueRequired", field: "spec.question", message: "ask" }]);
    const status = { answer: `${call.user?.name} asks ${question} ${object.spec.tries} times` };
    return { body: Buffer.from(JSON.stringify({ ...object, status })), warnings: ["it was said once"] };
  },
};

let gateway: TestGateway;
let kubeconfig: string;
before(async () => {
  gateway = await startTestGateway({ stores: { asks: store } });
  kubeconfig = await gateway.kubeconfig();
});
after(async () => {
  await gateway.stop();
});

const kubectl = (args: readonly string[], stdin = "") => runKubectl(args, { kubeconfig, stdin });
const create = (object: object, ...args: string[]) => kubectl(["create", "-f", "-", ...args], JSON.stringify(object));
const review = (question: string) => ({ apiVersion: "ask.example.com/v1", kind: "Review", spec: { question } });

test("discovery shows create and nothing else", async () => {
  const { stdout } = await kubectl(["api-resources", "--api-group=ask.example.com", "--no-headers", "-o", "wide"]);
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/\s+/).slice(0, 5));
  assert.deepEqual(lines, [
    ["checks", "ask.example.com/v1", "true", "Check", "create"],
    ["reviews", "ask.example.com/v1", "false", "Review", "create"],
  ]);
});

test("kubectl create gives the store's answer, with defaults filled in and its warnings", async () => {
  const { code, stdout, stderr } = await create(review("why"), "-o", "json");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /Warning: it was said once/);
  const answered = JSON.parse(stdout);
  assert.deepEqual(answered.status, { answer: "admin asks why 3 times" });
  assert.deepEqual([answered.kind, answered.metadata.uid], ["Review", undefined]);
});

test("the store gets the storage version, the client its own", async () => {
  const { stdout, stderr } = await create({ ...review("when"), apiVersion: "ask.example.com/v1beta1" }, "-o", "json");
  assert.equal(JSON.parse(stdout || "{}").apiVersion, "ask.example.com/v1beta1", stderr);
  assert.equal(JSON.parse(Buffer.from(calls.at(-1)?.body ?? []).toString()).apiVersion, "ask.example.com/v1");
});

test("the namespace is the URL's, and a name is not needed", async () => {
  const { code, stderr } = await create({ ...review("where"), kind: "Check" }, "--namespace", "here");
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls.at(-1)?.key, { namespace: "here", name: "" });
});

test("the store hears the request's audit id and how long it has, and is told when that is over", async () => {
  const path = "/apis/ask.example.com/v1/reviews?timeout=2s";
  const headers = { "audit-id": "audit-7" };
  const made = await gateway.ask(path, { method: "POST", body: review("who"), headers });
  assert.equal(made.status, 201, made.text);
  const heard = calls.at(-1);
  assert.equal(heard?.requestId, "audit-7");
  const timeoutMs = heard?.timeoutMs ?? 0;
  assert.ok(timeoutMs > 0 && timeoutMs <= 2_000, `${timeoutMs} ms`);
  const late = await gateway.ask(path, { method: "POST", body: review("forever") });
  assert.equal(late.status, 504, late.text);
  await eventually(() => calls.at(-1)?.signal.aborted === true, "the call is over for the store too");
});

test("schema and store refuse with causes, and a conflict is told once", async () => {
  const before = calls.length;
  const byKubectl = await create({ ...review(""), spec: {} });
  assert.match(byKubectl.stderr, /missing required field "question" in com.example.ask.v1.Review.spec/);
  const bySchema = await create({ ...review(""), spec: {} }, "--validate=false");
  assert.match(bySchema.stderr, /The Review "" is invalid: spec.question: Required value/);
  assert.equal(calls.length, before);
  assert.match((await create(review(""))).stderr, /is invalid: spec.question: ask/);
  assert.match((await create(review("conflict"))).stderr, /Error from server \(Conflict\)/);
  assert.equal(calls.length, before + 2);
});

test("a dry run reaches only a store that declares it", async () => {
  const before = calls.length;
  const undeclared = await create(review("what if"), "--dry-run=server", "-o", "json");
  assert.deepEqual([JSON.parse(undeclared.stdout).spec.tries, calls.length], [3, before]);
  await create({ ...review("what if"), kind: "Check" }, "--dry-run=server");
  assert.equal(calls.at(-1)?.dryRun, true);
  assert.equal(calls.length, before + 1);
});

test("every other verb is not offered", async () => {
  for (const args of [
    ["get", "reviews"],
    ["get", "reviews", "a"],
    ["delete", "reviews", "a"],
  ]) {
    const { code, stderr } = await kubectl(args);
    assert.equal(code, 1);
    assert.match(stderr, /MethodNotAllowed/);
  }
});
