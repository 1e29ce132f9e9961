import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport, type Transport } from "@connectrpc/connect";
import { CatalogService } from "../../gen/annex/store/v1/catalog_pb.js";
import { eventually } from "../../test/support/eventually.ts";
import { createBreaker } from "./breaker.ts";

const tickMs = 10;

/** A store that answers as `answer` does, behind a breaker, and what the breaker logs. */
function start(answer: (signal: AbortSignal) => Promise<void>) {
  const store: Transport = createRouterTransport(({ rpc }) => {
    rpc(CatalogService.method.status, async (_, { signal }) => {
      calls++;
      await answer(signal);
      return { digest: "x" };
    });
  });
  const told: string[] = [];
  let calls = 0;
  let probes = 0;
  let isAway = false;
  const breaker = createBreaker({
    transport: store,
    async probe() {
      probes++;
      if (isAway) throw new ConnectError("nobody is there", Code.DeadlineExceeded);
    },
    log: { info: (message) => told.push(message), warn: (message) => told.push(message) },
    tickMs,
  });
  const client = createClient(CatalogService, breaker.transport);
  return {
    breaker,
    told,
    calls: () => calls,
    probes: () => probes,
    away: (away: boolean) => {
      isAway = away;
    },
    ask: () => client.status({}),
  };
}

const unavailable = (error: unknown) => error instanceof ConnectError && error.code === Code.Unavailable;

describe("createBreaker()", () => {
  test("refuses what waits and what comes while a store hangs, and lets pass once it answers", async (t) => {
    let isHung = true;
    const never = new Promise<void>(() => {});
    const store = start(async () => (isHung ? await never : undefined));
    t.after(() => store.breaker.close());
    store.away(true);
    await assert.rejects(store.ask(), unavailable);
    assert.equal(store.breaker.isRefusing(), true);
    await assert.rejects(store.ask(), unavailable);
    assert.equal(store.calls(), 1, "the second one is not sent");
    const probes = store.probes();
    await eventually(() => store.probes() > probes + 2, "it goes on asking");
    isHung = false;
    store.away(false);
    await eventually(() => !store.breaker.isRefusing(), "it sees the answer");
    assert.equal((await store.ask()).digest, "x");
    assert.deepEqual(store.told, [
      "the store does not answer: calls are refused until it does",
      "the store answers again",
    ]);
  });

  test("lets a slow store be slow: it answers probes", async (t) => {
    // Long enough to be refused, if it were not for what the probes hear.
    const store = start(() => eventually(() => store.probes() >= 3, "it is asked meanwhile"));
    t.after(() => store.breaker.close());
    assert.equal((await store.ask()).digest, "x");
    assert.deepEqual(store.told, []);
  });

  test("asks at once when a call breaks off, and doesn't refuse what a store refuses itself", async (t) => {
    const store = start(() => Promise.reject(new ConnectError("busy", Code.Unavailable)));
    t.after(() => store.breaker.close());
    await assert.rejects(store.ask(), /busy/);
    await eventually(() => store.probes() === 1, "it asks");
    await assert.rejects(store.ask(), /busy/);
    assert.equal(store.breaker.isRefusing(), false);
    store.away(true);
    await assert.rejects(store.ask(), /busy/);
    await eventually(() => store.breaker.isRefusing(), "it refuses");
    await assert.rejects(store.ask(), /does not answer/);
  });

  test("an error that somebody gave is an answer", async (t) => {
    const store = start(() => Promise.reject(new ConnectError("no such thing", Code.NotFound)));
    t.after(() => store.breaker.close());
    await assert.rejects(store.ask(), /no such thing/);
    assert.equal(store.probes(), 0);
  });
});
