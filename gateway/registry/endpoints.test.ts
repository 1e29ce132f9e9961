import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createContextValues, createRouterTransport } from "@connectrpc/connect";
import { CatalogService, type DescribeResponse, DescribeResponseSchema } from "../../gen/annex/store/v1/catalog_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { eventually } from "../../test/support/eventually.ts";
import { createEndpoints, type EndpointsOptions } from "./endpoints.ts";
import { repeatable } from "./unreceived.ts";

/** What an endpoint tells, and whether it is there. */
interface Told {
  description: DescribeResponse;
  isAway: boolean;
}

function tells(plural: string, epoch = "e", digest = plural): Told {
  const resources = [{ group: "g.example", plural, kind: "Thing" }];
  return { description: create(DescribeResponseSchema, { digest, epoch, resources }), isAway: false };
}

/** A store with endpoints by their addresses, each of which answers a get with its address. */
function start(t: TestContext, told: Readonly<Record<string, Told>>, given: Partial<EndpointsOptions> = {}) {
  const taken: string[] = [];
  const asked: string[] = [];
  const notBelow: bigint[] = [];
  const watching = new Set<string>();
  const endpoints = createEndpoints({
    store: "s",
    addresses: Object.keys(told),
    how: { protocol: "grpc", tls: undefined },
    gateway: { name: "g", version: "1" },
    observe: undefined,
    log: { info: () => {}, warn: () => {} },
    shown: () => 0n,
    refused: () => [],
    onChange: () => {},
    async onDescription({ resources }) {
      taken.push(resources[0]?.plural ?? "");
    },
    connect({ address, ip }) {
      const name = ip ?? address;
      const there = <T>(answer: () => T) => {
        if (told[name]?.isAway !== false) throw new ConnectError("cut", Code.Unavailable);
        return answer();
      };
      const transport = createRouterTransport(({ rpc }) => {
        rpc(CatalogService.method.describe, ({ gateway }) =>
          there(() => {
            notBelow.push(gateway?.notBelow ?? 0n);
            return told[name]?.description ?? {};
          }),
        );
        rpc(CatalogService.method.status, () =>
          there(() => ({ digest: told[name]?.description.digest ?? "", epoch: told[name]?.description.epoch ?? "" })),
        );
        rpc(StoreService.method.get, () =>
          there(() => {
            asked.push(name);
            return { mark: { epoch: name } };
          }),
        );
        rpc(StoreService.method.watch, async function* (_, { signal }) {
          watching.add(name);
          signal.addEventListener("abort", () => watching.delete(name));
          yield { frame: { case: "started" as const, value: {} } };
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        });
      });
      return { transport, close: () => {} };
    },
    ...given,
  });
  t.after(() => endpoints.close());
  const client = createClient(StoreService, endpoints.transport);
  return { endpoints, client, taken, asked, watching, notBelow };
}

const reading = { contextValues: createContextValues().set(repeatable, true) };

/** The endpoints that answer a few reads. */
async function usedBy({ client, asked }: ReturnType<typeof start>): Promise<string[]> {
  asked.length = 0;
  for (let count = 0; count < 12; count++) await client.get({}, reading);
  return [...new Set(asked)].sort();
}

test("createEndpoints() spreads calls over endpoints that tell the same, whatever their digests", async (t) => {
  const store = start(t, { "unix:a": tells("things"), "unix:b": tells("things", "e", "of another build") });
  await eventually(() => store.endpoints.figures().ready === 2, "both are ready");
  assert.deepEqual(await usedBy(store), ["unix:a", "unix:b"]);
  assert.deepEqual(store.taken, ["things"]);
});

test("createEndpoints() says what clients have been shown whenever a store is asked what it is", async (t) => {
  let shown = 0n;
  const told = { "unix:a": tells("things") };
  const store = start(t, told, { shown: () => shown });
  await eventually(() => store.endpoints.isReady(), "it is ready");
  shown = 9n;
  told["unix:a"].isAway = true;
  await eventually(() => !store.endpoints.isReady(), "it is away");
  told["unix:a"].isAway = false;
  await eventually(() => store.endpoints.isReady(), "it is back");
  assert.deepEqual(new Set(store.notBelow), new Set([0n, 9n]));
});

test("createEndpoints() leaves out an endpoint of other data or resources until most are like it, and changes once", async (t) => {
  const told = { "unix:a": tells("old"), "unix:b": tells("old"), "unix:c": tells("old") };
  const store = start(t, told);
  await eventually(() => store.endpoints.figures().ready === 3, "all are ready");
  told["unix:a"].description = tells("new").description;
  await eventually(() => store.endpoints.figures().ready === 2, "the new one is left out");
  assert.deepEqual(await usedBy(store), ["unix:b", "unix:c"]);
  told["unix:b"].description = tells("new").description;
  await eventually(() => store.taken.length === 2, "the new description is taken");
  await eventually(async () => (await usedBy(store)).join() === "unix:a,unix:b", "the old one is left out");
  told["unix:c"].description = tells("new", "another epoch").description;
  await eventually(async () => (await usedBy(store)).join() === "unix:a,unix:b", "the other epoch is left out");
  assert.deepEqual(store.taken, ["old", "new"]);
});

test("createEndpoints() is away only when every endpoint is, and uses one again that comes back", async (t) => {
  const told = { "unix:a": tells("things"), "unix:b": tells("things") };
  const store = start(t, told);
  await eventually(() => store.endpoints.figures().ready === 2, "both are ready");
  told["unix:a"].isAway = true;
  await eventually(() => store.endpoints.figures().ready === 1, "one is away");
  assert.equal(store.endpoints.isReady(), true);
  assert.deepEqual(await usedBy(store), ["unix:b"]);
  told["unix:b"].isAway = true;
  await eventually(() => !store.endpoints.isReady(), "the store is away");
  assert.equal(store.endpoints.message(), "[unavailable] cut");
  told["unix:a"].isAway = false;
  await eventually(() => store.endpoints.isReady(), "the store is back");
  assert.deepEqual(await usedBy(store), ["unix:a"]);
});

test("createEndpoints() takes the addresses behind a name for endpoints, and looks them up anew", async (t) => {
  const told = { "10.0.0.1": tells("things"), "10.0.0.2": tells("things"), "10.0.0.3": tells("things") };
  let found = ["10.0.0.1", "10.0.0.2"];
  const store = start(t, told, {
    addresses: ["store.example:7000"],
    lookup: async () => found.map((address) => ({ address, family: 4 })),
  });
  await eventually(() => store.endpoints.figures().ready === 2, "both are ready");
  assert.deepEqual(await usedBy(store), ["10.0.0.1", "10.0.0.2"]);
  found = ["10.0.0.2", "10.0.0.3"];
  told["10.0.0.1"].isAway = true;
  await eventually(async () => (await usedBy(store)).join() === "10.0.0.2,10.0.0.3", "the new one is found");
  assert.equal(store.endpoints.figures().all, 2);
});

test("createEndpoints() ends the watches of an address that is left, and those of the others go on", async (t) => {
  const store = start(t, { "unix:a": tells("things"), "unix:b": tells("things") });
  await eventually(() => store.endpoints.figures().ready === 2, "both are ready");
  let ended = 0;
  const stop = new AbortController();
  t.after(() => stop.abort());
  const watch = async () => {
    for await (const _ of store.client.watch({}, { signal: stop.signal, timeoutMs: 0 }));
    ended++;
  };
  const watches = [watch(), watch()];
  for (const one of watches) one.catch(() => {});
  await eventually(() => store.watching.size === 2, "each has one");
  store.endpoints.configure(["unix:b"]);
  await eventually(() => ended === 1, "one watch ends");
  assert.deepEqual([...store.watching], ["unix:b"]);
  assert.deepEqual(await usedBy(store), ["unix:b"]);
});
