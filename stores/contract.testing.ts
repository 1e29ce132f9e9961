/**
 * What every store of ours must do, called through a real socket: each promise by its name.
 *
 * A store skips by undeclared capability, never by a list of names.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Capability, CatalogService, type DescribeResponse, type Scope } from "../gen/annex/store/v1/catalog_pb.js";
import { ErrorDetailSchema } from "../gen/annex/store/v1/error_pb.js";
import { StoreService, type WatchEvent, WatchEventType } from "../gen/annex/store/v1/store_pb.js";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import { type ResourceDescription, type ServedStore, type Store, serveStore } from "./sdk/sdk.ts";

const resource = { group: "contract.annex.dev", version: "v1", plural: "things", subresource: "" };
const other = { ...resource, plural: "others" };

/** Gives the two resources that the promises are checked with. */
export function contractResources(base: { scope: Scope; capabilities: Capability[] }): ResourceDescription[] {
  return [
    {
      ...base,
      group: resource.group,
      plural: "things",
      kind: "Thing",
      storageVersion: "v1",
      versions: [{ name: "v1", served: true }],
    },
    {
      ...base,
      group: resource.group,
      plural: "others",
      kind: "Other",
      storageVersion: "v1",
      versions: [{ name: "v1", served: true }],
    },
  ];
}

/** Checks a store. `open` gives it on an empty folder. */
export function checkContract(name: string, open: (folder: string) => Promise<Store>): void {
  describe(`the contract, kept by ${name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "annex-contract-"));
    let served: ServedStore;
    let catalog: Client<typeof CatalogService>;
    let store: Client<typeof StoreService>;
    let health: Client<typeof Health>;
    let description: DescribeResponse;
    let counter = 0;

    before(async () => {
      served = await serveStore(await open(folder), { listen: `unix:${join(folder, "s.sock")}`, log: () => {} });
      const path = served.address.slice("unix:".length);
      const transport = createGrpcTransport({
        baseUrl: "http://localhost",
        nodeOptions: { createConnection: () => connectSocket(path) },
      });
      catalog = createClient(CatalogService, transport);
      store = createClient(StoreService, transport);
      health = createClient(Health, transport);
      description = await catalog.describe({});
    });
    after(async () => {
      await served.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    const has = (capability: Capability) => description.resources[0]?.capabilities.includes(capability) === true;
    const fresh = () => ({ namespace: "ns", name: `thing-${++counter}` });
    const json = (value: unknown) => Buffer.from(JSON.stringify(value));
    const create = async (key = fresh(), value: unknown = { a: 1 }, about = resource) => {
      const made = await store.create({ resource: about, object: { key, uid: `uid-${key.name}`, json: json(value) } });
      assert.ok(made.object);
      return { key, revision: made.object.revision, uid: `uid-${key.name}` };
    };
    const head = async () => {
      const { mark } = await store.currentRevision({ resource });
      assert.ok(mark);
      return mark;
    };
    const codeOf = async (call: Promise<unknown>): Promise<Code | undefined> =>
      await call.then(
        () => undefined,
        (error: unknown) => ConnectError.from(error).code,
      );

    /** Reads events after a revision until `count` of them came. */
    async function events(after: bigint, count: number, about = resource): Promise<WatchEvent[]> {
      const stop = new AbortController();
      const { epoch } = await head();
      const found: WatchEvent[] = [];
      const frames = store.watch(
        { resource: about, start: { case: "after", value: after }, epoch, previous: true, progressEveryMs: 50 },
        { signal: stop.signal },
      );
      let isFirst = true;
      for await (const { frame } of frames) {
        if (isFirst) assert.equal(frame.case, "started");
        isFirst = false;
        if (frame.case === "events") found.push(...frame.value.events);
        if (found.length >= count) break;
      }
      stop.abort();
      return found;
    }

    test("health: says SERVING", async () => {
      assert.equal((await health.check({})).status, 1);
    });

    test("describe: is stable and can be left out by its digest", async () => {
      const again = await catalog.describe({ ifNotDigest: description.digest });
      assert.equal(again.notModified, true);
      assert.equal((await catalog.describe({})).digest, description.digest);
      assert.equal((await catalog.status({})).digest, description.digest);
    });

    test("read-your-write: a write that was acknowledged is read", async () => {
      const made = await create(fresh(), { text: "ünï" });
      const read = await store.get({ resource, key: made.key });
      assert.equal(read.object?.revision, made.revision);
      assert.equal(Buffer.from(read.object?.json ?? []).toString(), '{"text":"ünï"}');
      assert.ok((await head()).revision >= made.revision);
    });

    test("names: one key is one object, in each resource and namespace", async () => {
      const made = await create();
      assert.equal(await codeOf(create(made.key)), Code.AlreadyExists);
      await create(made.key, {}, other);
      await create({ namespace: "elsewhere", name: made.key.name });
      assert.equal(await codeOf(store.get({ resource, key: { namespace: "ns", name: "none" } })), Code.NotFound);
    });

    test("compare-and-swap: a stale write changes nothing and brings the present object along", async () => {
      const made = await create();
      const next = await store.update({
        resource,
        object: { key: made.key, uid: made.uid, json: json({ a: 2 }) },
        preconditions: { revision: made.revision },
      });
      assert.ok(next.object && next.object.revision > made.revision);
      const stale = store.update({
        resource,
        object: { key: made.key, uid: made.uid, json: json({ a: 3 }) },
        preconditions: { revision: made.revision },
        returnCurrentOnConflict: true,
      });
      const error = await stale.then(
        () => assert.fail("a stale update was taken"),
        (caught: unknown) => ConnectError.from(caught),
      );
      assert.equal(error.code, Code.Aborted);
      assert.equal(error.findDetails(ErrorDetailSchema)[0]?.current?.revision, next.object.revision);
      assert.equal(
        await codeOf(store.delete({ resource, key: made.key, preconditions: { revision: made.revision } })),
        Code.Aborted,
      );
      assert.equal(
        await codeOf(store.delete({ resource, key: made.key, preconditions: { uid: "another" } })),
        Code.Aborted,
      );
    });

    test("compare-and-swap: of many writers at one revision one wins", async () => {
      const made = await create();
      const tries = Array.from({ length: 20 }, (_, index) =>
        codeOf(
          store.update({
            resource,
            object: { key: made.key, uid: made.uid, json: json({ index }) },
            preconditions: { revision: made.revision },
          }),
        ),
      );
      const codes = await Promise.all(tries);
      assert.equal(codes.filter((code) => code === undefined).length, 1);
      assert.equal(codes.filter((code) => code === Code.Aborted).length, 19);
    });

    test("delete: mints a revision, and its event carries the last state under it", async () => {
      const made = await create(fresh(), { last: true });
      const removed = await store.delete({ resource, key: made.key, preconditions: { revision: made.revision } });
      assert.ok(removed.object && removed.object.revision > made.revision);
      const [event] = await events(made.revision, 1);
      assert.equal(event?.type, WatchEventType.DELETE);
      assert.equal(event?.object?.revision, removed.object.revision);
      assert.equal(Buffer.from(event?.object?.json ?? []).toString(), '{"last":true}');
      assert.equal(await codeOf(store.delete({ resource, key: made.key })), Code.NotFound);
      const again = await create(made.key);
      assert.ok(again.revision > removed.object.revision);
    });

    test("list: is in key order and its mark is the head, not the greatest item", async () => {
      const namespace = "list";
      for (const name of ["b", "a", "c"]) await create({ namespace, name });
      await create(fresh());
      const items: string[] = [];
      let mark = 0n;
      for await (const chunk of store.list({ resource, namespace })) {
        items.push(...chunk.items.map((item) => item.key?.name ?? ""));
        if (chunk.end) mark = chunk.end.mark?.revision ?? 0n;
      }
      assert.deepEqual(items, ["a", "b", "c"]);
      assert.equal(mark, (await head()).revision);
    });

    test("list: pages of a snapshot show one state while writes go on", async (t) => {
      if (!has(Capability.SNAPSHOT_LIST)) return t.skip("SNAPSHOT_LIST is not declared");
      const namespace = "pages";
      for (let index = 10; index < 30; index++) await create({ namespace, name: `p-${index}` });
      const names: string[] = [];
      let token: Uint8Array = new Uint8Array();
      let mark: bigint | undefined;
      do {
        for await (const chunk of store.list({ resource, namespace, limit: 7, continueToken: token })) {
          names.push(...chunk.items.map((item) => item.key?.name ?? ""));
          if (!chunk.end) continue;
          token = chunk.end.continueToken;
          mark ??= chunk.end.mark?.revision;
          assert.equal(chunk.end.mark?.revision, mark);
          assert.equal(chunk.end.remaining ?? 0n, BigInt(20 - names.length));
        }
        await create({ namespace, name: `p-${names.length}-late` });
        const key = { namespace, name: "p-29" };
        if (names.length === 7) await store.delete({ resource, key });
      } while (token.length > 0);
      assert.deepEqual(
        names,
        Array.from({ length: 20 }, (_, index) => `p-${index + 10}`),
      );
    });

    test("exact: an earlier state can be read", async (t) => {
      if (!has(Capability.EXACT_READ)) return t.skip("EXACT_READ is not declared");
      const made = await create(fresh(), { v: 1 });
      await store.update({
        resource,
        object: { key: made.key, uid: made.uid, json: json({ v: 2 }) },
        preconditions: { revision: made.revision },
      });
      const at = { at: { case: "exact" as const, value: made.revision } };
      const read = await store.get({ resource, key: made.key, read: at });
      assert.equal(Buffer.from(read.object?.json ?? []).toString(), '{"v":1}');
      const before = { at: { case: "exact" as const, value: made.revision - 1n } };
      assert.equal(await codeOf(store.get({ resource, key: made.key, read: before })), Code.NotFound);
    });

    test("watch: ordered, unique and whole, from every revision", async () => {
      const start = (await head()).revision;
      const made = await Promise.all(Array.from({ length: 30 }, () => create()));
      const changed = await Promise.all(
        made.slice(0, 10).map((one) =>
          store.update({
            resource,
            object: { key: one.key, uid: one.uid, json: json({ b: 1 }) },
            preconditions: { revision: one.revision },
          }),
        ),
      );
      await Promise.all(made.slice(20).map((one) => store.delete({ resource, key: one.key })));
      const all = await events(start, 50);
      const revisions = all.map((event) => event.object?.revision ?? 0n);
      assert.equal(all.length, 50);
      assert.deepEqual(
        revisions,
        [...revisions].sort((a, b) => (a < b ? -1 : 1)),
      );
      assert.equal(new Set(revisions).size, 50);
      assert.equal(changed.length, 10);
      for (const [index, revision] of revisions.entries()) {
        if (index % 7 !== 0 || index === 49) continue;
        const rest = await events(revision, 49 - index);
        assert.deepEqual(
          rest.map((event) => event.object?.revision),
          revisions.slice(index + 1),
        );
      }
    });

    test("watch: previous is the state before", async (t) => {
      if (!has(Capability.PREVIOUS_OBJECT)) return t.skip("PREVIOUS_OBJECT is not declared");
      const made = await create(fresh(), { v: "old" });
      await store.update({
        resource,
        object: { key: made.key, uid: made.uid, json: json({ v: "new" }) },
        preconditions: { revision: made.revision },
      });
      const [event] = await events(made.revision, 1);
      assert.equal(Buffer.from(event?.previous?.json ?? []).toString(), '{"v":"old"}');
      assert.equal(event?.previous?.revision, made.revision);
    });

    test("watch: progress goes on with writes to another resource", async () => {
      const { revision, epoch } = await head();
      const written = await create(fresh(), {}, other);
      const stop = new AbortController();
      for await (const { frame } of store.watch(
        { resource, start: { case: "after", value: revision }, epoch, progressEveryMs: 20 },
        { signal: stop.signal },
      )) {
        assert.notEqual(frame.case, "events");
        if (frame.case === "progress" && (frame.value.mark?.revision ?? 0n) >= written.revision) break;
      }
      stop.abort();
    });

    test("watch: another epoch is expired", async () => {
      const { revision } = await head();
      for await (const { frame } of store.watch({
        resource,
        start: { case: "after", value: revision },
        epoch: "another",
      })) {
        assert.equal(frame.case, "expired");
      }
    });

    test("size: the largest object goes in and comes out", async () => {
      const text = "x".repeat(3 * 1024 * 1024 - 20);
      const made = await create(fresh(), { text });
      const read = await store.get({ resource, key: made.key });
      assert.equal(JSON.parse(Buffer.from(read.object?.json ?? []).toString()).text, text);
    });
  });
}
