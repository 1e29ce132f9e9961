/**
 * The certifier's read and watch half against a gateway's HTTP API: its copy means the same as the store.
 *
 * Two gateways in front of one store are asked like two replicas of a store (`over-http.testing.ts`). Writes
 * go by them, or behind their backs: then whatever is read after an acknowledgement must have come by the
 * feed. What can't be asked over HTTP stands below, with the reason.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createClient as createStoreClient } from "@connectrpc/connect";
import { Capability, Lifecycle } from "../../gen/annex/store/v1/catalog_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import type { Store } from "../../stores/sdk/sdk.ts";
import { openSqlStore, sqlCapabilities } from "../../stores/sql/store.ts";
import { contractResources } from "../contract/contract.testing.ts";
import { serveInProcess, serveRoutes } from "../contract/in-process.testing.ts";
import { type OverHttpOptions, oldestResumableOf, overHttp } from "../contract/over-http.testing.ts";
import { promises } from "../contract/promises.ts";
import { summary } from "../contract/report.ts";
import { certify } from "../contract/run.ts";
import { createClient } from "../support/client.ts";
import { startTestGateway } from "../support/gateway.ts";

/** Promises that clients of an HTTP API can't be given. */
const notOverHttp: Readonly<Record<string, string>> = {
  "get.mark": "a get's answer has no mark, only the object's revision",
  "list.chunks": "the sizes of gRPC messages",
  "list.selector-unknown": "kube-apiserver refuses an operator that it doesn't know with 400, on purpose",
  "watch.other-epoch": "clients name no epoch; a new one is told as 410",
  "watch.expired-head": "a 410 names the oldest revision, not the head",
  "watch.above-head": "kube-apiserver's watch waits for a revision that is not there yet",
  "watch.cancelled": "a crowd costs TLS what it would not cost one connection; crowd.test.ts has crowds of its own",
  "progress.idle": "clients can't ask for an interval of bookmarks",
  "epoch.not-below": "only a gateway tells a store what it has shown",
  "epoch.watches-end": "only a gateway tells a store what it has shown",
};
/** What writes by the gateway can't show besides. */
const notByGateway: Readonly<Record<string, string>> = {
  "list.order": "its names are none that Kubernetes takes",
  "watch.slow-reader": "who writes makes no difference to it, and it takes the longest",
};
/** Below it the memory store remembers nothing. */
const firstRevision = 1_000n;
/** The feed is late by this: more than an answer of the store takes. */
const lagMs = 10;
const capabilities = [
  Capability.RESUME,
  Capability.PROGRESS,
  Capability.EXACT_READ,
  Capability.SNAPSHOT_LIST,
  Capability.PROJECT_METADATA,
  Capability.INITIAL_STATE,
];
/** Kubernetes' bound of an object's annotations, in which promises keep their payload. */
const maxObjectBytes = 262_144n;
/** Far below the ring's own bound. */
const resumeWindow = { minRevisions: 300n, minAgeMs: 75_000n };

test("the promises of reads and watches are kept over HTTP before sql, with writes by the gateway", async () => {
  const folder = mkdtempSync(join(tmpdir(), "annex-promises-"));
  try {
    await certifyGateways(await openSqlStore(join(folder, "data"), contractResources(sqlCapabilities)), "gateway");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the promises of reads and watches are kept over HTTP before memory, with writes behind its back", async () => {
  const store = createMemoryStore(contractResources(memoryCapabilities), firstRevision);
  await certifyGateways(store, "store", firstRevision);
});

/** `oldest` is the oldest revision that a watch must be able to begin after; 0: none is too old. */
async function certifyGateways(store: Store, writesBy: OverHttpOptions["writesBy"], oldest = 0n): Promise<void> {
  const behind = await serveInProcess([{ store }]);
  const direct = behind.connect(behind.addresses[0] ?? "", {});
  assert.ok(direct);
  const storeClient = createStoreClient(StoreService, direct.transport);
  const resources = contractResources(capabilities, {
    // Objects that the gateway makes are named, stamped and numbered by it.
    lifecycle: writesBy === "gateway" ? Lifecycle.STORE : Lifecycle.GATEWAY,
    resumeWindow,
    ...(writesBy === "gateway" ? { maxObjectBytes } : {}),
  });
  const started = await Promise.all(
    [1, 2].map(() => startTestGateway({ stores: { one: lagging(store) }, bookmarkEveryMs: 100 })),
  );
  const clients = await Promise.all(
    started.map(async (gateway) =>
      createClient({ url: gateway.url, credentials: { ca: gateway.ca, ...(await gateway.pairOf()) } }),
    ),
  );
  const endpoints = await Promise.all(
    clients.map(async (gateway) => {
      const known = new Map<string, bigint>();
      for (const { group = "", plural = "" } of resources)
        known.set(plural, await oldestResumableOf(gateway, { group, version: "v1", plural }));
      assert.deepEqual([...new Set(known.values())], [oldest]);
      return { routes: overHttp({ gateway, resources, store: storeClient, writesBy }, known) };
    }),
  );
  const served = await serveRoutes(endpoints);
  try {
    const left = { ...notOverHttp, ...(writesBy === "gateway" ? notByGateway : {}) };
    const names = new Set(promises.map(({ name }) => name));
    assert.deepEqual(
      Object.keys(left).filter((name) => !names.has(name)),
      [],
    );
    const asked = promises.filter(({ level, name }) => (level === "reads" || level === "watch") && !(name in left));
    const report = await certify({
      addresses: served.addresses,
      connect: served.connect,
      promises: asked,
    });
    assert.ok(
      report.results.every(({ outcome }) => outcome !== "broken"),
      summary(report),
    );
    assert.deepEqual(report.left, []);
  } finally {
    await served.stop();
    for (const client of clients) client.close();
    for (const gateway of started) await gateway.stop();
    await behind.stop();
  }
}

/** A store whose feed is late: what a gateway answers without waiting for it is stale. It outlives its gateway. */
function lagging(store: Store): Store {
  return {
    ...store,
    async *watch(call) {
      for await (const frame of store.watch?.(call) ?? []) {
        await new Promise<void>((resolve) => setTimeout(resolve, lagMs));
        yield frame;
      }
    },
    async close() {},
  };
}
