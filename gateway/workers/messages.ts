/**
 * What the supervisor and its workers say to each other, over the channel that Node gives a child process.
 *
 *     worker → supervisor   hello, listening, ready, registered, described, question, answer, pong
 *     supervisor → worker   start, whole, stores, question, answer, ping
 *
 * Values are cloned as they are (`serialization: "advanced"`): bytes stay bytes.
 */

/** What a worker is told first. `C`: the gateway's configuration, `S`: its list of stores. */
export interface WorkerStart<C, S> {
  readonly config: C;
  /** Undefined: as in the configuration. */
  readonly stores: S | undefined;
  /** Counted from 1; whoever replaces it has its number. */
  readonly worker: number;
  /** The port that the others listen at. Undefined: this is the first of them, and takes the configured one. */
  readonly port: number | undefined;
  /** Whether it listens only once it is ready: others serve meanwhile. */
  readonly listensWhenReady: boolean;
  /** By the names of stores: what each last said of itself, in the contract's bytes. */
  readonly descriptions: ReadonlyMap<string, Uint8Array>;
  readonly whole: WholeState;
}

/** What is true of the whole. */
export interface WholeState {
  /** Whether each of the workers has been ready. */
  readonly isReady: boolean;
  /** Whether kube-apiserver's aggregation layer has found one of them. */
  readonly isRegistered: boolean;
}

/** A request for figures: GET, or DELETE, which begins to count anew. */
export interface FiguresRequest {
  readonly method: string;
  readonly path: string;
}

/** Whose a ticket of HostService is, as a value that can be sent. */
export interface HeldTicket {
  readonly store: string;
  readonly user: {
    readonly name: string;
    readonly uid: string;
    readonly groups: readonly string[];
    readonly extra: Readonly<Record<string, readonly string[]>>;
  };
  readonly requestId: string;
  readonly object: Readonly<Record<"apiVersion" | "kind" | "namespace" | "name" | "uid", string>> | undefined;
}

/** A worker asks for all, the supervisor for this worker's own part. */
export type Question =
  | { readonly about: "figures"; readonly request: FiguresRequest }
  | { readonly about: "ticket"; readonly ticket: Uint8Array };

/** The text of figures, or the ticket's holder. Undefined: there is none. */
export type Answer = string | HeldTicket | undefined;

/** Either side's. */
export type Asking =
  | { readonly kind: "question"; readonly id: number; readonly question: Question }
  /** `failed`: why there is no answer. */
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer; readonly failed?: string };

/** What a worker says. */
export type FromWorker =
  | Asking
  | { readonly kind: "hello" }
  | { readonly kind: "ready" }
  | { readonly kind: "registered" }
  | { readonly kind: "pong" }
  | { readonly kind: "listening"; readonly url: string; readonly port: number }
  | { readonly kind: "described"; readonly store: string; readonly description: Uint8Array };

/** What the supervisor says. */
export type ToWorker<C, S> =
  | Asking
  | { readonly kind: "ping" }
  | { readonly kind: "start"; readonly start: WorkerStart<C, S> }
  | { readonly kind: "whole"; readonly whole: WholeState }
  | { readonly kind: "stores"; readonly stores: S };
