/** A resource that is too large to be kept: reads and watches are the store's, and the gateway says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Capability, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import type { Store } from "../../stores/sdk/sdk.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";

const path = `/apis/${resource.group}/v1/namespaces/ns/things`;
const firstRevision = 1_000n;
/** More than the gateway lists at once for a watch's initial objects. */
const count = 1_200;
const nameOf = (at: number) => `n${String(at).padStart(4, "0")}`;
const thing = (name: string, labels = {}) => ({
  ...{ apiVersion: `${resource.group}/v1`, kind: "Thing" },
  metadata: { name, namespace: "ns", labels },
});

async function fullStore(capabilities = memoryCapabilities): Promise<Store> {
  const resources = contractResources(capabilities);
  const verbs = [Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE];
  const store = createMemoryStore(
    resources.map((one) => ({ ...one, verbs })),
    firstRevision,
  );
  const call = { requestId: "", user: undefined, signal: new AbortController().signal, dryRun: false, resource };
  for (let at = 0; at < count; at++) {
    const json = Buffer.from(JSON.stringify(thing(nameOf(at))));
    await store.create?.({ ...call, key: { namespace: "ns", name: nameOf(at) }, uid: `${at}`, json });
  }
  return store;
}

const start = async (store: Store) =>
  await startTestGateway({ stores: { memory: store }, cache: { maxCopyBytes: 1_000 }, bookmarkEveryMs: 50 });

/** A watch, and what it has shown: types and names. */
function watch(gateway: TestGateway, query: string) {
  const stop = new AbortController();
  let text = "";
  const onText = (piece: string) => {
    text += piece;
  };
  const answer = gateway.ask(`${path}?watch=true&${query}`, { signal: stop.signal, onText });
  const seen = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  const isBookmark = ({ type }: { type: string }) => type === "BOOKMARK";
  const events = () => seen().filter((one) => !isBookmark(one));
  const names = () => events().map(({ type, object }) => `${type} ${object.metadata.name ?? object.code}`);
  const bookmarks = () => seen().filter(isBookmark);
  const end = async () => {
    stop.abort();
    return await answer;
  };
  return { events, names, bookmarks, end };
}

test("a resource over the limit is listed, read and watched at its store, and the gateway says so once", async (t) => {
  const gateway = await start(await fullStore());
  t.after(() => gateway.stop());
  const all = Array.from({ length: count }, (_, at) => `ADDED ${nameOf(at)}`);

  // The first to ask is who finds out.
  const whole = watch(gateway, "sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
  const isMarked = () =>
    whole.bookmarks().some(({ object }) => object.metadata.annotations?.["k8s.io/initial-events-end"]);
  await eventually(isMarked, "the initial objects have come");
  assert.deepEqual(whole.names(), all);

  const list = await gateway.ask(path);
  assert.equal(list.status, 200);
  assert.equal((list.json()["items"] as unknown[]).length, count);
  const from = String(list.json().metadata?.["resourceVersion"]);
  for (const query of ["", "?resourceVersion=0"])
    assert.equal((await gateway.ask(`${path}/${nameOf(7)}${query}`)).status, 200);

  const red = watch(gateway, `resourceVersion=${from}&labelSelector=color%3Dred&allowWatchBookmarks=true`);
  assert.equal((await gateway.ask(path, { method: "POST", body: thing("z", { color: "red" }) })).status, 201);
  const headers = { "content-type": "application/merge-patch+json" };
  const toBlue = { metadata: { labels: { color: "blue" } } };
  assert.equal((await gateway.ask(`${path}/z`, { method: "PATCH", headers, body: toBlue })).status, 200);
  assert.equal((await gateway.ask(`${path}/z`, { method: "DELETE" })).status, 200);
  await eventually(() => whole.names().includes("DELETED z"), "the watch of all sees the end");
  assert.deepEqual(whole.names().slice(count), ["ADDED z", "MODIFIED z", "DELETED z"]);
  await eventually(() => red.names().length === 2, "what leaves the selection is told as gone");
  assert.deepEqual(red.names(), ["ADDED z", "DELETED z"]);
  const revisionOf = ({ object }: { object: { metadata: { resourceVersion: string } } }) =>
    Number(object.metadata.resourceVersion);
  const last = Number(whole.events().map(revisionOf).at(-1));
  await eventually(() => red.bookmarks().map(revisionOf).includes(last), "a bookmark has come as far");
  const resumed = watch(gateway, `resourceVersion=${red.events().map(revisionOf)[0]}`);
  await eventually(() => resumed.names().length === 2, "who was cut off goes on");
  assert.deepEqual(resumed.names(), ["MODIFIED z", "DELETED z"]);
  for (const one of [whole, red, resumed]) assert.equal((await one.end()).status, 200);

  const gone = await gateway.ask(`${path}?watch=true&resourceVersion=${firstRevision - 1n}`);
  assert.match(gone.text, /^\{"type":"ERROR".*"code":410/);
  const { text: metrics } = await gateway.ask("/metrics");
  assert.match(metrics, /^annex_store_feed_state\{.*resource="things",state="over_limit".*\} 1$/m);
  assert.match(metrics, /^annex_store_cache_objects\{.*resource="things".*\} 0$/m);
  const said = gateway.logged.filter((line) => line.includes("given up for its size"));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /"resource":"things".*"limit":"maxCopyBytes is 1000"/);
});

test("a resource over the limit isn't watched where its store doesn't tell what an object was", async (t) => {
  const lacking = memoryCapabilities.filter((one) => one !== Capability.PREVIOUS_OBJECT);
  const gateway = await start(await fullStore(lacking));
  t.after(() => gateway.stop());
  const refused = await gateway.ask(`${path}?watch=true`);
  assert.deepEqual([refused.status, refused.headers["retry-after"]], [503, "30"]);
  assert.match(refused.json().message ?? "", /things are too large together to be watched/);
  assert.equal((await gateway.ask(path)).status, 200);
});

test("a watch over the limit begins with all objects of a store that reads no earlier state", async (t) => {
  const gateway = await start(await fullStore(memoryCapabilities.filter((one) => one !== Capability.EXACT_READ)));
  t.after(() => gateway.stop());
  const whole = watch(gateway, "resourceVersion=0");
  await eventually(() => whole.names().length >= count, "the initial objects have come");
  assert.equal((await gateway.ask(path, { method: "POST", body: thing("z") })).status, 201);
  await eventually(() => whole.names().at(-1) === "ADDED z", "the watch goes on");
  assert.equal(whole.names().length, count + 1);
  await whole.end();
});
