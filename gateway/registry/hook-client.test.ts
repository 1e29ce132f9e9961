import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import type { StatusError } from "../apimachinery/status.ts";
import { contextOpener } from "./context.ts";
import { createHookClient } from "./hook-client.ts";
import type { CallContext, HookCall } from "./store-call.ts";

const json = Buffer.from('{"apiVersion":"example.annex.dev/v1","kind":"Widget"}');
const key = { namespace: "ns", name: "a" };

/** Hooks that never answer, and what each call gave them to answer in, in ms. */
function hangingHooks() {
  const given: number[] = [];
  const hang = (_: unknown, context: HandlerContext) => {
    given.push(context.timeoutMs() ?? Number.POSITIVE_INFINITY);
    return new Promise<never>((_, reject) => context.signal.addEventListener("abort", reject));
  };
  const transport = createRouterTransport(({ service }) => {
    service(HookService, { mutate: hang, validate: hang, convert: hang, tabulate: hang });
  });
  const client = createHookClient({
    definition: definitionWith(),
    storeName: "store",
    hooks: createClient(HookService, transport),
    opener: contextOpener("store", undefined),
    log: { error() {} },
  });
  return { client, given };
}

/** A caller that waits so long, and goes away if it is told to. */
function callerWith(timeoutMs: number, signal = new AbortController().signal): CallContext {
  return { requestId: "id", user: undefined, userAgent: "", clientVersion: "", timeoutMs, signal };
}

function callOf(context: CallContext): HookCall {
  return { operation: "CREATE", key, subresource: "", json, oldJson: new Uint8Array(), dryRun: false, context };
}

type Hooks = ReturnType<typeof hangingHooks>["client"];

const hooks = [
  { name: "mutate", ownMs: 10_000, code: 504, call: (client: Hooks, by: CallContext) => client.mutate(callOf(by)) },
  { name: "validate", ownMs: 10_000, code: 504, call: (client: Hooks, by: CallContext) => client.validate(callOf(by)) },
  {
    name: "convert",
    ownMs: 30_000,
    code: 500,
    call: (client: Hooks, by: CallContext) => client.convert("v1", [json], by),
  },
  {
    name: "tabulate",
    ownMs: 30_000,
    code: 500,
    call: (client: Hooks, by: CallContext) =>
      client.tabulate("v1", [{ namespace: "ns", name: "a", uid: "u", revision: 1n, json }], by),
  },
];

for (const { name, ownMs, code, call } of hooks) {
  describe(name, () => {
    test(`has ${ownMs / 1000} s, or what the request has left`, async () => {
      const { client, given } = hangingHooks();
      const gone = new AbortController();
      for (const timeoutMs of [60_000, 5_000]) {
        const failing = call(client, callerWith(timeoutMs, gone.signal)).catch(() => {});
        while (given.length < (timeoutMs === 60_000 ? 1 : 2)) await new Promise(setImmediate);
        void failing;
      }
      gone.abort();
      const [own = 0, rest = 0] = given;
      assert.ok(own <= ownMs && own > ownMs - 2_000, `${own} ms`);
      assert.ok(rest <= 5_000 && rest > 3_000, `${rest} ms`);
    });

    test(`that hangs fails the request with ${code} when that is over`, async () => {
      const { client } = hangingHooks();
      await assert.rejects(
        call(client, callerWith(30)),
        ({ status }: StatusError) => status.code === code && !JSON.stringify(status).includes("abort"),
      );
    });
  });
}

test("convert says as kube-apiserver that it waited in vain", async () => {
  const { client } = hangingHooks();
  await assert.rejects(client.convert("v1", [json], callerWith(30)), {
    message: "conversion webhook for example.annex.dev/v1, Kind=Widget failed: context deadline exceeded",
  });
});
