import assert from "node:assert/strict";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter, Http2SessionManager } from "@connectrpc/connect-node";
import { StoreService, type WatchRequest, type WatchResponseSchema } from "../../gen/annex/store/v1/store_pb.js";
import { plainStreams } from "./plain-stream.ts";
import { isUnreceived } from "./unreceived.ts";

type Answer = MessageInitShape<typeof WatchResponseSchema>;
type Watch = (request: WatchRequest, context: HandlerContext) => AsyncIterable<Answer>;

const maxBytes = 4 * 1024 * 1024;

async function listening(server: Http2Server, t: TestContext): Promise<Http2SessionManager> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const manager = new Http2SessionManager(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => {
    manager.abort();
    server.close();
  });
  return manager;
}

/** Calls a watch that a generic server answers as the test says. */
async function watching(t: TestContext, watch: Watch) {
  const routes = connectNodeAdapter({ routes: ({ service }) => service(StoreService, { watch }) });
  const stream = plainStreams(await listening(createServer(routes), t), maxBytes);
  return async (signal?: AbortSignal) => {
    async function* input() {
      yield { epoch: "e" };
    }
    return await stream(StoreService.method.watch, signal, input());
  };
}

const events = (count: number, bytes: number): Answer => {
  const json = new Uint8Array(bytes);
  const all = Array.from({ length: count }, (_, index) => ({ object: { revision: BigInt(index), json } }));
  return { frame: { case: "events", value: { events: all } } };
};

test("plainStreams() gives what a generic server answers, in order", async (t) => {
  const ask = await watching(t, async function* ({ epoch }) {
    yield { frame: { case: "started", value: { mark: { revision: 5n, epoch } } } };
    yield events(3, 1_000);
    yield events(40, 50_000);
  });
  const { message } = await ask();
  const seen: unknown[] = [];
  for await (const { frame } of message) {
    if (frame.case === "started") seen.push(frame.value.mark?.epoch);
    if (frame.case === "events") seen.push(frame.value.events.map(({ object }) => object?.json.length ?? 0));
  }
  assert.deepEqual(seen, ["e", [1_000, 1_000, 1_000], Array.from({ length: 40 }, () => 50_000)]);
});

test("plainStreams() tells the error that a stream ends with, and a message that is too large", async (t) => {
  const ask = await watching(t, async function* () {
    yield events(1, 1);
    throw new ConnectError("gone", Code.OutOfRange);
  });
  await assert.rejects(
    ask().then(({ message }) => Array.fromAsync(message)),
    ({ code, rawMessage }: ConnectError) => code === Code.OutOfRange && rawMessage === "gone",
  );
  const askMore = await watching(t, async function* () {
    yield events(1, maxBytes);
  });
  await assert.rejects(
    askMore().then(({ message }) => Array.fromAsync(message)),
    ({ code }: ConnectError) => code === Code.ResourceExhausted,
  );
});

test("plainStreams() cancels at the server when its caller does, or reads no more", async (t) => {
  const ended: (() => void)[] = [];
  const ask = await watching(t, async function* (_, { signal }) {
    signal.addEventListener("abort", () => ended.shift()?.());
    yield events(1, 1);
    await new Promise(() => {});
  });
  for (const how of ["abort", "leave"]) {
    const isEnded = new Promise<void>((resolve) => ended.push(resolve));
    const controller = new AbortController();
    const { message } = await ask(controller.signal);
    const answers = message[Symbol.asyncIterator]();
    assert.equal((await answers.next()).done, false);
    if (how === "leave") await answers.return?.();
    else {
      const next = answers.next();
      controller.abort();
      await assert.rejects(next, ({ code }: ConnectError) => code === Code.Canceled);
    }
    await isEnded;
  }
  await assert.rejects(ask(AbortSignal.abort()), ({ code }: ConnectError) => code === Code.Canceled);
});

test("plainStreams() says that a server isn't there, and that it hung up", async (t) => {
  async function* input() {
    yield {};
  }
  const away = new Http2SessionManager("http://127.0.0.1:1");
  await assert.rejects(plainStreams(away, maxBytes)(StoreService.method.watch, undefined, input()), (error) => {
    return ConnectError.from(error).code === Code.Unavailable && isUnreceived(error);
  });
  const hangsUp = createServer((request) => request.stream.session?.destroy());
  const stream = plainStreams(await listening(hangsUp, t), maxBytes);
  await assert.rejects(stream(StoreService.method.watch, undefined, input()), ConnectError);
});
