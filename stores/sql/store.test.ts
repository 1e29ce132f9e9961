import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Capability, Scope } from "../../gen/annex/store/v1/catalog_pb.js";
import { checkContract, contractResources } from "../contract.testing.ts";
import type { Call, CreateCall } from "../sdk/sdk.ts";
import { openSqlStore } from "./store.ts";

const base = {
  scope: Scope.NAMESPACED,
  capabilities: [
    Capability.RESUME,
    Capability.PROGRESS,
    Capability.PREVIOUS_OBJECT,
    Capability.EXACT_READ,
    Capability.SNAPSHOT_LIST,
  ],
};
const resources = contractResources(base);
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
});

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "annex-sql-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

checkContract("sql", (folder) => openSqlStore(join(folder, "data"), resources));

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
