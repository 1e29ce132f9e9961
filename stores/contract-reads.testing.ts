/** The promises about reads, each by its name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Capability } from "../gen/annex/store/v1/catalog_pb.js";
import { type ContractKit, codeOf, json, other, resource } from "./contract-kit.testing.ts";

/** Checks reads. */
export function checkReads(kit: ContractKit): void {
  const { create, update, remove, fresh, head, has } = kit;

  test("health: says SERVING", async () => {
    assert.equal((await kit.health.check({})).status, 1);
  });

  test("describe: is stable and can be left out by its digest", async () => {
    const again = await kit.catalog.describe({ ifNotDigest: kit.description.digest });
    assert.equal(again.notModified, true);
    assert.equal((await kit.catalog.describe({})).digest, kit.description.digest);
    assert.equal((await kit.catalog.status({})).digest, kit.description.digest);
  });

  test("list: is in key order and its mark is the head, not the greatest item", async () => {
    const namespace = "list";
    for (const name of ["b", "a", "c"]) await create({ namespace, name });
    await create(fresh());
    const items: string[] = [];
    let mark = 0n;
    for await (const chunk of kit.store.list({ resource, namespace })) {
      items.push(...chunk.items.map((item) => item.key?.name ?? ""));
      if (chunk.end) mark = chunk.end.mark?.revision ?? 0n;
    }
    assert.deepEqual(items, ["a", "b", "c"]);
    assert.equal(mark, (await head()).revision);
  });

  test("list: pages of a snapshot show one state while writes go on", async (t) => {
    if (!has(Capability.SNAPSHOT_LIST)) return t.skip("SNAPSHOT_LIST is not declared");
    const namespace = "pages";
    let doomed = await create({ namespace, name: "p-10" });
    for (let index = 11; index < 30; index++) doomed = await create({ namespace, name: `p-${index}` });
    const names: string[] = [];
    let token: Uint8Array = new Uint8Array();
    let mark: bigint | undefined;
    do {
      for await (const chunk of kit.store.list({ resource, namespace, limit: 7, continueToken: token })) {
        names.push(...chunk.items.map((item) => item.key?.name ?? ""));
        if (!chunk.end) continue;
        token = chunk.end.continueToken;
        mark ??= chunk.end.mark?.revision;
        assert.equal(chunk.end.mark?.revision, mark);
        assert.equal(chunk.end.remaining ?? 0n, BigInt(20 - names.length));
      }
      await create({ namespace, name: `p-${names.length}-late` });
      if (names.length === 7) await remove(doomed);
    } while (token.length > 0);
    assert.deepEqual(
      names,
      Array.from({ length: 20 }, (_, index) => `p-${index + 10}`),
    );
  });

  test("exact: an earlier state can be read", async (t) => {
    if (!has(Capability.EXACT_READ)) return t.skip("EXACT_READ is not declared");
    const made = await create(fresh(), { v: 1 });
    await kit.store.update({
      resource,
      object: { key: made.key, uid: made.uid, json: json({ v: 2 }) },
      preconditions: { revision: made.revision },
    });
    const at = { at: { case: "exact" as const, value: made.revision } };
    const read = await kit.store.get({ resource, key: made.key, read: at });
    assert.equal(Buffer.from(read.object?.json ?? []).toString(), '{"v":1}');
    const before = { at: { case: "exact" as const, value: made.revision - 1n } };
    assert.equal(await codeOf(kit.store.get({ resource, key: made.key, read: before })), Code.NotFound);
  });

  test("list: one call gives everything, of one state, however many pages the store makes of it", async (t) => {
    if (!has(Capability.SNAPSHOT_LIST)) return t.skip("SNAPSHOT_LIST is not declared");
    const namespace = "many";
    const count = 620;
    await Promise.all(Array.from({ length: count }, (_, index) => create({ namespace, name: `m-${index + 10_000}` })));
    const names: string[] = [];
    let writes: Promise<unknown> | undefined;
    for await (const chunk of kit.store.list({ resource, namespace, maxChunkBytes: 1_000 })) {
      writes ??= Promise.all([create({ namespace, name: "m-9" }), create({ namespace, name: "m-99999" })]);
      names.push(...chunk.items.map((item) => item.key?.name ?? ""));
    }
    await writes;
    assert.equal(names.length, count);
    assert.deepEqual([names[0], names[count - 1]], ["m-10000", `m-${count + 9_999}`]);
  });

  test("list: a token that can't be read is refused", async () => {
    const read = async (token: string) => {
      for await (const _ of kit.store.list({ resource, continueToken: Buffer.from(token) }));
    };
    const future = JSON.stringify([String((await head()).revision + 1_000n), "ns/a"]);
    for (const token of ["x", "[]", '["-1","a"]', future])
      assert.equal(await codeOf(read(token)), Code.InvalidArgument);
  });

  test("read: a revision above the head is not there yet", async () => {
    const made = await create();
    const value = (await head()).revision + 1_000n;
    for (const kind of ["exact", "notOlderThan"] as const) {
      const read = { at: { case: kind, value } };
      assert.equal(await codeOf(kit.store.get({ resource, key: made.key, read })), Code.Unavailable);
    }
    const read = { at: { case: "notOlderThan" as const, value: made.revision } };
    assert.equal((await kit.store.get({ resource, key: made.key, read })).object?.revision, made.revision);
  });

  test("exact: an object that was deleted since is listed in its earlier state", async (t) => {
    if (!has(Capability.EXACT_READ)) return t.skip("EXACT_READ is not declared");
    const namespace = "earlier";
    const first = await create({ namespace, name: "a" }, { v: 1 });
    const { revision } = await head();
    const next = await update(first, { v: 2 });
    await remove(next);
    await create({ namespace, name: "b" });
    const read = { at: { case: "exact" as const, value: revision } };
    const found: string[] = [];
    for await (const chunk of kit.store.list({ resource, namespace, read })) {
      found.push(...chunk.items.map((item) => `${item.key?.name} ${Buffer.from(item.json)}`));
      if (chunk.end) assert.equal(chunk.end.mark?.revision, revision);
    }
    assert.deepEqual(found, ['a {"v":1}']);
  });

  test("head: the last change of a resource is not moved by another's", async () => {
    const made = await create();
    await create(fresh(), {}, other);
    const { mark, lastChange } = await kit.store.currentRevision({ resource });
    assert.equal(lastChange, made.revision);
    assert.ok((mark?.revision ?? 0n) > made.revision);
  });

  test("status: echoes what a gateway refuses of the description", async () => {
    const refused = [{ group: resource.group, plural: "things", reason: "scope: because" }];
    await kit.catalog.status({ applied: { digest: kit.description.digest, refused } });
    assert.equal((await kit.catalog.status({})).refused[0]?.reason, "scope: because");
    await kit.catalog.status({ applied: { digest: kit.description.digest, refused: [] } });
    assert.deepEqual((await kit.catalog.status({})).refused, []);
  });
}
