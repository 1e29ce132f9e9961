import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, createClient, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import {
  StoreService,
  WatchEventType,
  type WatchRequest,
  WatchResponseSchema,
} from "../../gen/annex/store/v1/store_pb.js";
import { unavailable } from "./errors.ts";
import { methodsOf } from "./methods.ts";
import { type Handler, streamHandler } from "./plain-stream.ts";

type Answer = MessageInitShape<typeof WatchResponseSchema>;
type Watch = (request: WatchRequest, context: HandlerContext) => AsyncIterable<Answer>;

/** Clients of a watch that is answered as the test says. `others` is told what doesn't go straight. */
async function servedWatch(t: TestContext, watch: Watch) {
  const routes = (router: ConnectRouter) => router.service(StoreService, { watch });
  const generic = connectNodeAdapter({ routes });
  const generically: (string | undefined)[] = [];
  const others: Handler = (request, response) => {
    generically.push(request.headers["content-type"]);
    generic(request, response);
  };
  const server = createServer(streamHandler(methodsOf("server_streaming", [routes]), others));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const idle = { idleConnectionTimeoutMs: 1 };
  return {
    grpc: createClient(StoreService, createGrpcTransport({ baseUrl, ...idle })),
    connect: createClient(StoreService, createConnectTransport({ baseUrl, httpVersion: "2", ...idle })),
    generically,
  };
}

const put = (revision: number, bytes: number) => ({
  type: WatchEventType.PUT,
  object: { key: { namespace: "ns", name: `o-${revision}` }, revision: BigInt(revision), json: new Uint8Array(bytes) },
});
const events = (...all: ReturnType<typeof put>[]): Answer => ({ frame: { case: "events", value: { events: all } } });

test("streamHandler() answers what the generic way answers, message for message", async (t) => {
  const large = Array.from({ length: 500 }, (_, index) => put(index + 2, index * 7));
  const { grpc, connect, generically } = await servedWatch(t, async function* ({ epoch }) {
    yield { frame: { case: "started", value: { mark: { revision: 1n, epoch } } } };
    yield events(put(1, 20_000));
    yield events(...large);
    yield { frame: { case: "progress", value: { mark: { revision: 600n, epoch } } } };
  });
  const [straight, generic] = await Promise.all(
    [grpc, connect].map(async (one) => {
      const answers = await Array.fromAsync(one.watch({ epoch: "e" }));
      return answers.map((answer) => Buffer.from(toBinary(WatchResponseSchema, answer)).toString("base64"));
    }),
  );
  assert.equal(straight?.length, 4);
  assert.ok(straight.every((text, index) => text === generic?.[index]));
  assert.deepEqual(generically, ["application/connect+proto"]);
  await Array.fromAsync(grpc.watch({}, { timeoutMs: 60_000 }));
  assert.deepEqual(generically, ["application/connect+proto", "application/grpc+proto"]);
});

test("streamHandler() tells an error with its detail, after what was said before", async (t) => {
  const { grpc } = await servedWatch(t, async function* () {
    yield events(put(1, 1));
    throw unavailable("the store stops", 7);
  });
  let seen = 0;
  const reading = (async () => {
    for await (const _ of grpc.watch({})) seen++;
  })();
  await assert.rejects(reading, (error: ConnectError) => {
    assert.deepEqual([error.code, error.rawMessage], [Code.Unavailable, "the store stops"]);
    assert.equal(error.findDetails(ErrorDetailSchema)[0]?.retryAfterSeconds, 7);
    return true;
  });
  assert.equal(seen, 1);
});

test("streamHandler() ends a watch whose caller goes, and waits for one that reads slowly", async (t) => {
  let told = 0;
  const ended = Promise.withResolvers<void>();
  const { grpc } = await servedWatch(t, async function* (_, { signal }) {
    try {
      for (; !signal.aborted; told++) yield events(put(told + 1, 100_000));
    } finally {
      ended.resolve();
    }
  });
  const controller = new AbortController();
  const answers = grpc.watch({}, { signal: controller.signal })[Symbol.asyncIterator]();
  await answers.next();
  // It goes on until the windows are full, and no further.
  for (let before = -1; before < told; await new Promise((resolve) => setTimeout(resolve, 50))) before = told;
  assert.ok(told < 100, `${told} frames of 100 KB wait`);
  controller.abort();
  await assert.rejects(
    Promise.resolve(answers.next()).then(() => answers.next()),
    ConnectError,
  );
  await ended.promise;
});

test("streamHandler() refuses a call without a message", async (t) => {
  const { connect: http2Connect } = await import("node:http2");
  const handler = streamHandler(
    methodsOf("server_streaming", [({ service }) => service(StoreService, { watch: async function* () {} })]),
    () => assert.fail("it goes straight"),
  );
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = http2Connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => {
    session.close();
    server.close();
  });
  const path = `/${StoreService.typeName}/Watch`;
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc" });
  stream.end();
  const [trailers] = await once(stream.resume(), "trailers");
  assert.equal(trailers["grpc-status"], String(Code.InvalidArgument));
});
