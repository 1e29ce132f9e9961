import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { OpenResponseSchema, type SessionFrame, SessionFrameSchema } from "../../gen/annex/store/v1/session_pb.js";
import { CreateRequestSchema, StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { prefixBytes } from "./grpc-messages.ts";
import type { ServingState } from "./serving-state.ts";
import { type AnswerWire, createSessionServer, type ServedSession } from "./session.ts";
import { partBytes } from "./session-outbox.ts";

/** A caller of a session, frame by frame. */
class Caller implements AnswerWire {
  readonly frames: SessionFrame[] = [];
  readonly ended = Promise.withResolvers<ConnectError | undefined>();
  readonly #session: ServedSession;

  constructor(service: Partial<ServiceImpl<typeof StoreService>> = {}, maxAgeMs?: number) {
    const routes = (router: ConnectRouter) => void router.service(StoreService, service);
    const state = { stopping: new AbortController().signal } as ServingState;
    this.#session = createSessionServer([routes], state, maxAgeMs)(this);
  }

  write(batch: Buffer, done: () => void): void {
    this.frames.push(...fromBinary(OpenResponseSchema, batch.subarray(prefixBytes)).frames);
    done();
  }

  end(failure: ConnectError | undefined): void {
    this.ended.resolve(failure);
  }

  send(...frames: MessageInitShape<typeof SessionFrameSchema>[]): void {
    this.#session.receive(frames.map((frame) => create(SessionFrameSchema, frame)));
  }

  /** Begins a call of Get. */
  get(call: number): void {
    this.send({ call: BigInt(call), frame: { case: "request", value: { method: `${StoreService.typeName}/Get` } } });
  }

  /** Results that came: the call, its code and message. */
  results(): [call: number, code: number, message: string][] {
    return this.received("result").map(({ call, frame }) => {
      assert.ok(frame.case === "result");
      return [Number(call), frame.value.code, frame.value.message];
    });
  }

  received(kind: SessionFrame["frame"]["case"]): SessionFrame[] {
    return this.frames.filter(({ frame }) => frame.case === kind);
  }
}

const hello = { frame: { case: "hello" as const, value: {} } };

/** Lets everything that is due be answered and sent. */
async function turn(): Promise<void> {
  for (let count = 0; count < 3; count++) await new Promise<void>((resolve) => setImmediate(resolve));
}

test("createSessionServer() ends a session whose caller asks more often than it reads", async () => {
  const caller = new Caller();
  const pings = Array.from({ length: 9_000 }, () => ({ frame: { case: "ping" as const, value: { number: 1n } } }));
  caller.send(hello, ...pings);
  await turn();
  caller.send(...pings);
  caller.send(...pings);
  assert.equal((await caller.ended.promise)?.code, Code.ResourceExhausted);
});

test("createSessionServer() says how old a session may be, sends it away then, and answers what is on its way", async (t: TestContext) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const caller = new Caller({ get: () => ({}) }, 60_000);
  caller.send(hello);
  t.mock.timers.tick(59_999);
  await turn();
  assert.deepEqual(
    caller.frames.map(({ frame }) => frame.case === "hello" && frame.value.maxAgeMs),
    [60_000],
  );
  t.mock.timers.tick(1);
  caller.get(1);
  await turn();
  assert.equal(caller.received("goAway").length, 1);
  assert.deepEqual(caller.results(), [[1, 0, ""]]);
  t.mock.timers.tick(600_000);
  await turn();
  assert.equal(caller.received("goAway").length, 1);
});

test("createSessionServer() refuses one call more than it takes, and no other", async () => {
  const gate = Promise.withResolvers<void>();
  const caller = new Caller({ get: () => gate.promise.then(() => ({})) });
  caller.send(hello);
  await turn();
  const [first] = caller.received("hello");
  assert.ok(first?.frame.case === "hello");
  const { maxCalls } = first.frame.value;
  for (let call = 1; call <= maxCalls + 1; call++) caller.get(call);
  await turn();
  const refused = [maxCalls + 1, Code.ResourceExhausted, "too many calls in flight"];
  assert.deepEqual(caller.results(), [refused]);
  gate.resolve();
  await turn();
  const numbers = caller.results().map(([call, code]) => (code === 0 ? call : 0));
  assert.deepEqual(
    numbers.toSorted((one, other) => one - other),
    Array.from({ length: maxCalls + 1 }, (_, at) => at),
  );
  caller.get(maxCalls + 2);
  await turn();
  assert.deepEqual(caller.results().at(-1), [maxCalls + 2, 0, ""]);
});

test("createSessionServer() bounds the bytes of requests that aren't whole, over all calls", async () => {
  const made: number[] = [];
  const caller = new Caller({
    create({ object }) {
      made.push(object?.json.length ?? 0);
      return {};
    },
  });
  caller.send(hello);
  const json = Buffer.alloc(partBytes);
  const message = toBinary(CreateRequestSchema, create(CreateRequestSchema, { object: { json } }));
  const half = { data: message.subarray(0, partBytes), more: true };
  const begin = (call: number) =>
    caller.send({
      call: BigInt(call),
      frame: { case: "request", value: { method: `${StoreService.typeName}/Create`, message: half } },
    });
  const finish = (call: number) =>
    caller.send({ call: BigInt(call), frame: { case: "chunk", value: { data: message.subarray(partBytes) } } });
  // Four messages of the largest size.
  const most = 64 * 16;
  for (let call = 1; call <= most + 1; call++) begin(call);
  await turn();
  assert.deepEqual(caller.results(), [[most + 1, Code.ResourceExhausted, "too many requests wait"]]);
  // What follows of the one that was refused is nobody's.
  finish(most + 1);
  // One that is given up makes room for the rest of the others.
  caller.send({ call: BigInt(most), frame: { case: "cancel", value: {} } });
  for (let call = 1; call < most; call++) finish(call);
  begin(most + 2);
  finish(most + 2);
  await turn();
  assert.deepEqual([made.length, made.every((length) => length === partBytes)], [most, true]);
  assert.equal(caller.results().filter(([, code]) => code === 0).length, most);
});

test("createSessionServer() begins no call while too many answers wait for a caller that gives no credit", async () => {
  const bytes = 1024 * 1024;
  const object = { json: Buffer.alloc(bytes) };
  let asked = 0;
  const caller = new Caller({
    get() {
      asked++;
      return { object };
    },
  });
  caller.send({ frame: { case: "hello", value: { initialCreditBytes: 1 } } });
  for (let call = 1; call <= 64; call++) {
    caller.get(call);
    await turn();
  }
  assert.equal(asked, 64);
  caller.get(65);
  await turn();
  assert.equal(asked, 64);
  assert.deepEqual(caller.results().at(-1), [65, Code.ResourceExhausted, "too many answers wait"]);
  caller.send({ frame: { case: "credit", value: { bytes: 100 * bytes } } });
  const isAnswered = () =>
    caller.frames.filter(({ frame }) => frame.case === "chunk" && !frame.value.more).length === 64;
  for (let turns = 0; !isAnswered() && turns < 2_000; turns++) await turn();
  assert.ok(isAnswered());
  caller.get(66);
  await turn();
  assert.equal(asked, 65);
});
