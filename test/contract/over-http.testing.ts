/**
 * A gateway in the dress of a store: the contract's calls, answered by what a client of the gateway's HTTP
 * API is told. So the promises that a store is held to hold the gateway, its copy and its bookmarks too.
 *
 * Latest, NotOlderThan, Exact and any are resourceVersion and resourceVersionMatch; a get of an earlier
 * state is a list of one name, since a get has no Exact. A watch is what an informer's is: one request
 * after the other, each from where the last one had come, which is told by events and bookmarks. The
 * initial state is sendInitialEvents. Objects are compared by canonical JSON without resourceVersion.
 */
import { Code, ConnectError, type ConnectRouter, type Client as StoreClient } from "@connectrpc/connect";
import { CatalogService, RevisionScope } from "../../gen/annex/store/v1/catalog_pb.js";
import {
  Projection,
  type ReadConsistency,
  type Requirement,
  type ResourceRef,
  SelectorOperator,
  type StoredObject,
} from "../../gen/annex/store/v1/object_pb.js";
import { StoreService, WatchEventType } from "../../gen/annex/store/v1/store_pb.js";
import type { ResourceDescription } from "../../stores/sdk/sdk.ts";
import type { Client } from "../support/client.ts";

/** The gateway, and what it can't tell. */
export interface OverHttpOptions {
  readonly gateway: Client;
  readonly resources: readonly ResourceDescription[];
  /** The store behind the gateway. */
  readonly store: StoreClient<typeof StoreService>;
  /** Whether writes go by the gateway, or behind its back. */
  readonly writesBy: "gateway" | "store";
}

type Key = { readonly namespace: string; readonly name: string };
type Metadata = Readonly<Record<"name" | "uid" | "resourceVersion", string>> & {
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string>>;
};
type Item = { readonly metadata: Metadata };
type ListBody = {
  readonly items: readonly Item[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
};
type StatusBody = {
  readonly reason?: string;
  readonly message?: string;
  readonly code?: number;
  readonly details?: { readonly causes?: readonly { readonly reason?: string }[] };
};
type EventLine = { readonly type: string; readonly object: Item & StatusBody };

/** HTTP has no epochs: a new one is a 410. */
const epoch = "http";
/** A watch ends after so long, and the next goes on where it was: many of them in one run. */
const watchSeconds = 3;
/** Objects of one message. */
const chunkItems = 50;
const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const metadataList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/** Gives the oldest revision that a gateway's watch of a resource can begin after, as its 410 tells; 0: none is too old. */
export async function oldestResumableOf(gateway: Client, ref: ResourceId): Promise<bigint> {
  const path = `${collectionPath(ref, "")}?watch=1&resourceVersion=1&timeoutSeconds=1`;
  const { body } = await gateway.ask({ path });
  return BigInt(/too old resource version: 1 \((\d+)\)/.exec(body)?.[1] ?? 0);
}

/** Registers the services of a store that is a gateway. `oldest` by plural, as oldestResumableOf() gives it. */
export function overHttp(
  options: OverHttpOptions,
  oldest: ReadonlyMap<string, bigint>,
): (stopping: AbortSignal) => (router: ConnectRouter) => void {
  const { gateway, store, resources, writesBy } = options;
  const kindOf = (plural: string) => resources.find((one) => one.plural === plural)?.kind ?? "";

  async function asked<T>(asked: Parameters<Client["ask"]>[0]): Promise<T> {
    const { status, body } = await gateway.ask(asked);
    const said = JSON.parse(body) as T & StatusBody;
    if (status >= 300) throw errorFrom({ code: status, ...said });
    return said;
  }

  /** The object as the contract has it. What is shown of it alone in metadata's form gets its own type back. */
  function stored(item: Item, ref: ResourceId) {
    const { name, namespace = "", uid, resourceVersion } = item.metadata;
    const type = { apiVersion: `${ref.group}/${ref.version}`, kind: kindOf(ref.plural) };
    return { key: { namespace, name }, uid, revision: BigInt(resourceVersion), json: canonical({ ...item, ...type }) };
  }

  async function listed(ref: ResourceId, namespace: string, query: Query, accept?: string): Promise<ListBody> {
    const path = `${collectionPath(ref, namespace)}${queryText(query)}`;
    return await asked<ListBody>({ path, ...(accept === undefined ? {} : { headers: { accept } }) });
  }

  /** The head as a client is told it. */
  async function head(ref: ResourceId): Promise<bigint> {
    return BigInt((await listed(ref, "", { limit: "1" }, metadataList)).metadata.resourceVersion);
  }

  async function* watched(ref: ResourceId, namespace: string, given: Query, signal: AbortSignal) {
    let query: Query = given;
    let reached = given["resourceVersion"];
    while (!signal.aborted) {
      const { status, body, cancel } = await gateway.open({
        path: `${collectionPath(ref, namespace)}${queryText({ watch: "1", timeoutSeconds: `${watchSeconds}`, allowWatchBookmarks: "true", ...query })}`,
      });
      signal.addEventListener("abort", cancel, { once: true });
      if (signal.aborted) cancel();
      try {
        if (status !== 200) throw errorFrom({ code: status, ...JSON.parse(await textOf(body)) });
        yield undefined;
        for await (const line of linesOf(body)) {
          const event = JSON.parse(line) as EventLine;
          if (event.type === "ERROR") throw errorFrom(event.object);
          reached = event.object.metadata.resourceVersion;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) return;
        // A client that was cut off goes on where it was.
        if (error instanceof ConnectError || reached === undefined) throw error;
      } finally {
        signal.removeEventListener("abort", cancel);
        cancel();
      }
      query = { resourceVersion: reached };
    }
  }

  return (stopping) => (router) => {
    const deletions = createDeletions(store, stopping);
    router.service(CatalogService, {
      describe: () => ({
        digest: "00",
        implementation: "annex-gateway",
        implementationVersion: writesBy,
        epoch,
        revisionScope: RevisionScope.RESOURCE,
        resources: [...resources],
      }),
    });
    router.service(StoreService, {
      async get({ resource, key, read, projection }) {
        const [ref, { namespace, name }] = [given(resource), given(key)];
        if (read?.at.case === "exact") {
          const query = { ...queryOfRead(read), fieldSelector: `metadata.name=${name}` };
          const { items, metadata } = await listed(ref, namespace, query);
          const [item] = items;
          if (item === undefined) throw new ConnectError("not in the list", Code.NotFound);
          return { object: stored(item, ref), mark: markOf(metadata.resourceVersion) };
        }
        const { resourceVersion } = queryOfRead(read);
        const item = await asked<Item>({
          path: `${objectPath(ref, { namespace, name })}${queryText({ resourceVersion })}`,
          ...(projection === Projection.METADATA ? { headers: { accept: metadataOnly } } : {}),
        });
        return { object: stored(item, ref), mark: markOf(item.metadata.resourceVersion) };
      },
      async *list({ resource, namespace, limit, continueToken, read, selector, projection }) {
        const ref = given(resource);
        const isFirst = continueToken.length === 0;
        const labels = selector?.labels ?? [];
        const query = {
          ...(limit === 0 ? {} : { limit: `${limit}` }),
          ...(isFirst ? queryOfRead(read) : { continue: Buffer.from(continueToken).toString() }),
          ...(labels.length === 0 ? {} : { labelSelector: labels.map(labelText).join(",") }),
        };
        const accept = projection === Projection.METADATA ? metadataList : undefined;
        const { items, metadata } = await listed(ref, namespace, query, accept);
        for (let at = 0; at < items.length; at += chunkItems)
          yield { items: items.slice(at, at + chunkItems).map((item) => stored(item, ref)) };
        const { resourceVersion, continue: token = "", remainingItemCount } = metadata;
        yield {
          end: {
            mark: markOf(resourceVersion),
            continueToken: Buffer.from(token),
            applied: { labels: true, fields: true },
            ...(remainingItemCount === undefined ? {} : { remaining: BigInt(remainingItemCount) }),
          },
        };
      },
      async *watch({ resource, namespace, start }, { signal }) {
        const ref = given(resource);
        const from = start.case === "after" ? start.value : await head(ref);
        const query =
          start.case === "initialState"
            ? { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" }
            : { resourceVersion: `${from}` };
        let isFirst = true;
        for await (const event of watched(ref, namespace, query, signal)) {
          if (event === undefined) {
            const mark = { revision: from, epoch };
            // The head of the answer is all that says that a watch stands.
            if (isFirst) {
              yield {
                frame: { case: "started" as const, value: { mark, oldestResumable: oldest.get(ref.plural) ?? 0n } },
              };
            }
            isFirst = false;
            continue;
          }
          const { type, object } = event;
          const { resourceVersion, annotations = {} } = object.metadata;
          if (type !== "BOOKMARK") {
            const is = type === "DELETED" ? WatchEventType.DELETE : WatchEventType.PUT;
            yield {
              frame: { case: "events" as const, value: { events: [{ type: is, object: stored(object, ref) }] } },
            };
          } else {
            const isEnd = annotations["k8s.io/initial-events-end"] === "true";
            const value = { mark: markOf(resourceVersion) };
            yield { frame: isEnd ? { case: "initialEnd" as const, value } : { case: "progress" as const, value } };
          }
        }
      },
      async create(request) {
        const [ref, object] = [given(request.resource), given(request.object)];
        const { key = { namespace: "", name: "" }, json } = object;
        if (writesBy === "store") return { object: inOrder((await store.create(request)).object, json) };
        const body = Buffer.from(json);
        const made = await asked<Item>({
          ...{ method: "POST", path: collectionPath(ref, key.namespace), headers: jsonBody, body },
        });
        return { object: stored(made, ref) };
      },
      async update(request) {
        const [ref, object] = [given(request.resource), given(request.object)];
        const { key = { namespace: "", name: "" }, json } = object;
        if (writesBy === "store") {
          const { object: written, unchanged } = await store.update(request);
          return { object: inOrder(written, json), unchanged };
        }
        const value = JSON.parse(Buffer.from(json).toString()) as Item;
        const resourceVersion = String(request.preconditions?.revision ?? "");
        const body = JSON.stringify({ ...value, metadata: { ...value.metadata, resourceVersion } });
        const made = await asked<Item>({ method: "PUT", path: objectPath(ref, key), headers: jsonBody, body });
        return { object: stored(made, ref), unchanged: made.metadata.resourceVersion === resourceVersion };
      },
      async delete(request) {
        const [ref, key] = [given(request.resource), given(request.key)];
        if (writesBy === "store") {
          const { object } = await store.delete(request);
          return { object: inOrder(object) };
        }
        const after = request.preconditions?.revision ?? (await head(ref));
        const preconditions = { resourceVersion: String(after) };
        const body = JSON.stringify({ apiVersion: "v1", kind: "DeleteOptions", preconditions });
        await deletions.follow(ref);
        await asked({ method: "DELETE", path: objectPath(ref, key), headers: jsonBody, body });
        return { object: await deletions.of(ref, key, after) };
      },
      currentRevision: async ({ resource }) => ({ mark: { revision: await head(given(resource)), epoch } }),
    });
  };
}

type ResourceId = Pick<ResourceRef, "group" | "version" | "plural">;
type Query = Readonly<Record<string, string | undefined>>;

const jsonBody = { "content-type": "application/json" };
const markOf = (resourceVersion: string) => ({ revision: BigInt(resourceVersion), epoch });

function given<T>(part: T | undefined): T {
  if (part === undefined) throw new ConnectError("a part of the request is missing", Code.InvalidArgument);
  return part;
}

function collectionPath({ group, version, plural }: ResourceId, namespace: string): string {
  const scope = namespace === "" ? "" : `namespaces/${encodeURIComponent(namespace)}/`;
  return `/apis/${group}/${version}/${scope}${plural}`;
}

function objectPath(ref: ResourceId, { namespace, name }: Key): string {
  return `${collectionPath(ref, namespace)}/${encodeURIComponent(name)}`;
}

function queryText(query: Query): string {
  const parts = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return parts.length === 0 ? "" : `?${new URLSearchParams(parts)}`;
}

function queryOfRead(read: ReadConsistency | undefined): Query {
  const at = read?.at;
  switch (at?.case) {
    case "exact":
      return { resourceVersion: String(at.value), resourceVersionMatch: "Exact" };
    case "notOlderThan":
      return { resourceVersion: String(at.value), resourceVersionMatch: "NotOlderThan" };
    case "any":
      return { resourceVersion: "0" };
    default:
      return {};
  }
}

function labelText({ key, operator, values }: Requirement): string {
  if (operator === SelectorOperator.IN) return `${key} in (${values.join(",")})`;
  throw new ConnectError("no promise selects so", Code.Unimplemented);
}

/** What an HTTP delete doesn't tell: the last state under its own revision, as the store's own watch has it. */
function createDeletions(store: OverHttpOptions["store"], signal: AbortSignal) {
  const followed = new Map<string, Promise<void>>();
  const found = new Map<string, StoredObject>();
  let wake: PromiseWithResolvers<void> = Promise.withResolvers();

  async function read(resource: ResourceId, stands: () => void): Promise<void> {
    const start = { case: "now" as const, value: {} };
    for await (const { frame } of store.watch({ resource, start }, { signal, timeoutMs: 0 })) {
      if (frame.case === "started") stands();
      if (frame.case !== "events") continue;
      for (const { type, object } of frame.value.events) {
        if (type === WatchEventType.DELETE && object !== undefined)
          found.set(idOf(resource, given(object.key)), object);
      }
      wake.resolve();
      wake = Promise.withResolvers();
    }
  }

  return {
    /** Resolves when no later delete of the resource can be missed. */
    follow(ref: ResourceId): Promise<void> {
      const stands =
        followed.get(ref.plural) ?? new Promise<void>((resolve) => void read(ref, resolve).catch(() => {}));
      followed.set(ref.plural, stands);
      return stands;
    },
    /** Waits for a delete that was made after a revision. */
    async of(ref: ResourceId, key: Key, after: bigint): Promise<StoredObject> {
      for (;;) {
        const object = found.get(idOf(ref, key));
        if (object !== undefined && object.revision > after) return inOrder(object);
        await wake.promise;
      }
    },
  };
}

const idOf = ({ plural }: ResourceId, { namespace, name }: Key) => `${plural} ${namespace}/${name}`;

/** @returns the code that the contract has for an answer of kube-apiserver's kind. */
function errorFrom({ code = 0, reason = "", message = "", details }: StatusBody): ConnectError {
  const isAhead = details?.causes?.some((cause) => cause.reason === "ResourceVersionTooLarge") === true;
  const found = reason === "AlreadyExists" ? Code.AlreadyExists : isAhead ? Code.Unavailable : codes[code];
  return new ConnectError(`${code} ${reason}: ${message}`, found ?? Code.Internal);
}

const codes: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  405: Code.Unimplemented,
  409: Code.Aborted,
  410: Code.OutOfRange,
  422: Code.InvalidArgument,
  429: Code.ResourceExhausted,
  503: Code.Unavailable,
  504: Code.DeadlineExceeded,
};

/** What the store answers; it may leave out the JSON that was `sent`. */
function inOrder(object: StoredObject | undefined, sent?: Uint8Array): StoredObject {
  const { json, ...rest } = given(object);
  return {
    ...rest,
    json: canonical(JSON.parse(Buffer.from(json.length > 0 ? json : (sent ?? json)).toString()) as Item),
  };
}

/** JSON without resourceVersion, keys in the order of their letters: the gateway may write them in another than the store. */
function canonical({ metadata, ...rest }: Item & Readonly<Record<string, unknown>>): Uint8Array {
  const { resourceVersion: _, ...own } = metadata;
  return Buffer.from(JSON.stringify(sorted({ ...rest, metadata: own })));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

async function* linesOf(body: NodeJS.ReadableStream): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, end)]).toString();
      pieces = [];
      from = end + 1;
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
  }
}

async function textOf(body: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
