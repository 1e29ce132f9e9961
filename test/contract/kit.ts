/**
 * What a promise is checked with: clients, a resource to write to, and the calls that most promises
 * make.
 *
 * Every kit has a space of its own for keys, so that promises don't see each other's objects.
 */
import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { jsonEqual, parseJson } from "../../gateway/apimachinery/json.ts";
import { ActionService } from "../../gen/annex/store/v1/action_pb.js";
import { CatalogService, type DescribeResponse, Lifecycle } from "../../gen/annex/store/v1/catalog_pb.js";
import { type ErrorDetail, ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import { HookService } from "../../gen/annex/store/v1/hook_pb.js";
import {
  Projection,
  type ReadConsistency,
  ReadConsistencySchema,
  type Selector,
  type StoredObject,
} from "../../gen/annex/store/v1/object_pb.js";
import { SessionService } from "../../gen/annex/store/v1/session_pb.js";
import { type SelectorCoverage, StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { type Connection, dial, type Protocol, type TlsFiles } from "./connection.ts";
import type { StoreProcess } from "./process.ts";
import { Broken, hold } from "./promise.ts";
import { keyText, type Recorder } from "./recorder.ts";
import { FrameSession, type SessionOptions, sessionTransport } from "./session.ts";
import { certifyUser, type Subject } from "./subject.ts";
import { type Change, Watcher } from "./watcher.ts";

/** The clients of one endpoint. */
export interface Endpoint {
  readonly address: string;
  readonly catalog: Client<typeof CatalogService>;
  readonly store: Client<typeof StoreService>;
  readonly health: Client<typeof Health>;
  readonly action: Client<typeof ActionService>;
  readonly hook: Client<typeof HookService>;
  readonly session: Client<typeof SessionService>;
}

/** Makes the clients of an endpoint. */
export function createEndpoint(transport: Transport, address: string): Endpoint {
  return {
    address,
    catalog: createClient(CatalogService, transport),
    store: createClient(StoreService, transport),
    health: createClient(Health, transport),
    action: createClient(ActionService, transport),
    hook: createClient(HookService, transport),
    session: createClient(SessionService, transport),
  };
}

/** Names an object. */
export interface Key {
  readonly namespace: string;
  readonly name: string;
}

/** An object as it was written. */
export interface Made {
  readonly about: Subject;
  readonly key: Key;
  readonly uid: string;
  readonly revision: bigint;
  readonly json: Uint8Array;
}

/** A list that was read to its end. */
export interface Listed {
  readonly items: readonly StoredObject[];
  readonly mark: bigint;
  readonly epoch: string;
  readonly token: Uint8Array;
  readonly remaining: bigint | undefined;
  readonly applied: SelectorCoverage | undefined;
  /** Items of each chunk. */
  readonly chunks: readonly number[];
}

/** What to list. */
export interface ListOptions {
  readonly about?: Subject;
  readonly namespace?: string;
  readonly read?: ReadConsistency;
  readonly limit?: number;
  readonly token?: Uint8Array;
  readonly maxChunkBytes?: number;
  readonly projection?: Projection;
  readonly selector?: Selector;
  readonly endpoint?: Endpoint;
  /** Called after each chunk. */
  readonly between?: () => Promise<void>;
}

/** From where to watch. */
export interface WatchOptions {
  readonly about?: Subject;
  readonly after?: bigint;
  readonly isInitial?: boolean;
  readonly epoch?: string;
  readonly namespace?: string;
  readonly previous?: boolean;
  readonly maxBatch?: number;
  readonly progressEveryMs?: number;
  readonly selector?: Selector;
  readonly endpoint?: Endpoint;
}

/** What a kit is made of. */
export interface KitParts {
  readonly run: string;
  readonly space: string;
  readonly endpoints: readonly [Endpoint, ...Endpoint[]];
  readonly description: DescribeResponse;
  readonly subject: Subject;
  readonly other: Subject | undefined;
  readonly subjects: readonly Subject[];
  readonly recorder: Recorder;
  readonly process: StoreProcess | undefined;
  readonly tls: TlsFiles | undefined;
  /** Opens a connection of its own, over any protocol. */
  readonly dial: (protocol: Protocol, address?: string) => Connection;
}

/** A check's tools; close() ends what it left open. */
export class Kit {
  readonly parts: KitParts;
  readonly endpoint: Endpoint;
  readonly store: Endpoint["store"];
  readonly catalog: Endpoint["catalog"];
  readonly subject: Subject;
  readonly #watchers: Watcher[] = [];
  readonly #connections: { close(): void }[] = [];
  #counter = 0;

  constructor(parts: KitParts) {
    this.parts = parts;
    [this.endpoint] = parts.endpoints;
    ({ store: this.store, catalog: this.catalog } = this.endpoint);
    this.subject = parts.subject;
  }

  /** The other resource that the promise asked for. */
  get other(): Subject {
    if (this.parts.other === undefined) throw new TypeError("the promise didn't ask for another resource");
    return this.parts.other;
  }

  /** The message's part that every call has. */
  context(requestId = `${this.parts.space}-${++this.#counter}`) {
    const { name, uid, groups } = certifyUser;
    return { requestId, user: { name, uid, groups: [...groups], extra: {} } };
  }

  /** A namespace of this promise's own; `""` for a resource that has none. */
  namespace(suffix = "", about = this.subject): string {
    return about.isNamespaced ? `${this.parts.space}${suffix}` : "";
  }

  /** A key that nobody has used, or that of a name in the promise's own space. */
  key(name = `t-${++this.#counter}`, about = this.subject): Key {
    const namespace = this.namespace("", about);
    return { namespace, name: about.isNamespaced ? name : `${this.parts.space}-${name}` };
  }

  /** Whether a key is of this promise's space. */
  isMine = (key: string): boolean => key.includes(this.parts.space);

  /** An object's JSON for a payload. */
  json(key: Key, payload: unknown, about = this.subject, uid = `uid-${key.name}`): Uint8Array {
    return Buffer.from(JSON.stringify(about.value(key, uid, payload)));
  }

  /** Creates an object. */
  async make(
    payload: unknown = 1,
    options: { key?: Key; about?: Subject; json?: Uint8Array; endpoint?: Endpoint } = {},
  ): Promise<Made> {
    const { about = this.subject, endpoint = this.endpoint } = options;
    const key = options.key ?? this.key(undefined, about);
    const uid = `uid-${key.name}-${++this.#counter}`;
    const json = options.json ?? this.json(key, payload, about, uid);
    const { object } = await endpoint.store.create({
      context: this.context(),
      resource: about.ref,
      object: { key, uid, json },
    });
    hold(object !== undefined && object.revision > 0n, "the answer to a create has no object with a revision");
    const kept = this.#kept(object, json, about);
    return { about, key: object.key ?? key, uid: object.uid || uid, revision: object.revision, json: kept };
  }

  /** Updates an object at the revision that it was made with. */
  async put(made: Made, payload: unknown, options: { endpoint?: Endpoint; json?: Uint8Array } = {}): Promise<Made> {
    const json = options.json ?? this.json(made.key, payload, made.about, made.uid);
    const { object } = await (options.endpoint ?? this.endpoint).store.update({
      context: this.context(),
      resource: made.about.ref,
      object: { key: made.key, uid: made.uid, json },
      preconditions: { revision: made.revision },
      returnCurrentOnConflict: false,
    });
    hold(object !== undefined, "the answer to an update has no object");
    return { ...made, revision: object.revision, json: this.#kept(object, json, made.about) };
  }

  /** The JSON that an answer says is kept: what was sent, unless the store owns the object's life. */
  #kept(object: StoredObject, sent: Uint8Array, about: Subject): Uint8Array {
    if (object.json.length === 0) return sent;
    const isOwn = about.resource.lifecycle === Lifecycle.STORE || Buffer.compare(object.json, sent) === 0;
    hold(isOwn || jsonEqual(parseJson(object.json), parseJson(sent)), "the answer's JSON is not what was sent");
    return object.json;
  }

  /** Opens a connection over the store's own socket, closed with the kit. */
  socket(): Endpoint {
    return createEndpoint(this.#socket(), this.endpoint.address);
  }

  /** Opens a session over a connection of its own, closed with the kit. */
  session(options: SessionOptions = {}): FrameSession {
    const session = new FrameSession(this.socket().session, options);
    this.#connections.push(session);
    return session;
  }

  /** An endpoint whose unary calls go by a session. */
  bySession(): { readonly endpoint: Endpoint; readonly session: FrameSession } {
    const session = this.session();
    const transport = sessionTransport(session, this.#socket(), [this.parts.recorder.of(0)]);
    return { endpoint: createEndpoint(transport, this.endpoint.address), session };
  }

  #socket(): Transport {
    const { address } = this.endpoint;
    const connection = dial(address, { tls: this.parts.tls, interceptors: [this.parts.recorder.of(0)] });
    this.#connections.push(connection);
    return connection.transport;
  }

  /** Deletes an object at the revision that it was made with. */
  async drop(made: Made, options: { endpoint?: Endpoint } = {}): Promise<StoredObject> {
    const { object } = await (options.endpoint ?? this.endpoint).store.delete({
      context: this.context(),
      resource: made.about.ref,
      key: made.key,
      preconditions: { revision: made.revision },
    });
    hold(object !== undefined, "the answer to a delete has no object");
    return object;
  }

  /** Reads an object. */
  async get(
    key: Key,
    options: { about?: Subject; read?: ReadConsistency; endpoint?: Endpoint; projection?: Projection } = {},
  ) {
    const { about = this.subject, endpoint = this.endpoint, read, projection } = options;
    const { object, mark } = await endpoint.store.get({
      context: this.context(),
      resource: about.ref,
      key,
      ...(read === undefined ? {} : { read }),
      ...(projection === undefined ? {} : { projection }),
    });
    hold(object !== undefined, "the answer to a get has no object");
    return { object, mark: mark?.revision ?? 0n, epoch: mark?.epoch ?? "" };
  }

  /** Whether an object is there. */
  async isThere(key: Key, about = this.subject): Promise<boolean> {
    const code = await codeOf(this.get(key, { about }));
    hold(code === undefined || code === Code.NotFound, `get failed with ${nameOf(code)}`);
    return code === undefined;
  }

  /** Reads one list call to its end. @throws Broken if it has no end. */
  async list(options: ListOptions = {}): Promise<Listed> {
    const { about = this.subject, endpoint = this.endpoint, between } = options;
    const items: StoredObject[] = [];
    const chunks: number[] = [];
    let end: Omit<Listed, "items" | "chunks"> | undefined;
    const stream = endpoint.store.list({
      context: this.context(),
      resource: about.ref,
      namespace: options.namespace ?? this.namespace("", about),
      limit: options.limit ?? 0,
      continueToken: options.token ?? new Uint8Array(),
      maxChunkBytes: options.maxChunkBytes ?? 0,
      projection: options.projection ?? Projection.UNSPECIFIED,
      ...(options.read === undefined ? {} : { read: options.read }),
      ...(options.selector === undefined ? {} : { selector: options.selector }),
    });
    for await (const chunk of stream) {
      hold(end === undefined, "a chunk came after the list's end");
      items.push(...chunk.items);
      chunks.push(chunk.items.length);
      if (chunk.end !== undefined) {
        const { mark, continueToken: token, remaining, applied } = chunk.end;
        end = { mark: mark?.revision ?? 0n, epoch: mark?.epoch ?? "", token, remaining, applied };
      }
      await between?.();
    }
    hold(end !== undefined, "the list has no end");
    return { ...end, items, chunks };
  }

  /** Reads a collection page by page. `between` is called after each page. */
  async pages(
    options: ListOptions,
    between: (page: Listed) => Promise<void> = async () => {},
  ): Promise<readonly Listed[]> {
    const pages: Listed[] = [];
    let token = new Uint8Array();
    do {
      const page = await this.list({ ...options, token });
      pages.push(page);
      hold(page.items.length > 0 || page.token.length === 0, "a page is empty and says that there is more");
      token = new Uint8Array(page.token);
      await between(page);
    } while (token.length > 0);
    return pages;
  }

  /** This promise's items of a list that may hold others'. */
  mine(listed: Listed): readonly StoredObject[] {
    return listed.items.filter((item) => this.isMine(keyText(item.key)));
  }

  /** The head of the scope. */
  async head(about = this.subject, endpoint = this.endpoint) {
    const { mark, lastChange } = await endpoint.store.currentRevision({ context: this.context(), resource: about.ref });
    hold(mark !== undefined, "CurrentRevision gives no mark");
    return { revision: mark.revision, epoch: mark.epoch, lastChange };
  }

  /** Opens a watch; without `after` it begins now. */
  watch(options: WatchOptions = {}): Watcher {
    const { about = this.subject, endpoint = this.endpoint, after, isInitial } = options;
    const start = isInitial
      ? { case: "initialState" as const, value: {} }
      : after === undefined
        ? { case: "now" as const, value: {} }
        : { case: "after" as const, value: after };
    const watcher = new Watcher(
      endpoint.store,
      {
        context: this.context(),
        resource: about.ref,
        namespace: options.namespace ?? "",
        start,
        epoch: options.epoch ?? "",
        previous: options.previous ?? false,
        maxBatch: options.maxBatch ?? 0,
        progressEveryMs: options.progressEveryMs ?? 0,
        ...(options.selector === undefined ? {} : { selector: options.selector }),
      },
      this.isMine,
    );
    this.#watchers.push(watcher);
    return watcher;
  }

  /** Reads everything that changed after a revision, up to a write made now. */
  async changesAfter(after: bigint, options: WatchOptions = {}): Promise<readonly Change[]> {
    const { epoch } = await this.head(options.about);
    const sentinel = await this.make("sentinel", options.about === undefined ? {} : { about: options.about });
    const watcher = this.watch({ after, epoch, ...options });
    await watcher.started();
    const changes = await watcher.reaches(sentinel.revision);
    watcher.close();
    return changes.filter((change) => change.revision < sentinel.revision);
  }

  /** Opens a connection over another protocol, closed with the kit. */
  dial(protocol: Protocol, address?: string): Connection {
    const connection = this.parts.dial(protocol, address);
    this.#connections.push(connection);
    return connection;
  }

  /** Ends every watch and connection that the promise left open. */
  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    for (const connection of this.#connections) connection.close();
  }
}

/** Reads at exactly a revision. */
export const exactly = (value: bigint): ReadConsistency =>
  create(ReadConsistencySchema, { at: { case: "exact", value } });
/** Reads at a revision or later. */
export const notOlderThan = (value: bigint): ReadConsistency =>
  create(ReadConsistencySchema, { at: { case: "notOlderThan", value } });

/** Gives the code with which a call fails; undefined if it doesn't. @throws Broken as the call does. */
export async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof Broken) throw error;
    return ConnectError.from(error).code;
  }
}

/** @throws Broken unless the call fails with one of the codes. */
export async function refused(
  call: Promise<unknown>,
  codes: Code | readonly Code[],
  what: string,
): Promise<ErrorDetail | undefined> {
  const wanted = typeof codes === "number" ? [codes] : codes;
  try {
    await call;
  } catch (error) {
    if (error instanceof Broken) throw error;
    const failure = ConnectError.from(error);
    hold(
      wanted.includes(failure.code),
      `${what} failed with ${nameOf(failure.code)} (${failure.rawMessage}), not with ${wanted.map(nameOf).join(" or ")}`,
    );
    return failure.findDetails(ErrorDetailSchema)[0];
  }
  throw new Broken(`${what} was taken, not refused with ${wanted.map(nameOf).join(" or ")}`);
}

/** A code's name. */
export function nameOf(code: Code | undefined): string {
  return code === undefined
    ? "no error"
    : (Code[code] ?? String(code)).replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
