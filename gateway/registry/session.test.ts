import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createContextValues, type Transport } from "@connectrpc/connect";
import { GetResponseSchema, StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { openedStreams, type StreamEnd, turn } from "./session.testing.ts";
import { openSession, SessionBroken } from "./session.ts";
import { createSessionTransport } from "./session-transport.ts";
import { repeatable } from "./unreceived.ts";

const maxMessageBytes = 1024 * 1024;
const hello = { frame: { case: "hello" as const, value: {} } };
const { get } = StoreService.method;

/** Time passes when the test says so. */
function stoppedTime(t: TestContext): (ms: number) => void {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  return (ms) => {
    for (let left = ms; left > 0; left -= 1_000) {
      now += Math.min(left, 1_000);
      t.mock.timers.tick(Math.min(left, 1_000));
    }
  };
}

function opened() {
  const { open, ends } = openedStreams();
  const session = openSession({ open, maxMessageBytes });
  const end = ends[0] as StreamEnd;
  const call = (options: { signal?: AbortSignal; timeoutMs?: number } = {}) => {
    const { signal, timeoutMs } = options;
    const made = session.call(get, create(get.input), { signal, timeoutMs });
    made.catch(() => {});
    return made;
  };
  return { session, end, call };
}

async function codeOf(call: Promise<unknown>): Promise<Code> {
  return await call.then(
    () => assert.fail("it was answered"),
    (error: unknown) => ConnectError.from(error).code,
  );
}

test("SessionBroken is told from every other error of a call", () => {
  assert.ok(new SessionBroken(undefined) instanceof SessionBroken);
  assert.ok(new SessionBroken(undefined) instanceof ConnectError);
  assert.ok(!(new ConnectError("no", Code.NotFound) instanceof SessionBroken));
});

test("openSession() asks a store that is silent for 15 s, and ends 5 s later without an answer", async (t) => {
  const pass = stoppedTime(t);
  const { session, end, call } = opened();
  end.send(hello);
  const waiting = call();
  pass(14_000);
  await turn();
  assert.equal(end.received("ping").length, 0);
  pass(1_000);
  await turn();
  const [{ frame } = assert.fail("no ping")] = end.received("ping");
  assert.ok(frame.case === "ping");
  end.send({ frame: { case: "ping", value: { number: frame.value.number, isAnswer: true } } });
  pass(15_000);
  await turn();
  assert.equal(end.received("ping").length, 2);
  assert.ok(session.isOpen);
  pass(5_000);
  await turn();
  assert.ok(end.isAborted);
  assert.ok((await waiting.catch((error: unknown) => error)) instanceof SessionBroken);
  await session.ended;
});

test("openSession() fails what is in flight when its stream breaks, before any time passes", async (t) => {
  stoppedTime(t);
  const { session, end, call } = opened();
  end.send(hello);
  const calls = [call({ timeoutMs: 1 }), call({ timeoutMs: 60_000 }), call()];
  await turn();
  end.fail(new ConnectError("cut", Code.Internal));
  for (const made of calls) {
    const error: unknown = await made.catch((error: unknown) => error);
    assert.ok(error instanceof SessionBroken);
    assert.equal(error.code, Code.Unavailable);
  }
  await session.ended;
});

test("openSession() takes an answer that is read late, but in the turn in which its time is over", async (t) => {
  const pass = stoppedTime(t);
  const { session, end } = opened();
  end.send(hello);
  pass(15_000);
  await turn();
  const [{ frame } = assert.fail("no ping")] = end.received("ping");
  assert.ok(frame.case === "ping");
  pass(20_000);
  end.send({ frame: { case: "ping", value: { number: frame.value.number, isAnswer: true } } });
  await turn();
  assert.ok(session.isOpen);
});

test("openSession() cancels a call at its deadline, and when its caller goes away", async (t) => {
  const pass = stoppedTime(t);
  const { end, call } = opened();
  end.send(hello);
  const stop = new AbortController();
  const [late, left, patient] = [call({ timeoutMs: 40 }), call({ signal: stop.signal }), call({ timeoutMs: 60_000 })];
  await turn();
  stop.abort();
  pass(41);
  assert.equal(await codeOf(late), Code.DeadlineExceeded);
  assert.equal(await codeOf(left), Code.Canceled);
  await turn();
  assert.deepEqual(
    end.received("cancel").map(({ call }) => call),
    [2n, 1n],
  );
  const timeouts = end.received("request").map(({ frame }) => frame.case === "request" && frame.value.timeoutMs);
  assert.deepEqual(timeouts, [40, 0, 60_000]);
  const answer = { data: toBinary(GetResponseSchema, create(GetResponseSchema)) };
  end.send({ call: 3n, frame: { case: "result", value: { answer } } });
  assert.equal((await patient).$typeName, "annex.store.v1.GetResponse");
});

test("openSession() ends when the store sends more than its credit, or an answer too large", async () => {
  const part = { data: new Uint8Array(64 * 1024), more: true };
  const chunk = (call: bigint) => ({ call, frame: { case: "chunk" as const, value: part } });
  const large = opened();
  large.end.send(hello);
  const tooLarge = large.call();
  large.end.send({ call: 1n, frame: { case: "result", value: { answer: part } } });
  for (let count = 0; count < 17; count++) large.end.send(chunk(1n));
  assert.equal(await codeOf(tooLarge), Code.ResourceExhausted);
  assert.ok(large.session.isOpen);
  const greedy = opened();
  greedy.end.send(hello, ...Array.from({ length: 17 }, () => chunk(9n)));
  await greedy.session.ended;
});

test("openSession() ends when the store asks more often than it reads", async () => {
  const { session, end } = opened();
  const ping = { frame: { case: "ping" as const, value: { number: 1n } } };
  end.send(hello, ...Array.from({ length: 9_000 }, () => ping));
  assert.ok(session.isOpen);
  await turn();
  end.send(...Array.from({ length: 9_000 }, () => ping));
  assert.ok(session.isOpen);
  end.send(...Array.from({ length: 9_000 }, () => ping));
  await session.ended;
});

test("openSession() has no room beyond the store's number of calls, and leaves when it is told to go away", async () => {
  const { session, end, call } = opened();
  end.send({ frame: { case: "hello", value: { maxCalls: 2 } } });
  const calls = [call(), call()];
  assert.ok(!session.hasRoom);
  end.send({ frame: { case: "goAway", value: { reason: "age" } } });
  assert.ok(!session.isOpen);
  for (const id of [1n, 2n]) end.send({ call: id, frame: { case: "result", value: {} } });
  await Promise.all(calls);
  await turn();
  assert.ok(end.isEnded);
});

test("openSession() has no room while too many bytes of requests wait, and has again when they have left", async () => {
  const { session, end } = opened();
  end.send(hello);
  const { create: method } = StoreService.method;
  const json = Buffer.alloc(1024 * 1024);
  const send = () => session.call(method, { object: { json } }, { signal: undefined, timeoutMs: undefined });
  const calls: Promise<unknown>[] = [];
  const sendUntilFull = () => {
    for (; session.hasRoom; calls.push(send())) assert.ok(calls.length < 200, "there is no end to it");
  };
  sendUntilFull();
  assert.equal(calls.length, 64);
  await turn();
  // What left with the first credit.
  sendUntilFull();
  await turn();
  assert.equal(calls.length, 65);
  end.send({ frame: { case: "credit", value: { bytes: 80 * 1024 * 1024 } } });
  const parts = () => end.received("request").length + end.received("chunk").length;
  for (let before = -1; before !== parts(); await turn()) before = parts();
  assert.ok(session.hasRoom);
  const answers = calls.map((_, at) => ({ call: BigInt(at + 1), frame: { case: "result" as const, value: {} } }));
  end.send(...answers);
  await Promise.all(calls);
});

const stream = () => assert.fail("nobody asks for a stream");

/** What a transport does with one RPC at a time. */
function plainTransport(): { readonly plain: Transport; readonly calls: string[] } {
  const calls: string[] = [];
  const plain = {
    async unary(method: { name: string }) {
      calls.push(method.name);
      return { header: new Headers(), trailer: new Headers(), message: create(GetResponseSchema) };
    },
  };
  return { plain: plain as unknown as Transport, calls };
}

test("createSessionTransport() opens another session with back-off, and calls one RPC at a time meanwhile", async (t) => {
  const pass = stoppedTime(t);
  const { open, ends } = openedStreams();
  const { plain, calls } = plainTransport();
  const client = createClient(StoreService, createSessionTransport({ plain, open, stream, maxMessageBytes }));
  const waits: number[] = [];
  for (let attempt = 1; attempt <= 9; attempt++) {
    let waited = 0;
    for (; ends.length < attempt; waited += 50) {
      pass(50);
      await client.get({});
    }
    waits.push(waited);
    ends.at(-1)?.fail(new ConnectError("away", Code.Unavailable));
    await turn();
  }
  assert.deepEqual(waits.slice(1), [50, 100, 200, 400, 800, 1_600, 3_200, 5_000]);
  const rpcs = calls.length;
  pass(5_000);
  await client.get({});
  ends.at(-1)?.send(hello);
  await turn();
  const bySession = client.get({});
  await turn();
  ends.at(-1)?.send({ call: 1n, frame: { case: "result", value: {} } });
  await bySession;
  assert.equal(calls.length, rpcs + 1);
});

test("createSessionTransport() makes a call whose session broke once more, if a second time does no harm", async () => {
  const { open, ends } = openedStreams();
  const { plain, calls } = plainTransport();
  const client = createClient(StoreService, createSessionTransport({ plain, open, stream, maxMessageBytes }));
  await client.get({});
  const [end] = ends as [StreamEnd];
  end.send(hello);
  await turn();
  const contextValues = createContextValues().set(repeatable, true);
  const [harmless, other] = [client.get({}, { contextValues }), client.get({})];
  await turn();
  end.fail(new ConnectError("cut", Code.Unavailable));
  await harmless;
  await assert.rejects(other, SessionBroken);
  assert.equal(calls.length, 2);
});

test("createSessionTransport() replaces a session before its age: new calls go to the next, those in flight end", async (t) => {
  const pass = stoppedTime(t);
  const { open, ends } = openedStreams();
  const { plain, calls } = plainTransport();
  const random = () => 0.5;
  const transport = createSessionTransport({ plain, open, stream, maxMessageBytes, random });
  const client = createClient(StoreService, transport);
  const made = () => ends.map((end) => end.received("request").length);
  const aged = { frame: { case: "hello" as const, value: { maxAgeMs: 10_000 } } };
  const answer = (call: bigint) => ({ call, frame: { case: "result" as const, value: {} } });
  await client.get({});
  const [first] = ends as [StreamEnd];
  first.send(aged);
  await turn();
  const long = client.get({});
  pass(7_900);
  assert.equal(ends.length, 1);
  pass(200);
  assert.equal(ends.length, 2, "without a call that asks for it");
  const early = client.get({});
  await turn();
  assert.deepEqual(made(), [2, 0], "the next one isn't open yet");
  const second = ends[1] as StreamEnd;
  second.send(aged);
  await turn();
  const late = client.get({});
  await turn();
  assert.deepEqual([made(), transport.sessions()], [[2, 1], 1]);
  second.send(answer(1n));
  await late;
  first.send(answer(2n));
  await early;
  await turn();
  assert.ok(!first.isEnded, "a call is in flight");
  first.send(answer(1n));
  await long;
  await turn();
  assert.ok(first.isEnded && !first.isAborted);
  assert.deepEqual([calls.length, second.isEnded], [1, false]);
});

test("createSessionTransport() goes on with an old session while no other opens", async (t) => {
  const pass = stoppedTime(t);
  const { open, ends } = openedStreams();
  const { plain, calls } = plainTransport();
  const client = createClient(StoreService, createSessionTransport({ plain, open, stream, maxMessageBytes }));
  await client.get({});
  const [first] = ends as [StreamEnd];
  // Less than anything sensible: it would be replaced all the time.
  first.send({ frame: { case: "hello", value: { maxAgeMs: 1 } } });
  await turn();
  pass(600);
  assert.equal(ends.length, 1);
  pass(1_000);
  ends[1]?.fail(new ConnectError("busy", Code.ResourceExhausted));
  await turn();
  const made = client.get({});
  await turn();
  first.send({ call: 1n, frame: { case: "result", value: {} } });
  await made;
  assert.deepEqual([calls.length, ends.length], [1, 2]);
  pass(50);
  client.get({}).catch(() => {});
  assert.equal(ends.length, 3, "asked again after the back-off");
});

test("createSessionTransport() makes a call that has no room in the session one RPC at a time", async () => {
  const { open, ends } = openedStreams();
  const { plain, calls } = plainTransport();
  const client = createClient(StoreService, createSessionTransport({ plain, open, stream, maxMessageBytes }));
  await client.get({});
  const [end] = ends as [StreamEnd];
  end.send({ frame: { case: "hello", value: { maxCalls: 1 } } });
  await turn();
  const first = client.get({});
  await client.get({});
  end.send({ call: 1n, frame: { case: "result", value: {} } });
  await first;
  assert.equal(calls.length, 2);
  const json = Buffer.alloc(65 * 1024 * 1024);
  const large = client.create({ object: { json } });
  await turn();
  end.send({ frame: { case: "hello", value: { maxCalls: 100 } } });
  await client.get({});
  assert.deepEqual(calls, ["Get", "Get", "Get"]);
  end.send({ call: 2n, frame: { case: "result", value: {} } });
  await large;
});
