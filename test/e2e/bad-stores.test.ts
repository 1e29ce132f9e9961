/**
 * Bad stores don't hurt: each mutant of the zoo behind a gateway, with an honest store beside it. The
 * gateway answers everything in time, and never a wrong thing for the honest one.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { serveInProcess } from "../contract/in-process.testing.ts";
import type { Mutant } from "../contract/zoo/mutant.ts";
import { mutants } from "../contract/zoo/zoo.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";

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

async function harmless(t: TestContext, own: readonly Mutant[]): Promise<void> {
  const resources = contractResources(memoryCapabilities, { group: honestGroup });
  const gateway = await startTestGateway({ stores: { honest: createMemoryStore(resources) } });
  t.after(() => gateway.stop());
  const honest = {
    name: "honest",
    address: `unix:${join(gateway.folder, "honest.sock")}`,
    protocol: "grpc",
    tls: undefined,
  } as const;
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
