/** A store's description changes while the gateway runs: new kinds come, others go, nobody restarts. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Capability, Scope } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import type { ResourceDescription, Store } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { runKubectl } from "../support/kubectl.ts";

const group = "hot.annex.dev";

function resource(plural: string, kind: string, schema: object = { type: "object" }): ResourceDescription {
  return {
    group,
    plural,
    kind,
    scope: Scope.CLUSTER,
    storageVersion: "v1",
    versions: [{ name: "v1", served: true, schemaJson: Buffer.from(JSON.stringify(schema)) }],
    verbs: [1, 2, 3, 4, 5, 6, 7, 8],
    capabilities: [...memoryCapabilities, Capability.PROGRESS],
  };
}

/** A memory store whose resources can be changed while it runs; objects stay. */
function changeable(resources: readonly ResourceDescription[]): Store & { change(next: typeof resources): void } {
  const listeners = new Set<() => void>();
  let now = resources;
  return {
    ...createMemoryStore([]),
    get resources() {
      return now;
    },
    onResourcesChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change(next) {
      now = next;
      for (const listener of listeners) listener();
    },
  };
}

const apple = resource("apples", "Apple");
const pear = resource("pears", "Pear");
const broken = resource("quinces", "Quince", { type: "object", properties: { spec: { uniqueItems: true } } });

describe("hot change", () => {
  let gateway: TestGateway;
  let store: ReturnType<typeof changeable>;
  before(async () => {
    store = changeable([apple]);
    gateway = await startTestGateway({ stores: { fruit: store } });
  });
  after(async () => await gateway.stop());

  const served = async (plural: string) => (await gateway.ask(`/apis/${group}/v1/${plural}`)).status === 200;

  test("kubectl finds a new kind, its discovery and OpenAPI, without a restart", async () => {
    const kubeconfig = await gateway.kubeconfig();
    assert.equal((await runKubectl(["get", "pears"], { kubeconfig })).code, 1);
    store.change([apple, pear]);
    await eventually(() => served("pears"), "pears are served");
    const stdin = `apiVersion: ${group}/v1\nkind: Pear\nmetadata: {name: p}\n`;
    const made = await runKubectl(["create", "-f", "-"], { kubeconfig, stdin });
    assert.equal(made.stdout, `pear.${group}/p created\n`, made.stderr);
    const listed = await gateway.ask(`/apis/${group}/v1`);
    assert.match(listed.text, /"name":"pears"/);
    const index = (await gateway.ask("/openapi/v3")).json() as { paths: Record<string, { serverRelativeURL: string }> };
    const document = await gateway.ask(index.paths[`apis/${group}/v1`]?.serverRelativeURL ?? "");
    assert.match(document.text, /dev\.annex\.hot\.v1\.Pear/);
  });

  test("a kind that went away answers 404, and its watches end", async () => {
    let begun = false;
    const watch = gateway.ask(`/apis/${group}/v1/pears?watch=1`, { onText: () => (begun = true) });
    await eventually(() => begun, "the watch shows the first pear");
    const stop = new AbortController();
    const [isOpen, isOver] = [Promise.withResolvers<void>(), { value: false }];
    const marked = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1";
    const other = gateway
      .ask(`/apis/${group}/v1/apples?${marked}`, { signal: stop.signal, onText: () => isOpen.resolve() })
      .finally(() => (isOver.value = true));
    await isOpen.promise;
    store.change([apple]);
    const ended = await watch;
    assert.equal(ended.status, 200);
    assert.equal(ended.text.trim().split("\n").length, 1, ended.text);
    const gone = await gateway.ask(`/apis/${group}/v1/pears`);
    assert.deepEqual([gone.status, gone.text], [404, "404 page not found\n"]);
    assert.equal(isOver.value, false, "the watch of the kind that stayed goes on");
    stop.abort();
    await other;
  });

  test("a resource whose schema is broken is refused alone, with its reason in Status and in the log", async () => {
    store.change([apple, broken, pear]);
    await eventually(() => served("pears"), "pears are served");
    assert.equal((await gateway.ask(`/apis/${group}/v1/quinces`)).status, 404);
    const [refusal] = gateway.running.stores()[0]?.refused ?? [];
    assert.equal(refusal?.resource, `quinces.${group}`);
    assert.match(refusal?.reason ?? "", /^spec\.versions\[0\]\.schema\.openAPIV3Schema\.properties\[spec\]/);
    const lines = gateway.logged.filter((line) => line.includes("resource is refused"));
    assert.equal(lines.length, 1);
    assert.ok(lines[0]?.includes(JSON.stringify(refusal?.reason)), lines[0]);
  });

  test("a store that is replaced by a newer one is taken as it describes itself", async () => {
    store = changeable([apple, resource("plums", "Plum")]);
    await gateway.replace("fruit", store);
    await eventually(() => served("plums"), "plums are served");
    assert.equal((await gateway.ask(`/apis/${group}/v1/pears`)).status, 404);
    assert.ok(await served("apples"));
  });
});

test("a resource that one store lets go of is served from the store that waits for it", async (t) => {
  const [first, second] = [changeable([apple]), changeable([pear])];
  const gateway = await startTestGateway({ stores: { first, second } });
  t.after(async () => await gateway.stop());
  const reasonOf = () => gateway.running.stores()[1]?.refused[0]?.reason;
  second.change([pear, apple]);
  await eventually(() => reasonOf() !== undefined, "the second claim is refused");
  assert.equal(reasonOf(), `apples.${group} is already served by the store "first"`);
  first.change([]);
  await eventually(() => reasonOf() === undefined, "the claim is taken");
  const made = await gateway.ask(`/apis/${group}/v1/apples`, {
    method: "POST",
    body: { apiVersion: `${group}/v1`, kind: "Apple", metadata: { name: "a" } },
  });
  assert.equal(made.status, 201, made.text);
});

test("of two stores that claim one resource the first of the configuration has it, though the second was heard first", async (t) => {
  const [first, second] = [changeable([pear]), changeable([apple])];
  const gateway = await startTestGateway({ stores: { first, second } });
  t.after(async () => await gateway.stop());
  const apples = `/apis/${group}/v1/apples`;
  const statusOf = async (path: string) => (await gateway.ask(path)).status;
  const body = { apiVersion: `${group}/v1`, kind: "Apple", metadata: { name: "of-the-second" } };
  assert.equal((await gateway.ask(apples, { method: "POST", body })).status, 201);
  first.change([pear, apple]);
  const reasonOf = () => gateway.running.stores()[1]?.refused[0]?.reason;
  await eventually(() => reasonOf() !== undefined, "the second one is refused");
  assert.equal(reasonOf(), `apples.${group} is already served by the store "first"`);
  assert.deepEqual([await statusOf(apples), await statusOf(`${apples}/of-the-second`)], [200, 404]);
  first.change([pear]);
  await eventually(async () => (await statusOf(`${apples}/of-the-second`)) === 200, "the second one has it again");
  assert.equal(reasonOf(), undefined);
});
