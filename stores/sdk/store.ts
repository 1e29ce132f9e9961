/**
 * What a store's author writes: plain async functions over plain values.
 *
 * Only the functions that a description's verbs need have to be there; what is missing answers
 * UNIMPLEMENTED. The rules that each must keep stand in proto/annex/store/v1/store.proto.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ResourceSchema } from "../../gen/annex/store/v1/catalog_pb.js";
import type { Cause } from "./errors.ts";

/** A resource as its description: the fields of annex.store.v1.Resource. */
export type ResourceDescription = MessageInitShape<typeof ResourceSchema>;

/** Which resource a call is about. */
export interface ResourceId {
  readonly group: string;
  /** The storage version. */
  readonly version: string;
  readonly plural: string;
}

/** Names an object; `namespace` is `""` for a cluster-scoped one. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/** An object as it is kept. `json` is text without a resourceVersion; nobody here need parse it. */
export interface StoredObject extends ObjectKey {
  readonly revision: bigint;
  readonly uid: string;
  readonly json: Uint8Array;
}

/** Who asks. */
export interface CallUser {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** What every call has. */
export interface Call {
  readonly resource: ResourceId;
  /** The audit id of the client's request. */
  readonly requestId: string;
  /** Undefined: the gateway asks for itself. */
  readonly user: CallUser | undefined;
  /** Where the gateway can be asked about this user until the call is over; see createHost. Undefined: it can't. */
  readonly host?: { readonly address: string; readonly ticket: Uint8Array } | undefined;
  /** Milliseconds that were left for the call when it was made. Undefined: it has no deadline. */
  readonly timeoutMs?: number | undefined;
  /** Aborted when nobody waits any more. */
  readonly signal: AbortSignal;
}

export interface GetCall extends Call {
  readonly key: ObjectKey;
  /** Undefined: the state of now. Only stores with exact reads are asked for another. */
  readonly atRevision: bigint | undefined;
}

export interface ListCall extends Call {
  /** `""`: all. */
  readonly namespace: string;
  /** 0: everything. A hint: with CAPABILITY_SNAPSHOT_LIST the SDK asks on after a shorter page. */
  readonly limit: number;
  /** From the page before; empty for the first. */
  readonly continueToken: Uint8Array;
  /** Undefined: the state of now, or the token's. */
  readonly atRevision: bigint | undefined;
}

/** A page of a list in key order. Small pages keep the event loop free for others. */
export interface ListPage {
  readonly items: readonly StoredObject[];
  /** The head of the scope for the state that was listed. */
  readonly revision: bigint;
  /** Empty or missing: there is nothing more. */
  readonly continueToken?: Uint8Array;
  /** Objects after the last item; a function is called only if the client's page ends here. */
  readonly remaining?: bigint | (() => bigint);
}

export interface WatchCall extends Call {
  /** `""`: all. */
  readonly namespace: string;
  /** Changes after this revision; undefined: after the head. */
  readonly after: bigint | undefined;
  /** Whether events are to carry the state before. */
  readonly previous: boolean;
  /** Milliseconds after which progress is wanted while nothing changes. 0: the store's choice. */
  readonly progressEveryMs: number;
}

/** One change. For a removal `object` is the last state, under the revision of the removal. */
export interface StoreEvent {
  readonly type: "put" | "delete";
  readonly object: StoredObject;
  readonly previous?: StoredObject | undefined;
}

/** What a watch says: `started` first, `expired` last. */
export type WatchFrame =
  | { readonly frame: "started"; readonly revision: bigint; readonly oldestResumable: bigint }
  | { readonly frame: "events"; readonly events: readonly StoreEvent[] }
  | { readonly frame: "progress"; readonly revision: bigint }
  | { readonly frame: "expired"; readonly oldestResumable: bigint; readonly revision: bigint; readonly reason: string };

/** What must hold for a write. */
export interface Preconditions {
  readonly revision?: bigint | undefined;
  readonly uid?: string | undefined;
}

export interface CreateCall extends Call {
  readonly key: ObjectKey;
  readonly uid: string;
  readonly json: Uint8Array;
  /** Only with CAPABILITY_DRY_RUN: say what would happen, and do nothing. */
  readonly dryRun: boolean;
}

export interface UpdateCall extends CreateCall {
  readonly preconditions: Preconditions;
}

export interface DeleteCall extends Call {
  readonly key: ObjectKey;
  readonly preconditions: Preconditions;
  readonly dryRun: boolean;
}

/** A create of an imperative kind, or a request to a custom subresource. */
export interface InvokeCall extends Call {
  /** The name is `""` for a create of an imperative kind. */
  readonly key: ObjectKey;
  /** `""`: the object itself. */
  readonly subresource: string;
  /** Upper case. */
  readonly httpMethod: string;
  readonly query: Readonly<Record<string, readonly string[]>>;
  /** What follows the subresource in the path, with its slashes. */
  readonly subpath: string;
  readonly contentType: string;
  /** Of an imperative kind the object as JSON, valid by its schema. */
  readonly body: Uint8Array;
  /** Only with CAPABILITY_DRY_RUN: say what would happen, and do nothing. */
  readonly dryRun: boolean;
  /** The object of a subresource, if the resource has `get`. Its `uid` may be empty: it stands in the JSON. */
  readonly parent?: StoredObject | undefined;
}

/** What an action answers. */
export interface InvokeAnswer {
  /** Missing: 200, or 201 for a create. */
  readonly httpStatus?: number;
  /** Missing: JSON. */
  readonly contentType?: string;
  readonly body: Uint8Array;
  /** For clients. */
  readonly warnings?: readonly string[];
}

/** A connection to a streaming subresource. */
export interface StreamCall extends InvokeCall {
  /** Subprotocols that the client offers, best first. */
  readonly protocols: readonly string[];
  /** What the client sends, once. While nobody asks for the next, the client is held back. */
  readonly input: AsyncIterable<StreamInput>;
}

/** What a client sends. Ends when the client has closed. */
export type StreamInput =
  /** Bytes of stdin, or of a plain stream. */
  | { readonly data: Uint8Array }
  /** Nothing more comes on stdin; the client still reads. */
  | { readonly end: true }
  /** The client's terminal, in characters. */
  | { readonly width: number; readonly height: number };

/** Bytes for the client. */
export interface StreamOutput {
  /** 1 stdout, 2 stderr for remote commands. Default: 1; of a plain stream 0, whatever it says. */
  readonly channel?: number;
  readonly data: Uint8Array;
}

/** A stream that the store takes. */
export interface AcceptedStream {
  /** One of those offered. Default: the newest remote command protocol among them; without one none. */
  readonly protocol?: string;
  /**
   * What the client gets. While it doesn't read, nothing more is asked for. Returns the exit code of a
   * remote command, else 0. What it throws is told at the end.
   */
  readonly output: AsyncGenerator<StreamOutput, number>;
}

/** A write that the store takes part in before it is asked to make it. */
export interface AdmitCall extends Call {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  /** The name is `""` in a mutate whose name is yet to be generated. */
  readonly key: ObjectKey;
  /** `status`; `""`: the object itself. */
  readonly subresource: string;
  /** Empty for a delete. */
  readonly json: Uint8Array;
  /** Empty for a create. */
  readonly oldJson: Uint8Array;
  /** The write will have no effect; the hook must have none either. */
  readonly dryRun: boolean;
}

/** Objects to be shown in another version. */
export interface ConvertCall {
  readonly requestId: string;
  readonly group: string;
  readonly kind: string;
  /** The version wanted; each object names its own in apiVersion. */
  readonly targetVersion: string;
  readonly objects: readonly Uint8Array[];
  readonly signal: AbortSignal;
}

/** Objects to be shown as rows of a Table. */
export interface TabulateCall extends Call {
  readonly objects: readonly StoredObject[];
}

/** What a write gives. Without `json` it is what was sent. */
export interface Written {
  readonly revision: bigint;
  readonly uid?: string;
  readonly json?: Uint8Array;
  /** For clients. */
  readonly warnings?: readonly string[];
  /** Of an update: nothing differed, `revision` is the present one. */
  readonly unchanged?: boolean;
}

/** How a store is. */
export interface StoreHealth {
  readonly state: "ready" | "starting" | "degraded";
  /** For people; `""` if there is nothing to say. */
  readonly message: string;
}

/** A store. */
export interface Store {
  readonly implementation: string;
  readonly version: string;
  /** One incarnation of the data; asked anew for each answer. */
  epoch(): string;
  readonly revisionScope: "store" | "resource";
  /** What is served. May be another array later, if `onResourcesChange` says so. */
  readonly resources: readonly ResourceDescription[];
  /**
   * Has `listener` called whenever `resources` is another array: gateways then take the new description.
   * Gives the function that stops it. Missing: the resources never change while the process runs.
   */
  onResourcesChange?(listener: () => void): () => void;
  get?(call: GetCall): Promise<StoredObject | undefined>;
  list?(call: ListCall): Promise<ListPage>;
  watch?(call: WatchCall): AsyncIterable<WatchFrame>;
  create?(call: CreateCall): Promise<Written>;
  update?(call: UpdateCall): Promise<Written>;
  delete?(call: DeleteCall): Promise<StoredObject>;
  /** Answers what is not kept. Never called twice for one request. */
  invoke?(call: InvokeCall): Promise<InvokeAnswer>;
  /**
   * Opens a stream of a subresource. What it throws is the HTTP answer; after it has settled the
   * client is connected. `signal` is aborted when the client is gone or the process stops.
   */
  stream?(call: StreamCall): Promise<AcceptedStream>;
  /**
   * Changes an object before it is validated; needs CAPABILITY_HOOK_MUTATE. Nothing, or no `json`: it
   * stays as it is. May throw `forbidden`, as the other hooks of a write.
   */
  mutate?(call: AdmitCall): Promise<{ readonly json?: Uint8Array; readonly warnings?: readonly string[] } | undefined>;
  /** Checks a write last; needs CAPABILITY_HOOK_VALIDATE. With causes it is refused. */
  validate?(
    call: AdmitCall,
  ): Promise<{ readonly causes?: readonly Cause[]; readonly warnings?: readonly string[] } | undefined>;
  /**
   * Gives objects in another version, in the same order; needs CAPABILITY_HOOK_CONVERT. Name, namespace
   * and uid stay as they are. One that is being written may not be checked yet, and may lack fields: its
   * managers' versions of it are compared first.
   */
  convert?(call: ConvertCall): Promise<readonly Uint8Array[]>;
  /** Gives the cells of each object, in the order of the declared columns; needs CAPABILITY_HOOK_TABULATE. */
  tabulate?(call: TabulateCall): Promise<readonly (readonly unknown[])[]>;
  currentRevision?(call: Call): Promise<{ readonly revision: bigint; readonly lastChange?: bigint }>;
  /**
   * Told the highest revision that a gateway has shown to clients. A store whose head is lower has
   * lost data, or keeps none: it begins a new epoch above it. Settles when it has.
   */
  notBelow?(revision: bigint): Promise<void>;
  /** Missing: ready. */
  health?(): StoreHealth;
  /** Resolves when the store can't go on: its process ends with exit code 1, to be started again. */
  readonly failed?: Promise<Error>;
  /** Called once when the process stops, after the last call. */
  close?(): Promise<void>;
}
