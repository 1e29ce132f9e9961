/**
 * What the seed's tests are told again with: its TestType in a store over a real socket, and a gateway
 * made by `createGateway`, mounted in a plain server of the test's own.
 */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, request as requestHttp } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createGateway, type GatewayOptions, type RunningGateway, type User } from "../../gateway/main.ts";
import { Scope, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { type ResourceDescription, type Store, serveStore } from "../../stores/sdk/sdk.ts";

/** The seven verbs of the seed's store. */
export const sevenVerbs: readonly Verb[] = [
  Verb.CREATE,
  Verb.DELETE,
  Verb.GET,
  Verb.LIST,
  Verb.PATCH,
  Verb.UPDATE,
  Verb.WATCH,
];

type Fields = Exclude<ResourceDescription, { $typeName: string }>;

/** Describes the seed's resource. `in`: its versions, the first of which is stored. */
export function testTypes(changes: Partial<Fields> & { readonly in?: readonly string[] } = {}): ResourceDescription {
  const { in: versions = ["v1"], ...more } = changes;
  return {
    group: "ext.cattle.io",
    plural: "testtypes",
    kind: "TestType",
    scope: Scope.CLUSTER,
    versions: versions.map((name) => ({ name, served: true })),
    storageVersion: versions[0] ?? "",
    verbs: [...sevenVerbs],
    capabilities: [...memoryCapabilities],
    createOnUpdate: true,
    ...more,
  };
}

/** What a test is started with. */
export interface SeedOptions extends Partial<Omit<GatewayOptions, "stores">> {
  /** Stores, or what stores in memory serve. Default: one of `testtypes`. */
  readonly stores?: readonly (Store | readonly ResourceDescription[])[];
}

/** An answer. */
export interface SeedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they know to be there.
  readonly body: any;
}

/** What a request is made of besides its path. */
export interface SeedRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: unknown;
}

/** A gateway that answers. */
export interface Seed {
  readonly gateway: RunningGateway;
  readonly port: number;
  /** What was logged, newest last. */
  readonly logged: readonly {
    readonly level: string;
    readonly fields: Record<string, unknown>;
    readonly text: string;
  }[];
  ask(path: string, asked?: SeedRequest): Promise<SeedAnswer>;
}

/** A user whom everything is allowed to. */
export const admin: User = { name: "my-user", uid: "", groups: ["my-group"], extra: {} };

/** Starts it all, and ends it with the test. */
export async function startSeed(t: Pick<TestContext, "after">, options: SeedOptions = {}): Promise<Seed> {
  const { stores: given = [[testTypes()]], ...more } = options;
  const logged: { level: string; fields: Record<string, unknown>; text: string }[] = [];
  const at = (level: string) => (fields: object, text: string) =>
    void logged.push({ level, fields: { ...fields }, text });
  const served = await Promise.all(
    given.map((one) => serveStore("epoch" in one ? one : createMemoryStore(one), { log: () => {} })),
  );
  const gateway = await createGateway({
    stores: served.map(({ address }, index) => ({ name: `store-${index}`, address })),
    authenticator: () => admin,
    authorizer: () => ({ outcome: "allow", reason: "" }),
    listener: "none",
    log: { info: at("info"), warn: at("warn"), error: at("error") },
    ...more,
  });
  const server = createServer(gateway.handler()).listen(0, "127.0.0.1");
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await gateway.drain();
    for (const store of served) await store.stop();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await gateway.ready;
  return { gateway, port, logged, ask: (path, asked) => ask(port, path, asked) };
}

/** Asks a plain server. */
export async function ask(port: number, path: string, asked: SeedRequest = {}): Promise<SeedAnswer> {
  const { method = "GET", headers = {}, body } = asked;
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  const all = { ...(bytes === undefined ? {} : { "content-type": "application/json" }), ...headers };
  const request = requestHttp({
    host: "127.0.0.1",
    port,
    path,
    method,
    headers: all as Record<string, string>,
    agent: false,
  });
  request.end(bytes);
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return {
    status: response.statusCode,
    headers: response.headers,
    text,
    get body() {
      return JSON.parse(text);
    },
  };
}

/** The paths that the seed's authentication tests go through. */
export const allPaths: readonly string[] = [
  "/",
  "/apis",
  "/apis/ext.cattle.io",
  "/apis/ext.cattle.io/v1",
  "/apis/ext.cattle.io/v1/testtypes",
  "/apis/ext.cattle.io/v1/testtypes/foo",
  "/openapi/v2",
  "/openapi/v3",
  "/openapi/v3/apis/ext.cattle.io/v1",
];

/** A TestType. */
export function testType(name: string, more: object = {}) {
  return { apiVersion: "ext.cattle.io/v1", kind: "TestType", metadata: { name }, ...more };
}
