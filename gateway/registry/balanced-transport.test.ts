import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createContextValues, createRouterTransport } from "@connectrpc/connect";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { createBalancedTransport } from "./balanced-transport.ts";
import { NotSent, repeatable } from "./unreceived.ts";

const again = { contextValues: createContextValues().set(repeatable, true) };

/** An endpoint that answers, or fails as it is told. */
function endpoint(name: string, asked: string[]) {
  const state = {
    isDoubtful: false,
    inFlight: 0,
    fail: undefined as (() => never) | undefined,
    wait: Promise.resolve(),
    transport: createRouterTransport(({ rpc }) => {
      const take = async () => {
        asked.push(name);
        state.inFlight++;
        await state.wait;
        state.inFlight--;
        state.fail?.();
      };
      rpc(StoreService.method.get, async () => {
        await take();
        return {};
      });
      rpc(StoreService.method.list, async function* () {
        await take();
        yield { end: { mark: { epoch: name } } };
      });
    }),
  };
  return state;
}

function pair() {
  const asked: string[] = [];
  const [a, b] = [endpoint("a", asked), endpoint("b", asked)];
  const client = createClient(
    StoreService,
    createBalancedTransport(() => [a, b]),
  );
  return { a, b, asked, client };
}

const lost = () => {
  throw new ConnectError("cut", Code.Unavailable);
};
const refused = () => {
  throw new ConnectError("stream closed with error code REFUSED_STREAM", Code.Unavailable);
};

test("createBalancedTransport() takes the endpoint with the least to do, and turns among equals", async () => {
  const { a, asked, client } = pair();
  for (let count = 0; count < 10; count++) await client.get({});
  assert.deepEqual([...asked].sort(), [..."aaaaabbbbb"]);
  const gate = Promise.withResolvers<void>();
  a.wait = gate.promise;
  asked.length = 0;
  const calls = Array.from({ length: 4 }, () => client.get({}));
  await new Promise<void>((resolve) => setImmediate(resolve));
  while (asked.filter((name) => name === "b").length < 5) await client.get({});
  assert.equal(asked.filter((name) => name === "a").length, 2, "the busy one is left alone");
  gate.resolve();
  await Promise.all(calls);
});

test("createBalancedTransport() makes again elsewhere what nobody received, a write too, and nothing twice at one", async () => {
  const { a, b, asked, client } = pair();
  a.fail = refused;
  for (let count = 0; count < 2; count++) await client.get({});
  assert.equal(asked.filter((name) => name === "b").length, 2);
  b.fail = refused;
  asked.length = 0;
  await assert.rejects(client.get({}), /REFUSED_STREAM/);
  assert.deepEqual(asked.sort(), ["a", "b"]);
});

test("createBalancedTransport() makes again what was lost only if a second time does no harm", async () => {
  const { a, b, asked, client } = pair();
  a.fail = b.fail = lost;
  await assert.rejects(client.get({}), /cut/);
  assert.equal(asked.length, 1);
  b.fail = undefined;
  for (let count = 0; count < 2; count++) await client.get({}, again);
  const ends: string[] = [];
  for (let count = 0; count < 2; count++)
    for await (const { end } of client.list({}, again)) ends.push(end?.mark?.epoch ?? "");
  assert.deepEqual(ends, ["b", "b"]);
});

test("createBalancedTransport() does not make again what was answered", async () => {
  const { a, b, asked, client } = pair();
  a.fail = b.fail = () => {
    throw new ConnectError("no", Code.NotFound);
  };
  await assert.rejects(client.get({}, again), /no/);
  assert.equal(asked.length, 1);
});

test("createBalancedTransport() tries an endpoint that may be away only after the others", async () => {
  const { a, asked, client } = pair();
  a.isDoubtful = true;
  for (let count = 0; count < 4; count++) await client.get({});
  assert.deepEqual(asked, ["b", "b", "b", "b"]);
});

test("createBalancedTransport() says that nothing was sent while there is nobody", async () => {
  const client = createClient(
    StoreService,
    createBalancedTransport(() => []),
  );
  await assert.rejects(client.get({}), NotSent);
});
