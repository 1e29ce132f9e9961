/** What the checks of the contract are made with: a served store, clients over its real socket. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { type Client, type Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  type Capability,
  CatalogService,
  type DescribeResponse,
  type Scope,
} from "../gen/annex/store/v1/catalog_pb.js";
import { StoreService, type WatchEvent } from "../gen/annex/store/v1/store_pb.js";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import { type ResourceDescription, type ServedStore, type Store, serveStore } from "./sdk/sdk.ts";

/** The resource that most promises are checked with, and one beside it. */
export const resource = { group: "contract.annex.dev", version: "v1", plural: "things", subresource: "" };
/** Shares the revisions of `resource` and nothing else. */
export const other = { ...resource, plural: "others" };

/** Gives the two resources that the promises are checked with. */
export function contractResources(base: { scope: Scope; capabilities: Capability[] }): ResourceDescription[] {
  const versions = [{ name: "v1", served: true }];
  const common = { ...base, group: resource.group, storageVersion: "v1", versions };
  return [
    { ...common, plural: "things", kind: "Thing" },
    { ...common, plural: "others", kind: "Other" },
  ];
}

/** An object that was made. */
export interface Made {
  readonly key: { readonly namespace: string; readonly name: string };
  readonly revision: bigint;
  readonly uid: string;
}

/** What a check works with; there once its suite has begun. */
export interface ContractKit {
  readonly served: ServedStore;
  readonly catalog: Client<typeof CatalogService>;
  readonly store: Client<typeof StoreService>;
  readonly health: Client<typeof Health>;
  readonly description: DescribeResponse;
  has(capability: Capability): boolean;
  /** A key that nobody has used. */
  fresh(): { namespace: string; name: string };
  create(key?: Made["key"], value?: unknown, about?: typeof resource): Promise<Made>;
  update(made: Made, value: unknown): Promise<Made>;
  remove(made: Made): ReturnType<Client<typeof StoreService>["delete"]>;
  head(): Promise<{ revision: bigint; epoch: string }>;
  /** Reads events after a revision until `count` of them came. */
  events(after: bigint, count: number): Promise<WatchEvent[]>;
}

/** A value as the bytes of an object. */
export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Gives the code with which a call fails, undefined if it doesn't. */
export async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return await call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );
}

/** Gives the error with which a call fails. */
export async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  return await call.then(
    () => assert.fail("the call was taken"),
    (error: unknown) => ConnectError.from(error),
  );
}

/** Serves a store for the tests of the suite around it. `open` gives it on an empty folder. */
export function createKit(open: (folder: string) => Promise<Store>): ContractKit {
  const folder = mkdtempSync(join(tmpdir(), "annex-contract-"));
  let counter = 0;
  let made: Pick<ContractKit, "served" | "catalog" | "store" | "health" | "description">;

  before(async () => {
    const served = await serveStore(await open(folder), { listen: `unix:${join(folder, "s.sock")}`, log: () => {} });
    const path = served.address.slice("unix:".length);
    const transport = createGrpcTransport({
      baseUrl: "http://localhost",
      nodeOptions: { createConnection: () => connectSocket(path) },
    });
    const catalog = createClient(CatalogService, transport);
    made = {
      served,
      catalog,
      store: createClient(StoreService, transport),
      health: createClient(Health, transport),
      description: await catalog.describe({}),
    };
  });
  after(async () => {
    await made.served.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const kit: ContractKit = {
    get served() {
      return made.served;
    },
    get catalog() {
      return made.catalog;
    },
    get store() {
      return made.store;
    },
    get health() {
      return made.health;
    },
    get description() {
      return made.description;
    },
    has: (capability) => made.description.resources[0]?.capabilities.includes(capability) === true,
    fresh: () => ({ namespace: "ns", name: `thing-${++counter}` }),
    async create(key = kit.fresh(), value = { a: 1 }, about = resource) {
      const uid = `uid-${key.name}`;
      const { object } = await made.store.create({ resource: about, object: { key, uid, json: json(value) } });
      assert.ok(object);
      return { key, revision: object.revision, uid };
    },
    async update({ key, uid, revision }, value) {
      const object = { key, uid, json: json(value) };
      const written = await made.store.update({ resource, object, preconditions: { revision } });
      assert.ok(written.object);
      return { key, uid, revision: written.object.revision };
    },
    remove: ({ key, revision }) => made.store.delete({ resource, key, preconditions: { revision } }),
    async head() {
      const { mark } = await made.store.currentRevision({ resource });
      assert.ok(mark);
      return mark;
    },
    async events(after, count) {
      const stop = new AbortController();
      const { epoch } = await kit.head();
      const found: WatchEvent[] = [];
      const request = { resource, start: { case: "after" as const, value: after }, epoch, previous: true };
      let isFirst = true;
      for await (const { frame } of made.store.watch(request, { signal: stop.signal })) {
        if (isFirst) assert.equal(frame.case, "started");
        isFirst = false;
        if (frame.case === "events") found.push(...frame.value.events);
        if (found.length >= count) break;
      }
      stop.abort();
      return found;
    },
  };
  return kit;
}
