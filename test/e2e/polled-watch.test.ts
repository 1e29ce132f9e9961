/**
 * A store without a feed whose lists the gateway compares: what clients watch is as of any other store.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Capability, Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore } from "../../stores/memory/store.ts";
import type { ListPage, ResourceDescription, Store } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { startKubectl } from "../support/kubectl-process.ts";

const group = "polled.annex.dev";
const verbs = [Verb.GET, Verb.LIST, Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE, Verb.DELETECOLLECTION];

function resource(plural: string, kind: string, polledWatchIntervalMs: number): ResourceDescription {
  return {
    ...{ group, plural, kind, verbs, polledWatchIntervalMs },
    scope: Scope.NAMESPACED,
    storageVersion: "v1",
    versions: [{ name: "v1", served: true }],
    capabilities: [] as Capability[],
  };
}

/** Nobody waits for its interval. */
const rarely = resource("hours", "Hour", 3_600_000);
const often = resource("moments", "Moment", 100);

/** A store that gets, lists and writes, and can tell nothing of itself. `change` changes its lists. */
function plainStore() {
  const { watch: _, currentRevision: __, ...memory } = createMemoryStore([often, rarely], 10n);
  const state = { change: (page: ListPage) => page, lists: 0 };
  const store: Store = {
    ...memory,
    async list(call) {
      state.lists++;
      return state.change((await memory.list?.(call)) as ListPage);
    },
  };
  return { store, state };
}

interface Seen {
  readonly type: string;
  readonly object: {
    readonly metadata: Readonly<Record<string, string>>;
    readonly code?: number;
    readonly spec?: unknown;
  };
}

describe("a polled watch", () => {
  let gateway: TestGateway;
  let state: ReturnType<typeof plainStore>["state"];
  let store: Store;
  const stops = new AbortController();
  before(async () => {
    ({ store, state } = plainStore());
    gateway = await startTestGateway({ stores: { plain: store } });
  });
  after(async () => {
    stops.abort();
    await gateway.stop();
  });

  const path = (plural: string) => `/apis/${group}/v1/namespaces/ns/${plural}`;

  async function create(plural: string, name: string, color = "red"): Promise<string> {
    const kind = plural === "hours" ? "Hour" : "Moment";
    const body = { apiVersion: `${group}/v1`, kind, metadata: { name, labels: { color } } };
    const made = await gateway.ask(path(plural), { method: "POST", body });
    assert.equal(made.status, 201, made.text);
    return String(made.json().metadata?.["resourceVersion"]);
  }

  async function list(plural: string, query = ""): Promise<{ names: string[]; revision: string }> {
    const { status, text } = await gateway.ask(`${path(plural)}?${query}`);
    assert.equal(status, 200, text);
    const { items, metadata } = JSON.parse(text);
    const names = items.map((item: { metadata: { name: string } }) => item.metadata.name);
    return { names, revision: metadata.resourceVersion };
  }

  /** Events as they come, until the tests are over. */
  function watch(plural: string, query: string): { readonly seen: Seen[]; readonly types: () => string[] } {
    const seen: Seen[] = [];
    let text = "";
    const onText = (piece: string) => {
      text += piece;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) seen.push(JSON.parse(line));
    };
    gateway.ask(`${path(plural)}?watch=true&${query}`, { signal: stops.signal, onText }).catch(() => {});
    return {
      seen,
      types: () => seen.map(({ type, object }) => `${type} ${object.metadata["name"] ?? object.code}`),
    };
  }

  test("is offered by discovery, though the store has none", async () => {
    const listed = (await gateway.ask(`/apis/${group}/v1`)).json() as unknown as { resources: { verbs: string[] }[] };
    assert.ok(listed.resources.every((one) => one.verbs.includes("watch")));
  });

  test("shows creations, changes and deletes in growing revisions, and a lost match as DELETED", async () => {
    await create("moments", "a");
    const { revision } = await list("moments");
    const all = watch("moments", `resourceVersion=${revision}`);
    const red = watch("moments", `resourceVersion=${revision}&labelSelector=color%3Dred`);
    await create("moments", "b");
    await eventually(() => all.types().includes("ADDED b"), "the creation is seen");
    const patched = await gateway.ask(`${path("moments")}/b`, {
      method: "PATCH",
      headers: { "content-type": "application/merge-patch+json" },
      body: { metadata: { labels: { color: "blue" } } },
    });
    assert.equal(patched.status, 200, patched.text);
    await eventually(() => all.types().includes("MODIFIED b"), "the change is seen");
    assert.equal((await gateway.ask(`${path("moments")}/a`, { method: "DELETE" })).status, 200);
    await eventually(() => all.types().includes("DELETED a"), "the delete is seen");
    await eventually(() => red.types().includes("DELETED a"), "who selects sees it");
    assert.deepEqual(all.types(), ["ADDED b", "MODIFIED b", "DELETED a"]);
    assert.deepEqual(red.types(), ["ADDED b", "DELETED b", "DELETED a"]);
    const revisions = all.seen.map(({ object }) => BigInt(object.metadata["resourceVersion"] ?? ""));
    assert.deepEqual(
      revisions,
      [...new Set(revisions)].sort((a, b) => (a < b ? -1 : 1)),
    );
    assert.equal(all.seen.at(-1)?.object.metadata["labels"] !== undefined, true, "a delete shows the last state");
  });

  test("shows kubectl what happens", async () => {
    const kubeconfig = await gateway.kubeconfig();
    const kubectl = startKubectl(["get", "moments", "-n", "ns", "-w", "--output-watch-events"], { kubeconfig });
    await kubectl.said(/ADDED +b/);
    await create("moments", "k");
    await kubectl.said(/ADDED +k/);
    assert.equal((await gateway.ask(`${path("moments")}/k`, { method: "DELETE" })).status, 200);
    await kubectl.said(/DELETED +k/);
    kubectl.stop();
    await kubectl.ended;
  });

  test("begins with every acknowledged write, and so does a list, however rarely it is polled", async () => {
    await create("hours", "a");
    assert.deepEqual((await list("hours")).names, ["a"]);
    await create("hours", "b");
    assert.deepEqual((await list("hours")).names, ["a", "b"]);
    const revision = await create("hours", "c");
    const lists = state.lists;
    assert.deepEqual((await list("hours", "resourceVersion=0")).names, ["a", "b"]);
    assert.equal(state.lists, lists, "what may be old is answered from the copy");
    assert.deepEqual((await list("hours", `resourceVersion=${revision}`)).names, ["a", "b", "c"]);
    await create("hours", "d");
    const begun = watch("hours", "");
    await eventually(() => begun.seen.length === 4, "the watch begins with the write before it");
    assert.deepEqual(begun.types(), ["ADDED a", "ADDED b", "ADDED c", "ADDED d"]);
    assert.equal((await gateway.ask(`${path("hours")}/d`)).status, 200);
    assert.equal((await gateway.ask(`${path("hours")}/d`, { method: "DELETE" })).status, 200);
    assert.equal((await gateway.ask(`${path("hours")}/d`)).status, 404);
    // What a client lists is what it can watch from, whatever the copy has seen.
    const { revision: listed } = await list("hours");
    await eventually(() => begun.types().includes("DELETED d"), "the list made the watch see it");
    const resumed = watch("hours", `resourceVersion=${listed}`);
    await create("hours", "e");
    await list("hours");
    await eventually(() => resumed.seen.length > 0, "it goes on");
    assert.deepEqual(resumed.types(), ["ADDED e"]);
  });

  test("pages its lists from the copy, and says when that state is gone", async () => {
    const page = (await gateway.ask(`${path("hours")}?limit=2`)).json();
    const token = page.metadata?.["continue"] as string;
    const rest = await list("hours", `limit=2&continue=${encodeURIComponent(token)}`);
    assert.deepEqual(rest.names, ["c", "e"]);
    const exact = await gateway.ask(`${path("hours")}?resourceVersion=11&resourceVersionMatch=Exact`);
    assert.equal(exact.status, 410, exact.text);
  });

  test("is told to list anew from a revision at which nobody knows what was deleted", async () => {
    const from = await list("hours");
    assert.equal((await gateway.ask(`${path("hours")}/a`, { method: "DELETE" })).status, 200);
    await create("hours", "f");
    await create("hours", "g");
    const to = await list("hours");
    const between = watch("hours", `resourceVersion=${BigInt(from.revision) + 1n}`);
    await eventually(() => between.seen.length > 0, "it is answered");
    assert.deepEqual(between.types(), ["ERROR 410"]);
    const [whole, nothing] = [from, to].map(({ revision }) => watch("hours", `resourceVersion=${revision}`));
    await eventually(() => whole?.seen.length === 3, "from a mark all is told");
    assert.deepEqual(whole?.types(), ["DELETED a", "ADDED f", "ADDED g"]);
    assert.deepEqual(nothing?.types(), []);
  });

  test("stays open while the store is away, and is told what happened meanwhile", async () => {
    const { revision } = await list("moments");
    const open = watch("moments", `resourceVersion=${revision}`);
    await gateway.stopStore("plain");
    await eventually(
      () => gateway.logged.some((line) => line.includes("the feed from the store broke")),
      "a poll has failed",
    );
    await gateway.replace("plain", store);
    await eventually(async () => (await gateway.ask(path("moments"))).status === 200, "the store is back");
    await create("moments", "later");
    await eventually(() => open.seen.length > 0, "the watch goes on");
    assert.deepEqual(open.types(), ["ADDED later"]);
  });

  test("ends with 410 when a list's mark goes back, and the copy is right again", async () => {
    const { revision } = await list("moments");
    const open = watch("moments", `resourceVersion=${revision}`);
    state.change = (page) => ({ ...page, items: [], revision: 5n });
    await eventually(() => open.types().includes("ERROR 410"), "the watch ends");
    state.change = (page) => page;
    assert.ok(gateway.logged.some((line) => line.includes("progress of revision 5 came after revision")));
    await eventually(async () => (await list("moments", "resourceVersion=0")).names.includes("later"), "it is filled");
  });
});
