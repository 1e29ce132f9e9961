/** Streaming subresources, from a WebSocket through a gateway to a store: bytes, ends and back-pressure. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Scope, SubresourceKind, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { forbidden, type Store, type StreamCall, type StreamOutput } from "../../stores/sdk/sdk.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";
import { connectWebSocket, openWebSocket, type ServerFrame, type TestSocket } from "../support/websocket.ts";

const group = "streams.annex.dev";
const path = `/apis/${group}/v1/namespaces/ns/boxes`;
const [text, binary, close, ping, pong] = [1, 2, 8, 9, 10];

type Run = (call: StreamCall) => AsyncGenerator<StreamOutput, number>;

let run: Run;
let calls: StreamCall[] = [];
let ended = 0;
let gateway: TestGateway;

before(async () => {
  const stream = { kind: SubresourceKind.STREAM, httpMethods: ["GET", "POST"] };
  const boxes = {
    ...{ group, plural: "boxes", kind: "Box", scope: Scope.NAMESPACED, storageVersion: "v1" },
    versions: [{ name: "v1", served: true }],
    verbs: [Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE],
    capabilities: [...memoryCapabilities],
    subresources: [
      { ...stream, name: "exec", responseKind: "BoxExecOptions" },
      { ...stream, name: "pipe" },
    ],
  };
  const store: Store = {
    ...createMemoryStore([boxes]),
    async stream(call) {
      if (call.query["command"]?.[0] === "forbidden") throw forbidden("not in this box");
      calls.push(call);
      call.signal.addEventListener("abort", () => ended++, { once: true });
      return { output: run(call) };
    },
  };
  gateway = await startTestGateway({ stores: { boxes: store } });
  const body = { apiVersion: `${group}/v1`, kind: "Box", metadata: { name: "a" } };
  assert.equal((await gateway.ask(path, { method: "POST", body })).status, 201);
});
after(async () => await gateway.stop());
beforeEach(() => {
  calls = [];
  ended = 0;
});

const optionsFor = async (rest: string, protocols: readonly string[] = [], user?: string) => {
  const { cert, key } = await gateway.pairOf(user);
  return { url: gateway.url + path + rest, ca: gateway.ca, cert, key, protocols };
};
const open = async (rest: string, ...protocols: string[]) => await openWebSocket(await optionsFor(rest, protocols));
const exec = (version: 4 | 5, query = "stdin=true&stdout=true") =>
  open(`/a/exec?${query}`, `v${version}.channel.k8s.io`);
const channelText = ({ data }: ServerFrame) => `${data[0]} ${data.subarray(1)}`;
const onChannel = (channel: number, data: string | Uint8Array) =>
  Buffer.concat([Buffer.from([channel]), Buffer.from(data as Uint8Array)]);

describe("remote commands", () => {
  for (const version of [4, 5] as const) {
    test(`v${version}: stdin, stdout, stderr, the terminal's size and the exit code`, async () => {
      run = async function* ({ input }) {
        for await (const frame of input) {
          if ("width" in frame) yield { data: Buffer.from(`${frame.width}x${frame.height}`), channel: 2 };
          else if ("data" in frame) yield { data: Buffer.from(`got ${Buffer.from(frame.data)}`) };
          if ("data" in frame && Buffer.from(frame.data).toString() === "bye") return 3;
        }
        return 0;
      };
      const socket = await exec(version);
      assert.equal(socket.protocol, `v${version}.channel.k8s.io`);
      assert.deepEqual(await socket.next(), { opcode: binary, data: Buffer.from([1]) });
      socket.send(binary, onChannel(4, '{"Width":80,"Height":24}'));
      assert.equal(channelText((await socket.next()) as ServerFrame), "2 80x24");
      socket.send(binary, onChannel(0, "hello"));
      assert.equal(channelText((await socket.next()) as ServerFrame), "1 got hello");
      socket.send(binary, onChannel(0, "bye"));
      const [last, status, closing, ...rest] = await socket.rest();
      assert.equal(channelText(last as ServerFrame), "1 got bye");
      assert.equal(status?.data[0], 3);
      const { status: outcome, reason, details } = JSON.parse(String(status?.data.subarray(1)));
      assert.deepEqual(
        [outcome, reason, details.causes],
        ["Failure", "NonZeroExitCode", [{ reason: "ExitCode", message: "3" }]],
      );
      assert.deepEqual([closing?.opcode, closing?.data.readUInt16BE(0), rest], [close, 1000, []]);
    });
  }

  test("v5: a client that closes its stdin still gets what comes, and success", async () => {
    run = async function* ({ input }) {
      let bytes = 0;
      for await (const frame of input) {
        if ("data" in frame) bytes += frame.data.length;
        if ("end" in frame) break;
      }
      yield { data: Buffer.from(`${bytes} bytes`) };
      return 0;
    };
    const socket = await exec(5);
    // More than one frame of the contract holds.
    socket.send(binary, onChannel(0, Buffer.alloc(200_000, "x")));
    socket.send(binary, Buffer.from([255, 0]));
    const frames = await socket.rest();
    assert.deepEqual(frames.slice(1, 3).map(channelText), ["1 200000 bytes", '3 {"metadata":{},"status":"Success"}']);
  });

  test("a command that fails tells its Status, and a bug of the store none of its text", async () => {
    run = async function* () {
      yield { data: Buffer.from("so far") };
      throw forbidden("no further");
    };
    const told = (await (await exec(5)).rest()).map(channelText);
    assert.equal(told[1], "1 so far");
    assert.match(told[2] ?? "", /^3 .*"message":"boxes\.streams\.annex\.dev \\"a\\" is forbidden: no further"/);
    run = async function* () {
      yield { data: Buffer.from("x") };
      throw new Error("password 1234");
    };
    const bug = (await (await exec(5)).rest()).map(channelText);
    assert.match(bug[2] ?? "", /^3 .*Internal error occurred: the store failed/);
  });
});

describe("opening", () => {
  test("without a WebSocket, without the object and without the store's yes it is an HTTP answer", async () => {
    const plain = await gateway.ask(`${path}/a/exec`);
    assert.deepEqual([plain.status, plain.json().message], [400, "Upgrade request required"]);
    const missing = await connectWebSocket(await optionsFor("/none/exec"));
    assert.equal("status" in missing && missing.status, 404);
    const refused = await connectWebSocket(await optionsFor("/a/exec?command=forbidden"));
    assert.ok("status" in refused && refused.status === 403, JSON.stringify(refused));
    assert.match(refused.text, /is forbidden: not in this box/);
    const stranger = await connectWebSocket(await optionsFor("/a/exec", [], "stranger"));
    assert.ok("status" in stranger && stranger.status === 403);
    assert.match(stranger.text, /cannot get resource \\"boxes\/exec\\"/);
    assert.equal(calls.length, 0);
  });

  test("who asks for SPDY, as kubectl did before 1.31, is told what it must ask for instead", async () => {
    const headers = { Connection: "Upgrade", Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io" };
    const asked = { method: "POST", headers: { ...headers, "Content-Length": "0" } };
    const answer = await gateway.ask(`${path}/a/exec?command=sh&stdin=true`, asked);
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(answer.json(), {
      ...{ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" },
      ...{ message: "Upgrade request required", reason: "BadRequest", code: 400 },
    });
    assert.equal(calls.length, 0);
    assert.equal((await gateway.ask(`${path}/a`)).status, 200, "the connection goes on");
  });

  test("a WebSocket for what is none is answered as any other request", async () => {
    const answer = await connectWebSocket(await optionsFor("/a"));
    assert.ok("status" in answer && answer.status === 200, JSON.stringify(answer));
  });

  test("the store is told query, user and protocols, and no token among them", async () => {
    run = async function* () {
      yield* [];
      return 0;
    };
    const token = "base64url.bearer.authorization.k8s.io.c2VjcmV0";
    const socket = await open("/a/exec?command=ls&command=-l", token, "v5.channel.k8s.io", "v4.channel.k8s.io");
    await socket.rest();
    assert.deepEqual(calls[0]?.protocols, ["v5.channel.k8s.io", "v4.channel.k8s.io"]);
    assert.deepEqual(
      [calls[0]?.query["command"], calls[0]?.user?.name, calls[0]?.key.name],
      [["ls", "-l"], "admin", "a"],
    );
  });
});

test("a user has 256 streams at a time, whether they end well or not; the next one is told 429", async () => {
  run = async function* ({ input }) {
    yield { data: Buffer.from("begin") };
    for await (const _ of input);
    return 0;
  };
  const options = await optionsFor("/a/pipe");
  const sockets: TestSocket[] = [];
  while (sockets.length < 256) {
    sockets.push(...(await Promise.all(Array.from({ length: 32 }, async () => await openWebSocket(options)))));
  }
  const refused = await connectWebSocket(options);
  assert.ok("status" in refused && refused.status === 429, JSON.stringify(refused));
  assert.match(refused.text, /user \\"admin\\" has 256 open streams/);
  sockets.pop()?.socket.destroy();
  const closing = sockets.pop() as TestSocket;
  closing.send(close, Buffer.from([0x03, 0xe8]));
  await closing.rest();
  for (let count = 0; count < 2; count++) {
    await eventually(async () => {
      const next = await connectWebSocket(options);
      if ("status" in next) return false;
      sockets.push(next);
      return true;
    }, "there is a seat again");
  }
  for (const { socket } of sockets) socket.destroy();
  await eventually(() => ended === 258, "every stream has ended");
});

describe("plain streams", () => {
  const echo: Run = async function* ({ input }) {
    for await (const frame of input) if ("data" in frame) yield { data: frame.data };
    return 0;
  };

  test("bytes come back as they went, text and fragments too; pings are answered", async () => {
    run = echo;
    const socket = await open("/a/pipe");
    assert.equal(socket.protocol, "");
    socket.send(binary, Buffer.from([0, 255, 1]));
    assert.deepEqual((await socket.next())?.data, Buffer.from([0, 255, 1]));
    socket.send(text, "süß");
    assert.equal(String((await socket.next())?.data), "süß");
    socket.send(binary, "one ", { final: false });
    socket.send(ping, "still there?");
    assert.deepEqual(await socket.next(), { opcode: pong, data: Buffer.from("still there?") });
    socket.send(0, "whole");
    assert.equal(String((await socket.next())?.data), "one whole");
    socket.send(close, Buffer.from([0x03, 0xe8]));
    const [answer] = await socket.rest();
    assert.deepEqual([answer?.opcode, answer?.data.readUInt16BE(0)], [close, 1000]);
    await eventually(() => ended === 1, "the store's stream has ended");
  });

  test("the store's end closes with 1000, its failure with 1011", async () => {
    run = async function* () {
      yield { data: Buffer.from("all") };
      return 0;
    };
    const whole = await (await open("/a/pipe")).rest();
    assert.deepEqual([String(whole[0]?.data), whole[1]?.data.readUInt16BE(0)], ["all", 1000]);
    run = async function* () {
      yield { data: Buffer.from("part") };
      throw forbidden("enough");
    };
    const part = await (await open("/a/pipe")).rest();
    assert.equal(part[1]?.data.readUInt16BE(0), 1011);
    assert.match(String(part[1]?.data.subarray(2)), /is forbidden: enough$/);
  });

  test("a client that is gone cancels the store's stream", async () => {
    let isReturned = false;
    run = async function* ({ signal }) {
      try {
        yield { data: Buffer.from("begin") };
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        return 0;
      } finally {
        isReturned = true;
      }
    };
    const socket = await open("/a/pipe");
    await socket.next();
    socket.socket.destroy();
    await eventually(() => ended === 1 && isReturned, "the store knows");
  });

  test("a client that doesn't read holds back the store", async () => {
    let made = 0;
    run = async function* () {
      for (; made < 512; made++) yield { data: Buffer.alloc(64 * 1024) };
      return 0;
    };
    const socket = await open("/a/pipe");
    const settled = await settledCount(() => made);
    // Of 32 MB: what sockets and HTTP/2 windows hold.
    assert.ok(settled * 64 < 12 * 1024, `${settled} messages of 64 KB`);
    let bytes = 0;
    for (let frame = await socket.next(); frame !== undefined; frame = await socket.next()) bytes += frame.data.length;
    assert.equal(bytes, 512 * 64 * 1024 + 2);
  });

  test("a store that doesn't read holds back the client", async () => {
    let read = 0;
    const { promise: mayRead, resolve: goOn } = Promise.withResolvers<void>();
    run = async function* ({ input }) {
      await mayRead;
      for await (const frame of input) {
        if ("data" in frame) read += frame.data.length;
        if (read === 32 * 1024 * 1024) break;
      }
      yield { data: Buffer.from("all read") };
      return 0;
    };
    const socket = await open("/a/pipe");
    let sent = 0;
    const feed = (async () => {
      const piece = Buffer.alloc(256 * 1024);
      for (; sent < 128; sent++) {
        if (!socket.send(binary, piece)) await new Promise((resolve) => socket.socket.once("drain", resolve));
      }
    })();
    const settled = await settledCount(() => sent);
    assert.ok(settled * 256 < 12 * 1024, `${settled} messages of 256 KB`);
    goOn();
    assert.equal(String((await socket.next())?.data), "all read");
    await feed;
  });

  test("frames that may not be end the connection with their code", async () => {
    run = echo;
    const cases: [string, number, (socket: TestSocket) => void][] = [
      ["not masked", 1002, (socket) => socket.send(binary, "x", { masked: false })],
      ["a text that is no UTF-8", 1007, (socket) => socket.send(text, Buffer.from([0xff]))],
      ["an unknown opcode", 1002, (socket) => socket.send(3, "x")],
      ["a continuation of nothing", 1002, (socket) => socket.send(0, "x")],
      ["a ping in two", 1002, (socket) => socket.send(ping, "x", { final: false })],
      ["too long", 1009, (socket) => socket.send(binary, Buffer.alloc(1024 * 1024 + 1))],
    ];
    for (const [what, code, send] of cases) {
      const socket = await open("/a/pipe");
      send(socket);
      const [last] = await socket.rest();
      assert.deepEqual([last?.opcode, last?.data.readUInt16BE(0)], [close, code], what);
    }
  });
});

describe("a watch over a WebSocket", () => {
  const watch = async (query: string, headers: Record<string, string> = { Origin: "https://console.example.com" }) =>
    await connectWebSocket({ ...(await optionsFor(`?watch=1&${query}`)), headers });

  test("each event is a text of its own, and the deadline a close with 1000", async () => {
    // Too short for the bookmark that comes two seconds before a deadline.
    const socket = await watch(
      "timeoutSeconds=4&allowWatchBookmarks=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
    );
    assert.ok("next" in socket);
    socket.send(binary, "this is for nobody");
    const body = { apiVersion: `${group}/v1`, kind: "Box", metadata: { name: "b" } };
    assert.equal((await gateway.ask(path, { method: "POST", body })).status, 201);
    const frames = await socket.rest();
    const events = frames.filter((frame) => frame.opcode === text).map((frame) => JSON.parse(String(frame.data)));
    const seen = events.map(({ type, object }) => `${type} ${object.metadata.name ?? ""}`.trim());
    assert.deepEqual(seen, ["ADDED a", "BOOKMARK", "ADDED b"]);
    assert.deepEqual([frames.at(-1)?.opcode, frames.at(-1)?.data.readUInt16BE(0)], [close, 1000]);
  });

  test("who names no origin gets 403, who asks for a list gets the list", async () => {
    const refused = await watch("timeoutSeconds=1", {});
    assert.deepEqual(refused, { status: 403, text: "" });
    const listed = await connectWebSocket(await optionsFor(""));
    assert.ok("status" in listed && listed.status === 200);
    assert.equal(JSON.parse(listed.text).kind, "BoxList");
  });

  test("what is wrong before it begins is an HTTP answer", async () => {
    const wrong = await watch("labelSelector=%3D");
    assert.ok("status" in wrong && wrong.status === 400, JSON.stringify(wrong));
  });
});

test("a drain closes open streams with 1001", async (t) => {
  const started = await startedBox();
  t.after(async () => await started.gateway.stop());
  const { cert, key } = await started.gateway.pairOf();
  const socket = await openWebSocket({
    url: `${started.gateway.url}${path}/a/pipe`,
    ca: started.gateway.ca,
    cert,
    key,
  });
  void started.gateway.running.drain();
  const [last] = await socket.rest();
  assert.deepEqual([last?.opcode, last?.data.readUInt16BE(0)], [close, 1001]);
});

async function startedBox() {
  const boxes = {
    ...{ group, plural: "boxes", kind: "Box", scope: Scope.NAMESPACED, storageVersion: "v1" },
    versions: [{ name: "v1", served: true }],
    subresources: [{ kind: SubresourceKind.STREAM, httpMethods: ["GET"], name: "pipe" }],
  };
  const store: Store = {
    ...createMemoryStore([boxes]),
    async stream({ signal }) {
      return {
        output: (async function* (): AsyncGenerator<StreamOutput, number> {
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          yield* [];
          return 0;
        })(),
      };
    },
  };
  return { gateway: await startTestGateway({ stores: { boxes: store } }) };
}

/** Waits until a count stands still, and gives it. */
async function settledCount(count: () => number): Promise<number> {
  let last = -1;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    if (count() === last && last > 0) return last;
    last = count();
  }
}
