/**
 * Bad stores don't hurt: each mutant of the zoo behind a gateway, and each way to hang, with an honest store beside
 * it. The gateway answers everything in time, and never a wrong thing for the honest one.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import type { Store } from "../../stores/sdk/sdk.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { serveInProcess } from "../contract/in-process.testing.ts";
import type { Mutant } from "../contract/zoo/mutant.ts";
import { mutants } from "../contract/zoo/zoo.ts";
import { annexBin, root } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { startStoreProcess } from "../support/store-process.ts";

const honestGroup = "honest.annex.dev";
/** Each has its share of the mutants, one after the other: most of the time is watches that last a second. */
const gateways = 4;
/** Longest time for one answer, whatever the store does: far below a client's patience. */
const answerMs = 10_000;

const thingsOf = (group: string) => `/apis/${group}/v1/namespaces/ns/things`;
const bodyOf = (group: string, name: string, labels = {}) => ({
  apiVersion: `${group}/v1`,
  kind: "Thing",
  metadata: { name, labels },
});

describe("a mutant behind a gateway leaves the gateway and the honest store beside it alone", {
  concurrency: true,
}, () => {
  for (let turn = 0; turn < gateways; turn++) {
    const own = mutants.filter((_, index) => index % gateways === turn);
    test(`${own[0]?.name} to ${own.at(-1)?.name}, ${own.length} of them`, (t) => harmless(t, own));
  }
});

/** Bob may read everything. */
const rbac = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: [get, list]}
- {nonResourceURLs: ["*"], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bob}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: User, name: bob, apiGroup: rbac.authorization.k8s.io}]
`;

/** A store that can be made to hang. */
interface Sleeper {
  readonly address: string;
  readonly group: string;
  readonly plural: string;
  hang(): void;
  wake(): void;
  stop(): Promise<unknown>;
}

for (const [does, startSleeper] of [
  ["is paused", pausedStore],
  ["answers its probes and nothing else", silentStore],
] as const) {
  test(`the honest store is answered for while the one beside it ${does}`, async (t) => {
    const gateway = await startHonest();
    const sleeper = await startSleeper();
    t.after(async () => {
      sleeper.wake();
      await gateway.stop();
      await sleeper.stop();
    });
    const bad = { name: "bad", address: sleeper.address, protocol: "grpc", tls: undefined } as const;
    gateway.running.configureStores([honestOf(gateway), bad]);
    const base = `/apis/${sleeper.group}/v1`;
    const path = `${base}/namespaces/ns/${sleeper.plural}`;
    await eventually(async () => (await gateway.ask(path)).status === 200, "the other store is used");
    const seen = new AbortController();
    let text = "";
    const watch = gateway.ask(`${thingsOf(honestGroup)}?watch=true`, {
      signal: seen.signal,
      onText: (piece) => (text += piece),
    });

    sleeper.hang();
    let answered = 0;
    const reads = [`${path}/a`, path, `${path}?limit=1`, `${path}?watch=true&timeoutSeconds=1`];
    const waiting = reads.map(async (asked) => {
      await gateway.ask(asked);
      answered++;
    });
    // Of the 400 that may be in flight.
    let refused = 0;
    const crowd = Array.from({ length: 350 }, async () => {
      const { status } = await gateway.ask(`${path}/a`, { user: "bob" });
      if (status === 429) refused++;
    });
    await eventually(() => refused >= 50, "those who wait for a store are told that there are too many");
    for (const other of ["/apis", thingsOf(honestGroup)]) {
      assert.equal((await gateway.ask(other, { user: "bob" })).status, 200, other);
    }
    for (let turn = 0; turn < 3; turn++) await useHonest(gateway, `beside-${turn}`);
    await eventually(() => text.split("beside-2").length > 2, "an open watch of the honest store goes on");
    for (const document of ["/readyz", "/livez", "/apis", base, "/openapi/v2", "/openapi/v3"]) {
      assert.equal((await gateway.ask(document)).status, 200, document);
    }
    // All that took less time than the gateway gives the one that hangs.
    assert.equal(answered, 0);
    seen.abort();
    await watch;

    sleeper.wake();
    await Promise.all([...waiting, ...crowd]);
  });
}

async function pausedStore(): Promise<Sleeper> {
  const store = await startStoreProcess({
    command: process.execPath,
    args: [annexBin, "store", "memory"],
    cwd: root,
  });
  const wake = () => void process.kill(store.pid, "SIGCONT");
  return {
    ...{ address: store.address, group: "example.annex.dev", plural: "widgets", wake },
    hang: () => void process.kill(store.pid, "SIGSTOP"),
    stop: () => store.stop(),
  };
}

async function silentStore(): Promise<Sleeper> {
  const { promise: awake, resolve: wake } = Promise.withResolvers<void>();
  let isAsleep = false;
  const store = createMemoryStore(contractResources(memoryCapabilities)) as Required<Store>;
  const slept =
    <Asked, Answer>(call: (asked: Asked) => Promise<Answer>) =>
    async (asked: Asked) => {
      if (isAsleep) await awake;
      return await call(asked);
    };
  const { get, list, currentRevision } = store;
  const silent = { ...store, get: slept(get), list: slept(list), currentRevision: slept(currentRevision) };
  const served = await serveInProcess([{ store: silent }]);
  return {
    ...{ address: served.addresses[0] ?? "", group: resource.group, plural: resource.plural, wake },
    hang() {
      isAsleep = true;
    },
    stop: () => served.stop(),
  };
}

async function startHonest(): Promise<TestGateway> {
  const resources = contractResources(memoryCapabilities, { group: honestGroup });
  return await startTestGateway({ stores: { honest: createMemoryStore(resources) }, rbac });
}

function honestOf(gateway: TestGateway) {
  const address = `unix:${join(gateway.folder, "honest.sock")}`;
  return { name: "honest", address, protocol: "grpc", tls: undefined } as const;
}

async function harmless(t: TestContext, own: readonly Mutant[]): Promise<void> {
  const gateway = await startHonest();
  t.after(() => gateway.stop());
  const honest = honestOf(gateway);
  assert.equal((await gateway.ask("/readyz")).status, 200);
  for (const [index, mutant] of own.entries()) {
    const served = await serveInProcess(mutant.make());
    const bad = { name: mutant.name, address: served.addresses[0] ?? "", protocol: "grpc", tls: undefined } as const;
    gateway.running.configureStores([honest, bad]);
    await eventually(
      () => gateway.running.stores().find((store) => store.name === mutant.name)?.state === "ready",
      `${mutant.name} is described`,
    );
    await Promise.all([useMutant(gateway, mutant.name), useHonest(gateway, `${mutant.name}-${index}`)]);
    gateway.running.configureStores([honest]);
    await served.stop();
  }
  assert.equal((await gateway.ask("/readyz")).status, 200);
}

/** Everything that a client does; what comes is the mutant's affair, that it comes the gateway's. */
async function useMutant(gateway: TestGateway, name: string): Promise<void> {
  const things = thingsOf(resource.group);
  const asked = async (what: string, path: string, options: Parameters<TestGateway["ask"]>[1] = {}) => {
    const since = performance.now();
    const { status } = await gateway.ask(path, { signal: AbortSignal.timeout(answerMs), ...options });
    const isInTime = performance.now() - since < answerMs;
    assert.ok(isInTime && status >= 200, `${name}: ${what} has no answer within ${answerMs} ms`);
  };
  const watched = asked("a watch", `${things}?watch=true&timeoutSeconds=1`);
  for (const thing of ["a", "b", "c"]) {
    await asked("a create", things, { method: "POST", body: bodyOf(resource.group, thing) });
  }
  await asked("a get", `${things}/a`);
  await asked("a patch", `${things}/a`, {
    method: "PATCH",
    body: { metadata: { labels: { a: "b" } } },
    headers: { "content-type": "application/merge-patch+json" },
  });
  await asked("an action", `${things}/b/poke`, { method: "POST", body: {} });
  await asked("a list", things);
  await asked("a list in another version", things.replace("/v1/", "/v2/"));
  await asked("a table", things, { headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" } });
  await asked("a page", `${things}?limit=2`);
  await asked("a cached list", `${things}?resourceVersion=0`);
  await asked("a get of nothing", `${things}/none`);
  await asked("a delete", `${things}/a`, { method: "DELETE" });
  await asked("a collection's delete", things, { method: "DELETE" });
  await watched;
}

/** The honest store's answers, exactly. */
async function useHonest(gateway: TestGateway, name: string): Promise<void> {
  const things = thingsOf(honestGroup);
  const signal = () => AbortSignal.timeout(answerMs);
  const made = await gateway.ask(things, { method: "POST", body: bodyOf(honestGroup, name), signal: signal() });
  assert.equal(made.status, 201, `${name}: ${made.text}`);
  const revision = String(made.json().metadata?.["resourceVersion"]);
  const read = await gateway.ask(`${things}/${name}`, { signal: signal() });
  assert.equal(read.json().metadata?.["resourceVersion"], revision, name);
  const listed = await gateway.ask(things, { signal: signal() });
  const items = listed.json()["items"] as { readonly metadata: { readonly name: string } }[];
  assert.deepEqual(
    items.map((item) => item.metadata.name),
    [name],
  );
  const removed = await gateway.ask(`${things}/${name}`, { method: "DELETE", signal: signal() });
  assert.equal(removed.status, 200, removed.text);
  const seen = new AbortController();
  const { text } = await gateway.ask(`${things}?watch=true&resourceVersion=${revision}`, {
    signal: AbortSignal.any([seen.signal, signal()]),
    onText: () => seen.abort(),
  });
  const events = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ type, object }) => `${type} ${object.metadata.name}`),
    [`DELETED ${name}`],
    name,
  );
}
