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

export interface GetOptions {
  readonly resourceVersion: string;
}

/** What create, update and patch share. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: "Ignore" | "Warn" | "Strict";
}

export interface PatchOptions extends WriteOptions {
  readonly force: boolean | undefined;
}

export type PropagationPolicy = "Orphan" | "Background" | "Foreground";

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
