import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { contractResources, testContract } from "../../test/contract/contract.testing.ts";
import type { Call, CreateCall } from "../sdk/sdk.ts";
import { openSqlStore, sqlCapabilities } from "./store.ts";

const resources = contractResources(sqlCapabilities);
const call: Call = {
  resource: { group: "contract.annex.dev", version: "v1", plural: "things" },
  requestId: "",
  user: undefined,
  signal: new AbortController().signal,
};
const creation = (name: string): CreateCall => ({
  ...call,
  key: { namespace: "ns", name },
  uid: "u",
  json: Buffer.from("{}"),
  dryRun: false,
});

const listing = { ...call, namespace: "", limit: 0, continueToken: new Uint8Array() };

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "annex-sql-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

testContract("sql", (folder) => openSqlStore(join(folder, "data"), resources));

test("openSqlStore() finds everything as it was, in the same epoch", async () => {
  await inFolder(async (folder) => {
    const first = await openSqlStore(folder, resources);
    const written = await first.create?.(creation("a"));
    const epoch = first.epoch();
    await first.close?.();
    const second = await openSqlStore(folder, resources);
    assert.equal(second.epoch(), epoch);
    const found = await second.get?.({ ...call, key: { namespace: "ns", name: "a" }, atRevision: undefined });
    assert.equal(found?.revision, written?.revision);
    assert.equal((await second.currentRevision?.(call))?.revision, written?.revision);
    await second.close?.();
  });
});

test("openSqlStore() refuses a folder that another process holds", async () => {
  await inFolder(async (folder) => {
    const first = await openSqlStore(folder, resources);
    await assert.rejects(openSqlStore(folder, resources), /is in use by another process/);
    await first.close?.();
  });
});

test("openSqlStore() begins a new epoch above what was shown, and ends watches of the one before", async () => {
  await inFolder(async (folder) => {
    const store = await openSqlStore(folder, resources);
    const made = await store.create?.(creation("a"));
    const epoch = store.epoch();
    await store.notBelow?.(made?.revision ?? 0n);
    assert.equal(store.epoch(), epoch);
    const frames = store.watch?.({ ...call, namespace: "", after: 1n, previous: false, progressEveryMs: 10_000 });
    const watch = frames?.[Symbol.asyncIterator]();
    assert.equal((await watch?.next())?.value.frame, "started");
    assert.equal((await watch?.next())?.value.frame, "events");
    await store.notBelow?.(1_000n);
    assert.notEqual(store.epoch(), epoch);
    assert.equal((await store.currentRevision?.(call))?.revision, 1_000n);
    const found = await store.get?.({ ...call, key: { namespace: "ns", name: "a" }, atRevision: undefined });
    assert.equal(found?.revision, made?.revision);
    assert.equal((await watch?.next())?.value.frame, "expired");
    await assert.rejects(async () => store.list?.({ ...listing, atRevision: 999n }), /expired/);
    assert.equal((await store.create?.(creation("b")))?.revision, 1_001n);
    await store.close?.();
  });
});
