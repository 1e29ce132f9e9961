/** Resources whose reads depend on who asks, and objects that belong to users. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OwnerMatch, Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import type { ResourceDescription } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { createNoteStore } from "./note-store.ts";

const group = "users.annex.dev";
const allVerbs = [
  ...[Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE],
  ...[Verb.UPDATE, Verb.PATCH, Verb.DELETE, Verb.DELETECOLLECTION],
];

function resource(plural: string, kind: string, more: Partial<ResourceDescription>): ResourceDescription {
  const version = { name: "v1", served: true, selectableFields: [".spec.user"] };
  const base = {
    group,
    plural,
    kind,
    scope: Scope.CLUSTER,
    storageVersion: "v1",
    versions: [version],
    verbs: allVerbs,
  };
  return { ...base, capabilities: [...memoryCapabilities], ...more } as ResourceDescription;
}

/** Everybody may do everything; carol may see everybody's. */
const rbac = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everything}
rules: [{apiGroups: [${group}], resources: ["*"], verbs: [get, list, watch, create, update, patch, delete, deletecollection]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everything}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: everything}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: "system:authenticated"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all-seeing}
rules: [{apiGroups: [${group}], resources: [tokens], verbs: [see-all]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: all-seeing}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all-seeing}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: carol}]
`;

const object = (kind: string, name: string, user: string) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name },
  spec: { user },
});
const namesOf = (list: Record<string, unknown>) =>
  (list["items"] as { metadata: { name: string } }[]).map((item) => item.metadata.name);

/** The events of a watch, one object each. */
function eventsOf(text: string): { type: string; object: { metadata: { name: string } } }[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

describe("owner scoping", () => {
  const tokens = resource("tokens", "Token", {
    ownerScope: { fieldPath: ".spec.user", match: OwnerMatch.NAME, bypassVerb: "see-all" },
  });
  let gateway: TestGateway;
  const path = `/apis/${group}/v1/tokens`;
  const create = async (name: string, owner: string) => {
    const made = await gateway.ask(path, { method: "POST", body: object("Token", name, owner) });
    assert.equal(made.status, 201, made.text);
  };
  before(async () => {
    gateway = await startTestGateway({ stores: { memory: createMemoryStore([tokens]) }, rbac });
    await create("a1", "alice");
    await create("b1", "bob");
  });
  after(async () => await gateway.stop());

  test("get and list show a user's own objects alone; another's is not found", async () => {
    assert.equal((await gateway.ask(`${path}/a1`, { user: "alice" })).status, 200);
    const hidden = await gateway.ask(`${path}/b1`, { user: "alice" });
    assert.deepEqual([hidden.status, hidden.json().message], [404, `tokens.${group} "b1" not found`]);
    assert.deepEqual(namesOf((await gateway.ask(path, { user: "alice" })).json()), ["a1"]);
    const page = (await gateway.ask(`${path}?limit=1`, { user: "bob" })).json();
    assert.deepEqual([namesOf(page), page.metadata?.["remainingItemCount"]], [["b1"], undefined]);
  });

  test("who may do the bypass verb sees everybody's", async () => {
    for (const user of ["carol", "admin"]) {
      assert.deepEqual(namesOf((await gateway.ask(path, { user })).json()), ["a1", "b1"], user);
      assert.equal((await gateway.ask(`${path}/a1`, { user })).status, 200, user);
    }
  });

  test("a watch tells of a user's own objects alone, and of one that changes hands as gone", async () => {
    const stop = new AbortController();
    let text = "";
    const onText = (piece: string) => (text += piece);
    const watch = gateway.ask(`${path}?watch=1`, { user: "bob", signal: stop.signal, onText });
    await create("a2", "alice");
    await create("b2", "bob");
    const patch = { method: "PATCH", headers: { "content-type": "application/merge-patch+json" } };
    const moved = await gateway.ask(`${path}/b2`, { ...patch, body: { spec: { user: "alice" } } });
    assert.equal(moved.status, 200, moved.text);
    await eventually(() => eventsOf(text).length >= 3, "three events came");
    stop.abort();
    await watch;
    const seen = eventsOf(text).map((event) => `${event.type} ${event.object.metadata.name}`);
    assert.deepEqual(seen, ["ADDED b1", "ADDED b2", "DELETED b2"]);
  });

  test("update, patch and delete of another's object answer 404, and leave it", async () => {
    const headers = { "content-type": "application/merge-patch+json" };
    const asAlice = { user: "alice" };
    assert.equal((await gateway.ask(`${path}/b1`, { ...asAlice, method: "DELETE" })).status, 404);
    const patched = await gateway.ask(`${path}/b1`, { ...asAlice, method: "PATCH", headers, body: { spec: { x: 1 } } });
    assert.equal(patched.status, 404);
    const put = await gateway.ask(`${path}/b1`, { ...asAlice, method: "PUT", body: object("Token", "b1", "alice") });
    assert.equal(put.status, 404);
    assert.equal((await gateway.ask(`${path}/b1`, { user: "bob" })).status, 200);
  });

  test("deletecollection deletes a user's own objects alone", async () => {
    await create("b3", "bob");
    const deleted = await gateway.ask(path, { user: "bob", method: "DELETE" });
    assert.deepEqual(namesOf(deleted.json()), ["b1", "b3"]);
    assert.deepEqual(namesOf((await gateway.ask(path)).json()), ["a1", "a2", "b2"]);
  });

  test("with a uid to match, a user without one owns nothing, least of all what has no owner", async (t) => {
    const uids = resource("tokens", "Token", { ownerScope: { fieldPath: ".spec.user", match: OwnerMatch.UID } });
    const other = await startTestGateway({ stores: { memory: createMemoryStore([uids]) }, rbac });
    t.after(async () => await other.stop());
    await other.ask(path, { method: "POST", body: object("Token", "nobodys", "") });
    assert.deepEqual(namesOf((await other.ask(path, { user: "alice" })).json()), []);
  });
});

describe("per-user reads", () => {
  const notes = resource("notes", "Note", { perUserReads: true });
  const { store, streams } = createNoteStore(notes, 100n);
  let gateway: TestGateway;
  const path = `/apis/${group}/v1/notes`;
  before(async () => {
    gateway = await startTestGateway({ stores: { notes: store }, rbac });
    await create("a1", "alice");
    await create("b1", "bob");
  });
  after(async () => await gateway.stop());

  async function create(name: string, user: string) {
    const made = await gateway.ask(path, { method: "POST", user, body: object("Note", name, user) });
    assert.equal(made.status, 201, made.text);
    return made.json().metadata?.["resourceVersion"];
  }

  test("a read is the store's answer to whoever asks, and is never another's", async () => {
    for (const [user, name] of [
      ["alice", "a1"],
      ["bob", "b1"],
    ] as const) {
      assert.deepEqual(namesOf((await gateway.ask(path, { user })).json()), [name]);
      assert.deepEqual(namesOf((await gateway.ask(`${path}?resourceVersion=0`, { user })).json()), [name]);
    }
    assert.equal((await gateway.ask(`${path}/b1`, { user: "alice" })).status, 404);
  });

  test("each watch is a stream of its own, as its user, and ends with its watch", async () => {
    const stop = new AbortController();
    const texts = { alice: "", bob: "" };
    const watches = (["alice", "bob"] as const).map((user) =>
      gateway.ask(`${path}?watch=1`, { user, signal: stop.signal, onText: (piece) => (texts[user] += piece) }),
    );
    await eventually(() => streams.length === 2, "two streams are open");
    await create("a2", "alice");
    await eventually(() => eventsOf(texts.alice).length === 2, "alice sees two");
    assert.deepEqual(streams.toSorted(), ["alice", "bob"]);
    assert.deepEqual(
      eventsOf(texts.bob).map((event) => event.object.metadata.name),
      ["b1"],
    );
    stop.abort();
    await Promise.all(watches);
    await eventually(() => streams.length === 0, "both streams have ended");
  });

  test("a watch as Table has the rows of its user's own objects alone", async () => {
    const stop = new AbortController();
    let text = "";
    const watch = gateway.ask(`${path}?watch=1`, {
      ...{ user: "bob", signal: stop.signal, onText: (piece: string) => (text += piece) },
      headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" },
    });
    await eventually(() => text.includes('"b1"'), "what there was came");
    await create("table-a", "alice");
    await create("table-b", "bob");
    await eventually(() => text.includes('"table-b"'), "the last one came");
    stop.abort();
    await watch;
    const tables = text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      tables.map(({ type, object }) => [
        type,
        object.kind,
        object.rows.map((row: { cells: unknown[] }) => row.cells[0]),
      ]),
      [
        ["ADDED", "Table", ["b1"]],
        ["ADDED", "Table", ["table-b"]],
      ],
    );
    for (const [user, name] of [
      ["alice", "table-a"],
      ["bob", "table-b"],
    ] as const) {
      assert.equal((await gateway.ask(`${path}/${name}`, { user, method: "DELETE" })).status, 200);
    }
  });

  test("a watch goes on after a list's resourceVersion, without a gap", async () => {
    const listed = (await gateway.ask(path, { user: "bob" })).json();
    await create("b2", "bob");
    await create("a3", "alice");
    await create("b3", "bob");
    const after = listed.metadata?.["resourceVersion"];
    const stop = new AbortController();
    let text = "";
    const onText = (piece: string) => (text += piece);
    const resumed = `${path}?watch=1&resourceVersion=${after}`;
    const watch = gateway.ask(resumed, { user: "bob", signal: stop.signal, onText });
    await create("b4", "bob");
    await eventually(() => text.includes('"b4"'), "the last one came");
    stop.abort();
    await watch;
    const seen = eventsOf(text).map((event) => `${event.type} ${event.object.metadata.name}`);
    assert.deepEqual(seen, ["ADDED b2", "ADDED b3", "ADDED b4"]);
  });

  test("a watch from a revision that is gone is told 410", async () => {
    const watch = await gateway.ask(`${path}?watch=1&resourceVersion=1&timeoutSeconds=1`, { user: "bob" });
    const [event] = eventsOf(watch.text);
    assert.deepEqual([watch.status, event?.type], [200, "ERROR"], watch.text);
    assert.match(watch.text, /"code":410/);
  });
});
