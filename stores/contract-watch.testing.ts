/** The promises about watches, each by its name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Capability } from "../gen/annex/store/v1/catalog_pb.js";
import { type ContractKit, codeOf, json, other, resource } from "./contract-kit.testing.ts";

/** Checks watches. */
export function checkWatches(kit: ContractKit): void {
  const { create, remove, fresh, head, events, has } = kit;

  test("watch: ordered, unique and whole, from every revision", async () => {
    const start = (await head()).revision;
    const made = await Promise.all(Array.from({ length: 30 }, () => create()));
    const changed = await Promise.all(
      made.slice(0, 10).map((one) =>
        kit.store.update({
          resource,
          object: { key: one.key, uid: one.uid, json: json({ b: 1 }) },
          preconditions: { revision: one.revision },
        }),
      ),
    );
    await Promise.all(made.slice(20).map(remove));
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
    await kit.store.update({
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
    for await (const { frame } of kit.store.watch(
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
    for await (const { frame } of kit.store.watch({
      resource,
      start: { case: "after", value: revision },
      epoch: "another",
    })) {
      assert.equal(frame.case, "expired");
    }
  });

  test("watch: progress is told while nothing changes", async (t) => {
    if (!has(Capability.PROGRESS)) return t.skip("PROGRESS is not declared");
    const { revision, epoch } = await head();
    const start = { case: "after" as const, value: revision };
    const seen: bigint[] = [];
    const stop = new AbortController();
    const watch = kit.store.watch({ resource, start, epoch, progressEveryMs: 30 }, { signal: stop.signal });
    for await (const { frame } of watch) {
      if (frame.case === "progress") seen.push(frame.value.mark?.revision ?? 0n);
      if (seen.length === 3) break;
    }
    stop.abort();
    assert.deepEqual(seen, [revision, revision, revision]);
  });

  test("watch: a revision above the head is expired, and the frame says where the head is", async () => {
    const { revision, epoch } = await head();
    const frames = [];
    for await (const { frame } of kit.store.watch({
      resource,
      start: { case: "after", value: revision + 1_000n },
      epoch,
    })) {
      frames.push(frame);
    }
    assert.equal(frames.length, 1);
    assert.equal(frames[0]?.case === "expired" && frames[0].value.mark?.revision, revision);
  });

  test("watch: a start that isn't declared is refused", async (t) => {
    if (has(Capability.INITIAL_STATE)) return t.skip("INITIAL_STATE is declared");
    const read = async () => {
      for await (const _ of kit.store.watch({ resource, start: { case: "initialState", value: {} } }));
    };
    assert.equal(await codeOf(read()), Code.Unimplemented);
  });

  test("watch: one namespace's watch is not told of another's", async () => {
    const { revision, epoch } = await head();
    await create({ namespace: "left", name: `a-${revision}` });
    const right = await create({ namespace: "right", name: `a-${revision}` });
    await create({ namespace: "right-hand", name: `a-${revision}` });
    const stop = new AbortController();
    const start = { case: "after" as const, value: revision };
    const found: bigint[] = [];
    const watch = kit.store.watch({ resource, namespace: "right", start, epoch }, { signal: stop.signal });
    for await (const { frame } of watch) {
      if (frame.case === "events") found.push(...frame.value.events.map((event) => event.object?.revision ?? 0n));
      if (frame.case === "progress") break;
    }
    stop.abort();
    assert.deepEqual(found, [right.revision]);
  });

  test("watch: a thousand that are cancelled in a burst leave other calls unharmed", async () => {
    const { revision, epoch } = await head();
    const start = { case: "after" as const, value: revision };
    await Promise.all(
      Array.from({ length: 1_200 }, async () => {
        const stop = new AbortController();
        for await (const _ of kit.store.watch({ resource, start, epoch }, { signal: stop.signal })) break;
        stop.abort();
      }),
    );
    await create();
  });
}
