/** The promises about writes, each by its name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../gen/annex/store/v1/error_pb.js";
import { WatchEventType } from "../gen/annex/store/v1/store_pb.js";
import { type ContractKit, codeOf, errorOf, json, other, resource } from "./contract-kit.testing.ts";

/** Checks writes. */
export function checkWrites(kit: ContractKit): void {
  const { create, update, remove, fresh, head, events } = kit;

  test("read-your-write: a write that was acknowledged is read", async () => {
    const made = await create(fresh(), { text: "ünï" });
    const read = await kit.store.get({ resource, key: made.key });
    assert.equal(read.object?.revision, made.revision);
    assert.equal(Buffer.from(read.object?.json ?? []).toString(), '{"text":"ünï"}');
    assert.ok((await head()).revision >= made.revision);
  });

  test("names: one key is one object, in each resource and namespace", async () => {
    const made = await create();
    assert.equal(await codeOf(create(made.key)), Code.AlreadyExists);
    await create(made.key, {}, other);
    await create({ namespace: "elsewhere", name: made.key.name });
    assert.equal(await codeOf(kit.store.get({ resource, key: { namespace: "ns", name: "none" } })), Code.NotFound);
  });

  test("compare-and-swap: a stale write changes nothing and brings the present object along", async () => {
    const made = await create();
    const next = await kit.store.update({
      resource,
      object: { key: made.key, uid: made.uid, json: json({ a: 2 }) },
      preconditions: { revision: made.revision },
    });
    assert.ok(next.object && next.object.revision > made.revision);
    const stale = kit.store.update({
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
      await codeOf(kit.store.delete({ resource, key: made.key, preconditions: { revision: made.revision } })),
      Code.Aborted,
    );
    assert.equal(
      await codeOf(
        kit.store.delete({
          resource,
          key: made.key,
          preconditions: { revision: next.object.revision, uid: "another" },
        }),
      ),
      Code.Aborted,
    );
  });

  test("compare-and-swap: of many writers at one revision one wins", async () => {
    const made = await create();
    const tries = Array.from({ length: 20 }, (_, index) =>
      codeOf(
        kit.store.update({
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
    const removed = await remove(made);
    assert.ok(removed.object && removed.object.revision > made.revision);
    const [event] = await events(made.revision, 1);
    assert.equal(event?.type, WatchEventType.DELETE);
    assert.equal(event?.object?.revision, removed.object.revision);
    assert.equal(Buffer.from(event?.object?.json ?? []).toString(), '{"last":true}');
    assert.equal(await codeOf(remove(made)), Code.NotFound);
    const again = await create(made.key);
    assert.ok(again.revision > removed.object.revision);
  });

  test("size: the largest object goes in and comes out", async () => {
    const text = "x".repeat(3 * 1024 * 1024 - 20);
    const made = await create(fresh(), { text });
    const read = await kit.store.get({ resource, key: made.key });
    assert.equal(JSON.parse(Buffer.from(read.object?.json ?? []).toString()).text, text);
  });

  test("compare-and-swap: a stale write to a large object is still a conflict, and can be repaired by a read", async () => {
    const made = await create(fresh(), { text: "x".repeat(2_000_000) });
    await update(made, { text: "y".repeat(2_000_000) });
    const object = { key: made.key, uid: made.uid, json: json({}) };
    const stale = { resource, object, preconditions: { revision: made.revision }, returnCurrentOnConflict: true };
    assert.equal(await codeOf(kit.store.update(stale)), Code.Aborted);
    const { object: present } = await kit.store.get({ resource, key: made.key });
    assert.equal(present?.json.length, 2_000_011);
  });

  test("compare-and-swap: the present object comes only when asked for", async () => {
    const made = await create();
    await update(made, { a: 2 });
    assert.equal((await errorOf(update(made, {}))).findDetails(ErrorDetailSchema).length, 0);
  });

  test("compare-and-swap: a write without a revision is refused and changes nothing", async () => {
    const made = await create();
    const object = { key: made.key, uid: made.uid, json: json({ b: 1 }) };
    assert.equal(await codeOf(kit.store.update({ resource, object })), Code.InvalidArgument);
    assert.equal(await codeOf(kit.store.delete({ resource, key: made.key })), Code.InvalidArgument);
    assert.equal((await kit.store.get({ resource, key: made.key })).object?.revision, made.revision);
  });

  test("dry run: is refused where it isn't declared, and writes nothing", async () => {
    const { revision } = await head();
    const key = fresh();
    const object = { key, uid: "u", json: json({}) };
    assert.equal(await codeOf(kit.store.create({ resource, object, dryRun: true })), Code.Unimplemented);
    assert.equal(await codeOf(kit.store.get({ resource, key })), Code.NotFound);
    assert.equal((await head()).revision, revision);
  });

  test("resources: what isn't described isn't served", async () => {
    const unknown = { ...resource, plural: "strangers" };
    const object = { key: fresh(), uid: "u", json: json({}) };
    assert.equal(await codeOf(kit.store.create({ resource: unknown, object })), Code.Unimplemented);
    assert.equal(await codeOf(kit.store.get({ resource: unknown, key: object.key })), Code.Unimplemented);
  });

  test("keys: a key of the wrong scope is refused", async () => {
    for (const key of [
      { namespace: "", name: "a" },
      { namespace: "ns", name: "" },
      { namespace: "n/s", name: "a" },
    ]) {
      const object = { key, uid: "u", json: json({}) };
      assert.equal(await codeOf(kit.store.create({ resource, object })), Code.InvalidArgument);
    }
  });
}
