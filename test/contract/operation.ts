/**
 * One call, or one frame of a watch, as it is kept in a history: plain values, one line of JSON.
 *
 * Revisions are decimal text, objects are digests of their bytes, times are milliseconds since the
 * history began.
 */

/** An object in a history: key, revision, digest of its JSON. */
export type Seen = readonly [key: string, revision: string, digest: string];
/** One event of a watch; `before` is the revision of the previous state, `""` if none was sent. */
export type SeenEvent = readonly [
  type: "put" | "delete",
  key: string,
  revision: string,
  digest: string,
  before: string,
];

/** What was asked and what came. */
export interface Operation {
  readonly id: number;
  /** Name of the promise that was being checked. */
  readonly promise: string;
  readonly endpoint: number;
  readonly call: string;
  readonly resource: string;
  /** When it was sent; a frame: when it came. */
  readonly at: number;
  /** When the answer was there. Undefined: it never came. */
  till?: number;
  /** `namespace/name`. */
  readonly key?: string;
  /** Of a list or watch: whose collection. */
  readonly namespace?: string;
  /** Digest of the JSON that was sent. */
  readonly sent?: string;
  /** The revision that was required. */
  readonly required?: string;
  readonly dryRun?: boolean;
  /** How fresh: `latest`, `exact 12`, `notOlderThan 12`, `any`. */
  readonly read?: string;
  /** Of a list: its limit, and whether it goes on from a token. */
  readonly limit?: number;
  readonly continued?: boolean;
  readonly projected?: boolean;
  /** Whether a selector was sent. */
  readonly selected?: boolean;
  /** Of a watch: after which revision; `now`, `initial`. */
  readonly start?: string;
  /** Of a watch's frame: the watch's id. */
  readonly watch?: number;
  readonly requestId?: string;
  /** Name of the code with which it failed. */
  code?: string;
  message?: string;
  /** Of a written or read object. */
  revision?: string;
  digest?: string;
  unchanged?: boolean;
  mark?: string;
  epoch?: string;
  lastChange?: string;
  items?: Seen[];
  /** Of a list: its end came, with or without a token. */
  end?: "whole" | "more";
  frame?: "started" | "events" | "progress" | "initialEnd" | "expired";
  events?: SeenEvent[];
  oldest?: string;
}

/** Items of a list or a frame that are shown of one operation. */
const shownItems = 6;

/** Writes an operation as a line for people. */
export function describeOperation(op: Operation): string {
  const took = op.till === undefined ? "no answer" : `${(op.till - op.at).toFixed(1)} ms`;
  const asked = [
    op.key ?? (op.namespace === undefined ? "" : `in "${op.namespace}"`),
    op.required === undefined ? "" : `at ${op.required}`,
    op.read ?? "",
    op.start === undefined ? "" : `from ${op.start}`,
    op.limit ? `limit ${op.limit}` : "",
    op.dryRun ? "dry run" : "",
    op.watch === undefined ? "" : `of watch #${op.watch}`,
  ];
  const said = [
    op.code === undefined ? "" : `${op.code}${op.message ? ` (${op.message})` : ""}`,
    op.frame ?? "",
    op.revision === undefined ? "" : `revision ${op.revision}`,
    op.mark === undefined ? "" : `mark ${op.mark}`,
    op.items === undefined ? "" : some(op.items.map(([key, revision]) => `${key}@${revision}`)),
    op.events === undefined ? "" : some(op.events.map(([type, key, revision]) => `${type} ${key}@${revision}`)),
    op.oldest === undefined ? "" : `oldest ${op.oldest}`,
    op.end === "more" ? "and more" : "",
  ];
  const words = (parts: readonly string[]) => parts.filter((part) => part !== "").join(" ");
  const line = `#${op.id} ${op.at.toFixed(1)} ms ${words([op.call, op.resource, ...asked])}`;
  return op.watch === undefined ? `${line} -> ${words(said)} [${took}]` : `${line}: ${words(said)}`;
}

function some(items: readonly string[]): string {
  const shown = items.slice(0, shownItems).join(", ");
  return `[${shown}${items.length > shownItems ? `, … ${items.length} in all` : ""}]`;
}
