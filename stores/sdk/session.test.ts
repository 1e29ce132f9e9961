import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, type ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { OpenResponseSchema, type SessionFrame, SessionFrameSchema } from "../../gen/annex/store/v1/session_pb.js";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { prefixBytes } from "./grpc-messages.ts";
import type { ServingState } from "./serving-state.ts";
import { type AnswerWire, createSessionServer, type ServedSession } from "./session.ts";

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
