import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import type { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import {
  CreateResponseSchema,
  CurrentRevisionResponseSchema,
  DeleteResponseSchema,
  GetResponseSchema,
  type StoreService,
  UpdateResponseSchema,
} from "../../gen/annex/store/v1/store_pb.js";
import { definitionWith } from "../apimachinery/resource.fixture.ts";
import { StatusError } from "../apimachinery/status.ts";
import { contextOpener } from "./context.ts";
import { createResourceClient } from "./resource-client.ts";
import { SessionBroken } from "./session.ts";
import type { CallContext } from "./store-call.ts";

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

/** A client of a store whose session breaks under the first call of each method. */
function clientWith(idempotentWrites: boolean) {
  const asked: string[] = [];
  const object = { key, revision: 1n };
  const breaking =
    <T>(name: string, answer: T) =>
    async () => {
      const isFirst = !asked.includes(name);
      asked.push(name);
      if (isFirst) throw new SessionBroken(undefined);
      return answer;
    };
  const store = {
    get: breaking("get", create(GetResponseSchema, { object })),
    currentRevision: breaking("currentRevision", create(CurrentRevisionResponseSchema)),
    create: breaking("create", create(CreateResponseSchema, { object })),
    update: breaking("update", create(UpdateResponseSchema, { object })),
    delete: breaking("delete", create(DeleteResponseSchema, { object })),
  } as unknown as Client<typeof StoreService>;
  const actions = { invoke: breaking("invoke", undefined) } as unknown as Client<typeof ActionService>;
  const { capabilities } = definitionWith();
  const client = createResourceClient({
    definition: definitionWith({ capabilities: { ...capabilities, idempotentWrites } }),
    storeName: "store",
    store,
    actions,
    hooks: {} as Client<typeof HookService>,
    opener: contextOpener("store", undefined),
    log: { error: () => {} },
  });
  return { client, asked };
}

function writesOf({ client }: ReturnType<typeof clientWith>): readonly (() => Promise<unknown>)[] {
  return [
    () => client.create(key, "u", json, caller),
    () => client.update(key, "u", json, { revision: 1n }, caller),
    () => client.delete(key, { revision: 1n }, caller),
  ];
}

test("createResourceClient() reads once more when the session broke under it", async () => {
  const { client, asked } = clientWith(false);
  assert.equal((await client.get(key, { at: "latest" }, caller))?.revision, 1n);
  await client.currentRevision(caller);
  assert.deepEqual(asked, ["get", "get", "currentRevision", "currentRevision"]);
});

test("createResourceClient() never repeats a write or an action that the store may have received", async () => {
  const made = clientWith(false);
  const { client, asked } = made;
  const invoke = { key, subresource: "", httpMethod: "POST", query: new Map(), subpath: "", contentType: "" };
  const action = () => client.invoke({ ...invoke, body: json, dryRun: false, parent: undefined }, caller);
  for (const write of [...writesOf(made), action]) {
    await assert.rejects(write, (error) => error instanceof StatusError && error.status.code === 503);
  }
  assert.deepEqual(asked, ["create", "update", "delete", "invoke"]);
});

test("createResourceClient() repeats a write once if the store says that its writes are idempotent", async () => {
  const made = clientWith(true);
  for (const write of writesOf(made)) await write();
  assert.deepEqual(made.asked, ["create", "create", "update", "update", "delete", "delete"]);
});
