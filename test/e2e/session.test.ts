/** Sessions: the gateway's transport and a store that is served, over a real socket. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { plainStreams } from "../../gateway/registry/plain-stream.ts";
import { SessionBroken } from "../../gateway/registry/session.ts";
import { sessionStreams } from "../../gateway/registry/session-stream.ts";
import { createSessionTransport, type SessionTransport } from "../../gateway/registry/session-transport.ts";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import {
  type SessionFrame,
  SessionFrameSchema,
  SessionPingSchema,
  SessionService,
} from "../../gen/annex/store/v1/session_pb.js";
import { GetRequestSchema, GetResponseSchema, StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { badRequest, type GetCall, type ServedStore, type Store, serveStore } from "../../stores/sdk/sdk.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { eventually } from "../support/eventually.ts";

const maxMessageBytes = 64 * 1024 * 1024;
const key = (name: string) => ({ namespace: "ns", name });

/** A store whose objects say by their names how long they are and what happens to who asks for them. */
function speakingStore(asked: { name: string; signal: AbortSignal }[], gate: PromiseWithResolvers<void>): Store {
  return {
    implementation: "speaking",
    version: "0",
    epoch: () => "e",
    revisionScope: "store",
    resources: contractResources([]),
    async get({ key: { namespace, name }, signal }: GetCall) {
      asked.push({ name, signal });
      if (name === "refused") throw badRequest("no such luck");
      if (name === "missing") return undefined;
      if (name.startsWith("gated")) await gate.promise;
      if (name === "hangs")
        await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      return { namespace, name, revision: 7n, uid: "u", json: Buffer.alloc(Number(/\d+$/.exec(name)?.[0] ?? 2), 0x20) };
    },
    async create({ json }) {
      return { revision: BigInt(json.length) };
    },
    async currentRevision() {
      return { revision: 7n };
    },
  };
}

describe("a session", () => {
  const folder = mkdtempSync(join(tmpdir(), "annex-session-"));
  const asked: { name: string; signal: AbortSignal }[] = [];
  let served: ServedStore;
  let proxy: { path: string; cut(): void; close(): void };
  let manager: Http2SessionManager;
  let plain: Transport;
  let transport: SessionTransport;
  let client: Client<typeof StoreService>;
  let rpcs: string[];
  /** What calls of gated objects wait for. */
  let gate: PromiseWithResolvers<void>;
  /** Sessions that were opened. */
  let opened: number;
  const get = (name: string, options = {}) => client.get({ resource, key: key(name) }, options);

  beforeEach(async () => {
    asked.length = 0;
    rpcs = [];
    gate = Promise.withResolvers();
    opened = 0;
    await start();
  });
  afterEach(stop);
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function start(sessionMaxAgeMs?: number): Promise<void> {
    served = await serveStore(speakingStore(asked, gate), { log: () => {}, sessionMaxAgeMs });
    proxy = await cuttable(served.address.slice("unix:".length), join(folder, "proxy.sock"));
    manager = new Http2SessionManager("http://localhost", {}, { createConnection: () => connectSocket(proxy.path) });
    plain = createGrpcTransport({
      baseUrl: "http://localhost",
      sessionManager: manager,
      interceptors: [
        (next) => (request) => {
          rpcs.push(request.method.name);
          return next(request);
        },
      ],
    });
    const open = sessionStreams(manager, maxMessageBytes);
    transport = createSessionTransport({
      plain,
      open(listener) {
        opened++;
        return open(listener);
      },
      stream: plainStreams(manager, maxMessageBytes),
      maxMessageBytes,
      // As long before the age as it can be.
      random: () => 0,
    });
    client = createClient(StoreService, transport);
    await untilBySession();
  }

  async function stop(): Promise<void> {
    transport.close();
    manager.abort();
    proxy.close();
    await served.stop();
  }

  /** Until calls no longer go one RPC at a time. */
  async function untilBySession(): Promise<void> {
    await eventually(async () => {
      rpcs.length = 0;
      await get("warm-up").catch(() => {});
      return rpcs.length === 0;
    }, "a session is opened");
  }

  test("carries thousands of calls at once, answered in any order, and none as an RPC of its own", async () => {
    const slow = errorOf(get("hangs", { timeoutMs: 300 }));
    const sizes = Array.from({ length: 5_000 }, (_, index) => index);
    const asking = Promise.all(sizes.map((size) => get(`gated-${size}`)));
    const inFlight = () => asked.filter(({ name }) => name.startsWith("gated")).length;
    await eventually(() => inFlight() === sizes.length, "all are in flight, and none is answered");
    gate.resolve();
    const answers = await asking;
    assert.deepEqual(
      answers.map(({ object }) => object?.json.length),
      sizes,
    );
    assert.deepEqual(rpcs, []);
    assert.equal((await slow).code, Code.DeadlineExceeded);
  });

  test("gives the codes and details that the RPC gives", async () => {
    const direct = createClient(StoreService, plain);
    for (const name of ["refused", "missing"]) {
      const [bySession, byRpc] = await Promise.all([
        errorOf(get(name)),
        errorOf(direct.get({ resource, key: key(name) })),
      ]);
      assert.equal(bySession.code, byRpc.code);
      assert.equal(bySession.rawMessage, byRpc.rawMessage);
      assert.deepEqual(bySession.findDetails(ErrorDetailSchema), byRpc.findDetails(ErrorDetailSchema));
    }
    const unoffered = await errorOf(client.delete({ resource, key: key("a") }));
    assert.equal(unoffered.code, Code.Unimplemented);
  });

  test("passes on a call's deadline and its cancellation, and goes on", async () => {
    const stop = new AbortController();
    const cancelled = errorOf(get("hangs", { signal: stop.signal }));
    // Long enough for the store to be asked first, on a busy machine too.
    const late = errorOf(get("hangs", { timeoutMs: 1_000 }));
    await untilHanging(2);
    stop.abort();
    assert.equal((await cancelled).code, Code.Canceled);
    assert.equal((await late).code, Code.DeadlineExceeded);
    const hanging = asked.filter(({ name }) => name === "hangs");
    await eventually(() => hanging.every(({ signal }) => signal.aborted), "both are over for the store too");
    assert.equal((await get("object-1")).object?.json.length, 1);
  });

  test("carries large messages both ways, in parts", async () => {
    const bytes = 3 * 1024 * 1024;
    const answers = await Promise.all(Array.from({ length: 8 }, () => get(`object-${bytes}`)));
    for (const { object } of answers) assert.equal(object?.json.length, bytes);
    const object = { key: key("a"), uid: "u", json: Buffer.alloc(bytes) };
    const written = await Promise.all(Array.from({ length: 8 }, () => client.create({ resource, object })));
    for (const { mark } of written) assert.equal(mark?.revision, BigInt(bytes));
    assert.deepEqual(rpcs, []);
  });

  test("that breaks fails its calls at once, and another one is opened", async () => {
    const hanging = Array.from({ length: 10 }, () => errorOf(get("hangs")));
    await untilHanging(10);
    // Turns of our own loop, and not time: what waits while a machine is busy is no fault of the session.
    let turns = 0;
    const turning = setInterval(() => turns++, 50);
    proxy.cut();
    for (const call of hanging) {
      const error = await call;
      assert.ok(error instanceof SessionBroken);
      assert.equal(error.code, Code.Unavailable);
    }
    clearInterval(turning);
    assert.ok(turns < 10, `${turns} turns of 50 ms: a ping that isn't answered takes hundreds`);
    await untilBySession();
  });

  test("is replaced before its age, while calls run: none fails, and none goes as an RPC of its own", async () => {
    await stop();
    await start(2_000);
    const [sinceOpened, long] = [opened, get("gated-7")];
    let isOver = false;
    let answered = 0;
    const calling = Array.from({ length: 20 }, async () => {
      for (; !isOver; answered++) assert.equal((await get("object-100")).object?.json.length, 100);
    });
    await eventually(() => opened >= sinceOpened + 2, "two sessions take each other's place");
    const before = answered;
    await eventually(() => answered > before + 1_000, "calls go on in the last one");
    isOver = true;
    await Promise.all(calling);
    gate.resolve();
    assert.equal((await long).object?.json.length, 7);
    assert.deepEqual([rpcs, transport.sessions()], [[], 1]);
  });

  test("is left when the store stops: calls in flight are answered, later ones are refused", async () => {
    const inFlight = errorOf(get("hangs", { timeoutMs: 1_000 }));
    await untilHanging(1);
    const stopped = served.stop();
    assert.equal((await inFlight).code, Code.DeadlineExceeded);
    await stopped;
    await errorOf(get("object-1"));
  });

  test("refuses frames that break its rules with INVALID_ARGUMENT", async () => {
    const sessions = createClient(SessionService, plain);
    const frame = { case: "ping" as const, value: create(SessionPingSchema) };
    async function* requests() {
      yield { frames: [create(SessionFrameSchema, { frame })] };
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    const read = (async () => {
      for await (const _ of sessions.open(requests()));
    })();
    const error = await errorOf(read);
    assert.deepEqual([error.code, error.rawMessage], [Code.InvalidArgument, "the first frame of a session is hello"]);
  });

  test("is refused to a caller that sends more than its credit", async () => {
    const message = { data: Buffer.alloc(64 * 1024), more: true };
    const request = { case: "request" as const, value: { method: "annex.store.v1.StoreService/Create", message } };
    const chunk = { case: "chunk" as const, value: message };
    const hello = create(SessionFrameSchema, { frame: { case: "hello", value: {} } });
    const frames = Array.from({ length: 40 }, (_, index) =>
      create(SessionFrameSchema, { call: 1n, frame: index === 0 ? request : chunk }),
    );
    const sessions = createClient(SessionService, plain);
    async function* requests() {
      // In one message, so that no credit can come in between.
      yield { frames: [hello, ...frames] };
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    const read = (async () => {
      for await (const _ of sessions.open(requests()));
    })();
    assert.equal((await errorOf(read)).code, Code.ResourceExhausted);
  });

  test("is offered by the Connect protocol too, and answers pings", async () => {
    const byConnect = createConnectTransport({
      baseUrl: "http://localhost",
      httpVersion: "2",
      useBinaryFormat: true,
      sessionManager: manager,
    });
    const get = toBinary(GetRequestSchema, create(GetRequestSchema, { resource, key: key("object-100000") }));
    const frames = [
      create(SessionFrameSchema, { frame: { case: "hello", value: {} } }),
      create(SessionFrameSchema, { frame: { case: "ping", value: { number: 99n } } }),
      create(SessionFrameSchema, {
        call: 5n,
        frame: { case: "request", value: { method: "annex.store.v1.StoreService/Get", message: { data: get } } },
      }),
    ];
    for (const transport of [byConnect, plain]) {
      const release = Promise.withResolvers<void>();
      const requests = async function* () {
        yield { frames };
        await release.promise;
      };
      const parts: Uint8Array[] = [];
      const others: SessionFrame["frame"][] = [];
      for await (const response of createClient(SessionService, transport).open(requests())) {
        for (const { frame } of response.frames) {
          const part = frame.case === "result" ? frame.value.answer : frame.case === "chunk" ? frame.value : undefined;
          if (part === undefined) others.push(frame);
          else parts.push(part.data);
          if (part?.more === false) release.resolve();
        }
      }
      assert.ok(parts.length > 1);
      assert.equal(fromBinary(GetResponseSchema, Buffer.concat(parts)).object?.json.length, 100_000);
      assert.deepEqual(
        others.map((frame) => (frame.case === "ping" ? [frame.value.number, frame.value.isAnswer] : frame.case)),
        ["hello", [99n, true]],
      );
    }
  });

  async function untilHanging(count: number): Promise<void> {
    await eventually(() => asked.filter(({ name }) => name === "hangs").length >= count, "the store is asked");
  }
});

async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  return await call.then(
    () => assert.fail("the call was answered"),
    (error: unknown) => ConnectError.from(error),
  );
}

/** A socket in front of another whose connections can be cut. */
async function cuttable(target: string, path: string) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connectSocket(target);
    for (const one of [socket, onward]) {
      sockets.add(one);
      one
        .on("error", () => {})
        .once("close", () => {
          sockets.delete(one);
          (one === socket ? onward : socket).destroy();
        });
    }
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    path,
    cut,
    close() {
      cut();
      server.close();
    },
  };
}
