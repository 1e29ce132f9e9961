/**
 * The options that verbs take, as plain values. request reads them from the query (and verbs'
 * delete from the body).
 *
 * Source: apimachinery pkg/apis/meta/v1/types.go.
 */

/** List and watch. Empty strings and zero mean "not given". */
export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: "" | "NotOlderThan" | "Exact";
  /** Seconds; undefined: not given. */
  readonly timeoutSeconds: number | undefined;
  readonly limit: number;
  readonly continue: string;
  readonly sendInitialEvents: boolean | undefined;
}

/** Of a get: `""` the latest state, `"0"` any, a number one that is no older. */
export interface GetOptions {
  readonly resourceVersion: string;
}

/** What create, update and patch share. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: "Ignore" | "Warn" | "Strict";
}

/** Of a patch; `force` takes fields from other managers, for an apply alone. Undefined: not given. */
export interface PatchOptions extends WriteOptions {
  readonly force: boolean | undefined;
}

/** What becomes of the objects that a deleted one owns. */
export type PropagationPolicy = "Orphan" | "Background" | "Foreground";

/** Of a delete, from its body or its query. */
export interface DeleteOptions {
  readonly dryRun: boolean;
  /** Seconds; undefined: not given. */
  readonly gracePeriodSeconds: number | undefined;
  readonly propagationPolicy: PropagationPolicy | undefined;
  readonly orphanDependents: boolean | undefined;
  readonly preconditions: {
    readonly uid: string | undefined;
    readonly resourceVersion: string | undefined;
  };
}

/** Which object a Table's rows carry. */
export type IncludeObject = "None" | "Metadata" | "Object";
