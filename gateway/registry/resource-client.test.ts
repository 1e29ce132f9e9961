import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
} from "@connectrpc/connect";
import { type ActionService, InvokeResponseSchema } from "../../gen/annex/store/v1/action_pb.js";
import type { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import {
  CreateResponseSchema,
  CurrentRevisionResponseSchema,
  DeleteResponseSchema,
  GetResponseSchema,
  StoreService,
  UpdateResponseSchema,
} from "../../gen/annex/store/v1/store_pb.js";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import { contextOpener } from "./context.ts";
import { createResourceClient } from "./resource-client.ts";
import type { CallContext } from "./store-call.ts";
import { repeatable } from "./unreceived.ts";

const key = { namespace: "ns", name: "a" };
const json = new Uint8Array();
const caller: CallContext = {
  requestId: "id",
  user: undefined,
  userAgent: "",
  clientVersion: "",
  timeoutMs: 1_000,
  signal: new AbortController().signal,
};

/** A client of a store that notes its calls, those apart that may be made a second time. */
function clientWith(idempotentWrites: boolean, given?: Client<typeof StoreService>) {
  const asked: string[] = [];
  const told: bigint[] = [];
  const object = { key, revision: 1n };
  const noted =
    <T>(name: string, answer: T) =>
    async (_: unknown, { contextValues }: CallOptions) => {
      asked.push(contextValues?.get(repeatable) ? `${name}, again if need be` : name);
      return answer;
    };
  const noting = {
    get: noted("get", create(GetResponseSchema, { object })),
    currentRevision: noted("currentRevision", create(CurrentRevisionResponseSchema)),
    create: noted("create", create(CreateResponseSchema, { object })),
    update: noted("update", create(UpdateResponseSchema, { object })),
    delete: noted("delete", create(DeleteResponseSchema, { object })),
  } as unknown as Client<typeof StoreService>;
  const actions = { invoke: noted("invoke", create(InvokeResponseSchema)) } as unknown as Client<typeof ActionService>;
  const { capabilities } = definitionWith();
  const client = createResourceClient({
    definition: definitionWith({ capabilities: { ...capabilities, idempotentWrites } }),
    storeName: "store",
    store: given ?? noting,
    actions,
    hooks: {} as Client<typeof HookService>,
    opener: contextOpener("store", undefined),
    onRevision: (revision) => void told.push(revision),
    log: { error: () => {} },
  });
  return { client, asked, told };
}

function writesOf({ client }: ReturnType<typeof clientWith>): readonly (() => Promise<unknown>)[] {
  return [
    () => client.create(key, "u", json, caller),
    () => client.update(key, "u", json, { revision: 1n }, caller),
    () => client.delete(key, { revision: 1n }, caller),
  ];
}

test("createResourceClient() lets reads be made again, and no write or action that the store may have received", async () => {
  const made = clientWith(false);
  const { client, asked } = made;
  assert.equal((await client.get(key, { at: "latest" }, caller))?.revision, 1n);
  await client.currentRevision(caller);
  const invoke = { key, subresource: "", httpMethod: "POST", query: new Map(), subpath: "", contentType: "" };
  const action = () => client.invoke({ ...invoke, body: json, dryRun: false, parent: undefined }, caller);
  for (const write of [...writesOf(made), action]) await write();
  const reads = ["get, again if need be", "currentRevision, again if need be"];
  assert.deepEqual(asked, [...reads, "create", "update", "delete", "invoke"]);
});

test("createResourceClient() lets writes be made again if the store says that they are idempotent", async () => {
  const made = clientWith(true);
  for (const write of writesOf(made)) await write();
  assert.deepEqual(
    made.asked,
    ["create", "update", "delete"].map((name) => `${name}, again if need be`),
  );
});

test("createResourceClient() tells each revision that clients may come to see", async () => {
  const transport = createRouterTransport(({ service }) => {
    service(StoreService, {
      get: () => ({ object: { key, revision: 4n } }),
      create: () => ({ object: { key, revision: 5n } }),
      async *list() {
        yield { items: [{ key, revision: 4n }], end: { mark: { revision: 6n } } };
      },
      async *watch() {
        yield { frame: { case: "events" as const, value: { events: [{ object: { key, revision: 7n } }] } } };
        yield { frame: { case: "progress" as const, value: { mark: { revision: 8n } } } };
      },
    });
  });
  const { client, told } = clientWith(false, createClient(StoreService, transport));
  await client.get(key, { at: "latest" }, caller);
  await client.create(key, "u", json, caller);
  await client.list({ namespace: "", read: { at: "latest" }, limit: 0, continueToken: json }, caller);
  await Array.fromAsync(client.watch({ after: 6n, epoch: "", caller: undefined, signal: caller.signal }));
  assert.deepEqual(told, [4n, 5n, 6n, 7n, 8n]);
});

test("createResourceClient() reads a page once more that broke off in its midst", async () => {
  let lists = 0;
  const router = createRouterTransport(({ rpc }) => {
    rpc(StoreService.method.list, async function* () {
      lists++;
      yield { items: [{ key, revision: 1n }] };
      if (lists === 1) throw new ConnectError("the endpoint died", Code.Unavailable);
      yield { end: { mark: { revision: 2n, epoch: "e" } } };
    });
  });
  const { client } = clientWith(false, createClient(StoreService, router));
  const read = { namespace: "", read: { at: "latest" }, limit: 0, continueToken: new Uint8Array() } as const;
  const page = await client.list(read, caller);
  assert.deepEqual([lists, page.items.length, page.revision], [2, 1, 2n]);
});
