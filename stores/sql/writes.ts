/** What travels between the store and its writer thread. */

/** One write, as the writer is asked for it. */
export interface WriteRequest {
  readonly verb: "create" | "update" | "delete";
  readonly resource: string;
  readonly key: string;
  /** Of the object to write; for a delete of no meaning. */
  readonly uid: string;
  readonly json: Uint8Array;
  /** What must hold of the present object. */
  readonly revision: bigint | undefined;
  readonly presentUid: string | undefined;
}

/** What became of one write. `last` is what a delete removed. */
export type WriteResult =
  | {
      readonly done: "written";
      readonly revision: bigint;
      /** Of the state before. */
      readonly previous: bigint | undefined;
      readonly last: Present | undefined;
    }
  | { readonly done: "notFound" }
  | { readonly done: "alreadyExists" }
  | { readonly done: "conflict"; readonly current: Present };

/** An object as it is before a write. */
export interface Present {
  readonly revision: bigint;
  readonly uid: string;
  readonly json: Uint8Array;
}

/** What the writer found when it opened the data, or made of it. */
export interface Incarnation {
  readonly head: bigint;
  readonly epoch: string;
}

/** To the writer. `begin`: a new epoch above a revision. */
export type WriterRequest =
  | { readonly type: "batch"; readonly writes: readonly WriteRequest[] }
  | { readonly type: "compact"; readonly upTo: bigint; readonly before: number }
  | { readonly type: "begin"; readonly above: bigint }
  | { readonly type: "close" };

/** From the writer, one for each request. `failed`: nothing of what was asked was done. */
export type WriterAnswer =
  | ({ readonly type: "opened" | "begun" } & Incarnation)
  | { readonly type: "batch"; readonly results: readonly WriteResult[] }
  | { readonly type: "failed"; readonly message: string; readonly isFull: boolean }
  | { readonly type: "compacted"; readonly compacted: bigint }
  | { readonly type: "closed" };
