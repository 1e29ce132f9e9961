import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { SessionFrameSchema } from "../../gen/annex/store/v1/session_pb.js";
import type { ServingState } from "./serving-state.ts";
import { createSessionServer } from "./session.ts";

test("createSessionServer() ends a session whose caller asks more often than it reads", async () => {
  const ended = Promise.withResolvers<ConnectError | undefined>();
  const state = { stopping: new AbortController().signal } as ServingState;
  const session = createSessionServer([], state)({ write: (_, done) => done(), end: ended.resolve });
  const ping = create(SessionFrameSchema, { frame: { case: "ping", value: { number: 1n } } });
  const pings = Array.from({ length: 9_000 }, () => ping);
  session.receive([create(SessionFrameSchema, { frame: { case: "hello", value: {} } }), ...pings]);
  await new Promise<void>((resolve) => setImmediate(resolve));
  session.receive(pings);
  session.receive(pings);
  assert.equal((await ended.promise)?.code, Code.ResourceExhausted);
});
