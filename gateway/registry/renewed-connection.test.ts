import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { createRenewedConnection } from "./renewed-connection.ts";

/** Connections to a store whose gets wait for the gate, and whose watches say where they began and wait. */
function start(t: TestContext, random = 0) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const opened: { isClosed: boolean }[] = [];
  const gate = Promise.withResolvers<void>();
  const connection = createRenewedConnection({
    random: () => random,
    open() {
      const number = opened.length;
      const made = { isClosed: false };
      opened.push(made);
      const transport = createRouterTransport(({ rpc }) => {
        rpc(StoreService.method.get, async () => {
          await gate.promise;
          return { mark: { epoch: String(number) } };
        });
        rpc(StoreService.method.watch, async function* (_, { signal }) {
          yield { frame: { case: "started" as const, value: { mark: { epoch: String(number) } } } };
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        });
      });
      return { transport, close: () => (made.isClosed = true) };
    },
  });
  return { connection, opened, gate, client: createClient(StoreService, connection.transport) };
}

test("createRenewedConnection() replaces a connection of ten minutes, which ends when its calls are done", async (t) => {
  const { connection, opened, gate, client } = start(t);
  assert.equal(opened.length, 0);
  const old = client.get({});
  t.mock.timers.tick(599_000);
  const stillOld = client.get({});
  assert.equal(opened.length, 1);
  t.mock.timers.tick(1_000);
  const next = client.get({});
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.deepEqual(opened, [{ isClosed: false }, { isClosed: false }]);
  gate.resolve();
  const epochs = (await Promise.all([old, stillOld, next])).map(({ mark }) => mark?.epoch);
  assert.deepEqual(epochs, ["0", "0", "1"]);
  assert.deepEqual(opened, [{ isClosed: true }, { isClosed: false }]);
  connection.close();
  assert.deepEqual(opened, [{ isClosed: true }, { isClosed: true }]);
});

test("createRenewedConnection() ends the watches of a connection that leaves, without an error", async (t) => {
  const { connection, opened, client } = start(t);
  const seen: string[] = [];
  const stop = new AbortController();
  const watch = async () => {
    for await (const { frame } of client.watch({}, { signal: stop.signal, timeoutMs: 0 }))
      if (frame.case === "started") seen.push(frame.value.mark?.epoch ?? "");
  };
  const first = watch();
  await new Promise<void>((resolve) => setImmediate(resolve));
  connection.renew();
  await first;
  assert.deepEqual([seen, opened, connection.renewals()], [["0"], [{ isClosed: true }], 1]);
  const second = watch();
  await new Promise<void>((resolve) => setImmediate(resolve));
  stop.abort();
  await assert.rejects(second);
  assert.deepEqual(seen, ["0", "1"]);
});

test("createRenewedConnection() spreads the ages of connections over a fifth", async (t) => {
  const { connection, opened, gate, client } = start(t, 0.5);
  gate.resolve();
  await client.get({});
  t.mock.timers.tick(539_000);
  assert.equal(connection.renewals(), 0);
  t.mock.timers.tick(1_000);
  assert.deepEqual([connection.renewals(), opened], [1, [{ isClosed: true }]]);
});
