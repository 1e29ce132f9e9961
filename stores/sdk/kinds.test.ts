import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { Capability, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import {
  type Backend,
  type CreateCall,
  type Creation,
  defineStore,
  forbidden,
  imperativeKind,
  type KindDefinition,
  keptKind,
  type ObjectOf,
  type Store,
  type StoreEvent,
} from "./sdk.ts";

const definition = {
  group: "notes.example.com",
  version: "v1",
  kind: "Note",
  plural: "notes",
  scope: "Namespaced",
  schema: {
    type: "object",
    properties: {
      spec: {
        type: "object",
        required: ["title"],
        properties: {
          title: { type: "string" },
          size: { type: "integer", default: 1 },
          color: { type: "string", enum: ["red", "blue"], nullable: true },
          tags: { type: "array", items: { type: "string" } },
          limits: { type: "object", additionalProperties: { type: "number" } },
        },
      },
    },
  },
} as const satisfies KindDefinition;
const resource = { group: definition.group, version: "v1", plural: "notes" };
const call = { resource, requestId: "", user: undefined, signal: new AbortController().signal };
const textOf = (name: string, title: string) =>
  JSON.stringify({ metadata: { namespace: "ns", name, uid: name }, spec: { title } });
const keyOf = (name: string) => ({ namespace: "ns", name });
const creation = (name: string, title = "t"): CreateCall => ({
  ...call,
  key: keyOf(name),
  uid: name,
  json: Buffer.from(textOf(name, title)),
  dryRun: false,
});
const silent = () => {};
const serve = (backend?: Backend<ObjectOf<typeof definition.schema>>) =>
  defineStore({ name: "test", version: "1", kinds: [keptKind(definition, backend)], log: silent });
const read = async (store: Store, name: string) => {
  const found = await store.get?.({ ...call, key: keyOf(name), atRevision: undefined });
  return found && JSON.parse(Buffer.from(found.json).toString()).spec.title;
};
const codeOf = async (work: Promise<unknown> | undefined) =>
  await work?.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );
async function loaded(store: Store): Promise<Store> {
  while (store.health?.().state !== "ready") await new Promise<void>((resolve) => setTimeout(resolve, 5));
  return store;
}
async function eventsAfter(store: Store, after: bigint, count: number): Promise<readonly StoreEvent[]> {
  const events: StoreEvent[] = [];
  const stop = new AbortController();
  const watch = store.watch?.({
    ...call,
    signal: stop.signal,
    namespace: "",
    after,
    previous: false,
    progressEveryMs: 0,
  });
  for await (const frame of watch ?? []) {
    if (frame.frame === "events") events.push(...frame.events);
    if (events.length >= count) break;
  }
  stop.abort();
  return events;
}

test("keptKind() describes all verbs, and what memory can do", () => {
  const [description] = serve().resources;
  assert.equal(description?.verbs?.length, 8);
  assert.ok(description?.capabilities?.includes(Capability.RESUME));
  assert.equal(description?.storageVersion, "v1");
});

test("load() gives what there is; until it works calls are told to come back", async () => {
  let tries = 0;
  const store = serve({
    async *load() {
      tries += 1;
      if (tries === 1) throw new Error("the disk is away");
      yield textOf("a", "kept");
    },
    async save() {},
  });
  assert.equal(await codeOf(read(store, "a")), Code.Unavailable);
  assert.equal(store.health?.().state, "starting");
  assert.equal(await read(await loaded(store), "a"), "kept");
  assert.equal(tries, 2);
});

test("save() has the change before anybody sees it, and refuses it with an error of the SDK", async () => {
  const seen: unknown[] = [];
  const store = await loaded(
    serve({
      load: () => [],
      async save({ type, name, object, previous }) {
        seen.push([type, name, object.spec?.title, previous?.spec?.title, await read(store, name)]);
        if (object.spec?.title === "no") throw forbidden("no");
      },
    }),
  );
  const made = await store.create?.(creation("a", "one"));
  const preconditions = { revision: made?.revision };
  assert.equal(await codeOf(store.update?.({ ...creation("a", "no"), preconditions })), Code.PermissionDenied);
  assert.equal(await read(store, "a"), "one");
  await store.delete?.({ ...call, key: keyOf("a"), preconditions, dryRun: false });
  assert.deepEqual(seen, [
    ["put", "a", "one", undefined, undefined],
    ["put", "a", "no", "one", "one"],
    ["delete", "a", "one", "one", "one"],
  ]);
});

test("of writes that come together one wins, and none is saved at a stale revision", async () => {
  let saved = 0;
  const store = await loaded(
    serve({
      load: () => [],
      async save() {
        saved += 1;
        await new Promise<void>((resolve) => setImmediate(resolve));
      },
    }),
  );
  const made = await store.create?.(creation("a"));
  const writes = ["b", "c", "d"].map((title) =>
    codeOf(store.update?.({ ...creation("a", title), preconditions: { revision: made?.revision } })),
  );
  assert.deepEqual(await Promise.all(writes), [undefined, Code.Aborted, Code.Aborted]);
  assert.equal(saved, 2);
});

test("a save that fails in an unknown way is looked up: what was made becomes an event", async () => {
  const disk = new Map<string, string>();
  const store = await loaded(
    serve({
      load: () => [...disk.values()],
      async save({ name, json }) {
        disk.set(name, Buffer.from(json).toString());
        if (name === "lost") throw new Error("the answer was lost");
      },
    }),
  );
  const first = await store.create?.(creation("first"));
  assert.equal(await codeOf(store.create?.(creation("lost"))), Code.Unknown);
  const [event] = await eventsAfter(store, first?.revision ?? 0n, 1);
  assert.deepEqual([event?.type, event?.object.name], ["put", "lost"]);
  await loaded(store);
  assert.equal(await codeOf(store.create?.(creation("lost"))), Code.AlreadyExists);
  await store.create?.(creation("next"));
  assert.deepEqual([...disk.keys()], ["first", "lost", "next"]);
});

test("imperativeKind() offers create alone, and answers with the object", async () => {
  const kind = imperativeKind(definition, async ({ object, user, warn }) => {
    warn(`${user?.name} asks`);
    return { ...object, spec: { ...object.spec, title: object.spec?.title ?? "", size: 2 } };
  });
  const store = defineStore({ name: "test", version: "1", kinds: [kind], log: silent });
  assert.deepEqual(store.resources[0]?.verbs, [Verb.CREATE]);
  const user = { name: "ada", uid: "", groups: [], extra: {} };
  const about = { key: { namespace: "ns", name: "" }, subresource: "", httpMethod: "POST", query: {}, subpath: "" };
  const body = Buffer.from(textOf("a", "t"));
  const answer = await store.invoke?.({
    ...call,
    ...about,
    user,
    contentType: "application/json",
    body,
    dryRun: false,
  });
  assert.deepEqual(answer?.warnings, ["ada asks"]);
  assert.deepEqual(JSON.parse(Buffer.from(answer?.body ?? []).toString()).spec, { title: "t", size: 2 });
  assert.throws(() => store.get?.({ ...call, key: keyOf("a"), atRevision: undefined }), /get is not offered/);
});

test("ObjectOf gives what the schema says: required, with a default, of an enum, null", () => {
  type Spec = NonNullable<ObjectOf<typeof definition.schema>["spec"]>;
  const spec: Spec = { title: "a", size: 1, color: null, tags: ["b"], limits: { cpu: 1 } };
  // @ts-expect-error: a size is there, the gateway fills it in.
  const small: Spec = { title: "a" };
  // @ts-expect-error: green is no color.
  const green: Spec = { title: "a", size: 1, color: "green" };
  const typed = (creation: Creation<ObjectOf<typeof definition.schema>>): string | undefined =>
    creation.object.spec?.title;
  assert.deepEqual([typeof typed, spec.size, small.title, green.title], ["function", 1, "a", "a"]);
});
