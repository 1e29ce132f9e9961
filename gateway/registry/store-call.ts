/**
 * What the gateway asks of a store, as plain values: the contract without its messages.
 *
 * A store may answer a list with more than was asked; whoever calls filters again.
 * Source: proto/annex/store/v1/store.proto.
 */
import type { FieldError } from "../apimachinery/field-error.ts";
import type { Status } from "../apimachinery/status.ts";
import type { User } from "../apimachinery/user.ts";

/** Names one object of a resource. `namespace` is `""` for a cluster-scoped one. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/** An object as it lies in a store: JSON without its resourceVersion, and the revision beside it. */
export interface StoredObject extends ObjectKey {
  readonly revision: bigint;
  readonly json: Uint8Array;
  /** Its forms in other versions, by their names, where its store converts. */
  readonly versions?: ReadonlyMap<string, Uint8Array>;
}

/** Who asks and for how long. Travels with each call. */
export interface CallContext {
  /** The audit id. */
  readonly requestId: string;
  readonly user: User | undefined;
  /** Who acts as the user. Undefined: nobody else. */
  readonly impersonator?: User | undefined;
  readonly userAgent: string;
  /** `group/version` that the client asked for. */
  readonly clientVersion: string;
  /** Milliseconds that are left; passed on to the store. */
  readonly timeoutMs: number;
  /** Ends the call when the client goes away. */
  readonly signal: AbortSignal;
}

/** How fresh a read must be. */
export type ReadAt =
  | { readonly at: "latest" }
  | { readonly at: "any" }
  | { readonly at: "notOlderThan"; readonly revision: bigint }
  | { readonly at: "exact"; readonly revision: bigint };

/** One page of a list. */
export interface ListCall {
  /** `""`: every namespace. */
  readonly namespace: string;
  readonly read: ReadAt;
  /** 0: everything. */
  readonly limit: number;
  /** The store's own token of the page before; empty for the first. */
  readonly continueToken: Uint8Array;
}

/** A page: items in key order as the store gives them, and where the scope's head was. */
export interface ListPage {
  readonly items: readonly StoredObject[];
  readonly revision: bigint;
  readonly epoch: string;
  /** Empty: this was the last page. */
  readonly continueToken: Uint8Array;
  /** Undefined: the store doesn't count. */
  readonly remaining: bigint | undefined;
}

/** Where a watch begins. */
export interface WatchCall {
  /** Changes after this revision. */
  readonly after: bigint;
  /** The epoch in which `after` was read. */
  readonly epoch: string;
  /** Whether events are to carry the state before; only with the capability. Default false. */
  readonly previous?: boolean;
  /** Who asks; undefined: the gateway for itself. */
  readonly caller: Omit<CallContext, "timeoutMs" | "signal"> | undefined;
  readonly signal: AbortSignal;
}

/** One change in revision order. A removed object carries its last state in `object`. */
export interface StoreEvent {
  readonly type: "put" | "delete";
  /** For a delete: the last state, under the revision of the delete. */
  readonly object: StoredObject;
  /** The state before, if it was asked for and there was one. */
  readonly previous?: StoredObject;
}

/** What a watch stream says, in order. */
export type WatchFrame =
  | { readonly frame: "started"; readonly revision: bigint; readonly epoch: string; readonly oldestResumable: bigint }
  /** `blurred`: revisions, both included, at which nobody can tell the state; only of a polled watch. */
  | {
      readonly frame: "events";
      readonly events: readonly StoreEvent[];
      readonly blurred?: { readonly from: bigint; readonly to: bigint };
    }
  | { readonly frame: "progress"; readonly revision: bigint }
  | { readonly frame: "expired"; readonly oldestResumable: bigint; readonly reason: string };

/** Where a store stands. */
export interface Head {
  /** Of the scope: at least every acknowledged write's revision. */
  readonly revision: bigint;
  /** The last revision that changed the resource; undefined: the store doesn't say. */
  readonly lastChange: bigint | undefined;
}

/** A write, and what must hold for it. */
export interface WritePreconditions {
  /** The revision that the object must have now. */
  readonly revision?: bigint;
  readonly uid?: string;
}

/** The object that stopped a compare-and-swap, when the store sent it along. */
export class WriteConflict extends Error {
  override readonly name = "WriteConflict";
  /** Undefined if the store did not send it: read again. */
  readonly current: StoredObject | undefined;
  constructor(current: StoredObject | undefined) {
    super("the object changed since it was read");
    this.current = current;
  }
}

/** A create of an imperative kind, or a request to a custom subresource. */
export interface InvokeCall {
  /** The name is `""` for a create of an imperative kind. */
  readonly key: ObjectKey;
  /** `""`: the object itself. */
  readonly subresource: string;
  /** Upper case. */
  readonly httpMethod: string;
  readonly query: ReadonlyMap<string, readonly string[]>;
  /** What follows the subresource in the path, with its slashes. */
  readonly subpath: string;
  /** `""` without a body. */
  readonly contentType: string;
  /** Of an imperative kind the object as JSON in the storage version. */
  readonly body: Uint8Array;
  /** Only where the store declares dry runs. */
  readonly dryRun: boolean;
  /** The object that a subresource belongs to, if it can be read. */
  readonly parent: StoredObject | undefined;
}

/** What an action answers. */
export interface InvokeAnswer {
  /** 0: unsaid. */
  readonly status: number;
  /** `""`: JSON. */
  readonly contentType: string;
  readonly body: Uint8Array;
  /** For the client. */
  readonly warnings: readonly string[];
}

/** A connection to a streaming subresource. */
export interface StreamCall extends InvokeCall {
  /** Subprotocols that the client offers, best first. */
  readonly protocols: readonly string[];
}

/** What goes to the store. Data is at most 64 KB; `end`: nothing more comes on the channel. */
export type StreamInput =
  | { readonly frame: "data"; readonly channel: number; readonly data: Uint8Array; readonly end: boolean }
  | { readonly frame: "resize"; readonly width: number; readonly height: number }
  | { readonly frame: "close" };

/** What comes from it: `accept` first, `close` last. */
export type StreamOutput =
  | { readonly frame: "accept"; readonly protocol: string }
  | { readonly frame: "data"; readonly channel: number; readonly data: Uint8Array; readonly end: boolean }
  | { readonly frame: "close"; readonly exitCode: number | undefined; readonly error: Status | undefined };

/** A write that a hook takes part in. Objects are JSON in the storage version. */
export interface HookCall {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly key: ObjectKey;
  /** `""`: the object itself. */
  readonly subresource: string;
  /** Empty for a delete. */
  readonly json: Uint8Array;
  /** Empty for a create. */
  readonly oldJson: Uint8Array;
  readonly dryRun: boolean;
  readonly context: CallContext;
}

/**
 * A store's hooks. Each throws StatusError in the words of a webhook that failed or denied the request.
 */
export interface HookClient {
  /** `json` undefined: unchanged. */
  mutate(call: HookCall): Promise<{ readonly json: Uint8Array | undefined; readonly warnings: readonly string[] }>;
  /** Errors: the object is refused. */
  validate(call: HookCall): Promise<{ readonly errors: readonly FieldError[]; readonly warnings: readonly string[] }>;
  /** Gives objects in a version, in the same order and number. */
  convert(
    version: string,
    objects: readonly Uint8Array[],
    caller: Pick<CallContext, "requestId" | "signal" | "timeoutMs">,
  ): Promise<readonly Uint8Array[]>;
  /**
   * Gives the cells of each object as JSON texts, as many and in such order as the store says: the
   * caller counts. Undefined: the store can't show one of them.
   * @param version in which the objects are shown.
   */
  tabulate(
    version: string,
    objects: readonly ShownObject[],
    caller: CallContext,
  ): Promise<readonly (readonly Uint8Array[])[] | undefined>;
}

/** An object as a client sees it. */
export interface ShownObject extends StoredObject {
  readonly uid: string;
}

/**
 * The verbs of one resource at its store.
 *
 * Each throws StatusError: NotFound and AlreadyExists as they are, 503 with Retry-After when the
 * store can't be reached, 504 at the deadline, 410 when history is gone, and what else the table in
 * errors.ts says. A lost compare-and-swap throws WriteConflict.
 */
export interface ResourceClient {
  readonly hooks: HookClient;
  /** Undefined: there is no such object. */
  get(key: ObjectKey, read: ReadAt, call: CallContext): Promise<StoredObject | undefined>;
  list(list: ListCall, call: CallContext): Promise<ListPage>;
  /** Ends when the signal is aborted; throws as the others do. */
  watch(watch: WatchCall): AsyncIterable<WatchFrame>;
  /** Gives the revision under which the object was written. */
  create(key: ObjectKey, uid: string, json: Uint8Array, call: CallContext): Promise<StoredObject>;
  update(
    key: ObjectKey,
    uid: string,
    json: Uint8Array,
    preconditions: WritePreconditions,
    call: CallContext,
  ): Promise<StoredObject>;
  /** Gives the last state under the revision of the delete. */
  delete(key: ObjectKey, preconditions: WritePreconditions, call: CallContext): Promise<StoredObject>;
  /** Answers what is not kept. Never called twice for one request. Throws a Status for a conflict too. */
  invoke(invoke: InvokeCall, call: CallContext): Promise<InvokeAnswer>;
  /** Carries one connection, without a deadline, until both sides have ended or the signal is aborted. */
  stream(stream: StreamCall, input: AsyncIterable<StreamInput>, call: CallContext): AsyncIterable<StreamOutput>;
  currentRevision(call: CallContext): Promise<Head>;
}
