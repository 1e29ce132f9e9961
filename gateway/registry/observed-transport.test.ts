import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { observedTransport, type StoreCallOutcome } from "./observed-transport.ts";

test("observedTransport() tells each call's method and code once, streams at their end, and only what ends by itself its time", async () => {
  const told: StoreCallOutcome[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(StoreService, {
      get: () => {
        throw new ConnectError("no", Code.NotFound);
      },
      currentRevision: () => ({ mark: { revision: 1n } }),
      async *list() {
        yield {};
        yield {};
      },
      async *watch({ epoch }, { signal }) {
        yield {};
        if (epoch === "lasts") await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw new ConnectError("gone", Code.Unavailable);
      },
    });
  });
  const client = createClient(
    StoreService,
    observedTransport(transport, "widgets", (outcome) => told.push(outcome)),
  );
  await client.currentRevision({});
  await assert.rejects(client.get({}), { code: Code.NotFound });
  let chunks = 0;
  for await (const _ of client.list({})) {
    chunks++;
    assert.equal(told.length, 2);
  }
  assert.equal(chunks, 2);
  await assert.rejects(
    async () => {
      for await (const _ of client.watch({}));
    },
    { code: Code.Unavailable },
  );
  const stop = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of client.watch({ epoch: "lasts" }, { signal: stop.signal })) stop.abort();
    },
    { code: Code.Canceled },
  );
  assert.deepEqual(
    told.map(({ store, method, code, seconds }) => [store, method, code, seconds !== undefined && seconds >= 0]),
    [
      ["widgets", "CurrentRevision", "OK", true],
      ["widgets", "Get", "NotFound", true],
      ["widgets", "List", "OK", true],
      ["widgets", "Watch", "Unavailable", false],
      ["widgets", "Watch", "Canceled", false],
    ],
  );
});
