/**
 * What is asked of both servers: requests as data, in short sequences over objects of their own.
 *
 * Text of a path, a header or a body may hold `<<name>>`: a value that an earlier step saved from its
 * server's own answer, or one of the two that each scenario has: `<<ns>>`, a namespace that holds
 * nothing else, and `<<id>>`, a word that no other scenario has. So both servers are asked the same,
 * each in its own uids and revisions.
 */

/** One request. */
export interface Step {
  readonly method: string;
  /** Path and query, encoded. */
  readonly path: string;
  /** By lower-case name. `content-type` and `accept` are sent only where they stand here. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Whose certificate; `stranger` has one without rights, `liar` sends a token that nobody issued. Default: an administrator's. */
  readonly as?: "stranger" | "liar";
  /** Variables to keep from the answer's body: name to path, `metadata.uid`. */
  readonly save?: Readonly<Record<string, string>>;
  /** Whether this write is one hangs on the second in which others wrote: its answer's revision may be the last one's or a new one. */
  readonly isPerhapsNone?: boolean;
  /** A watch: it stays open until the scenario's end, and its events are the answer. */
  readonly watch?: boolean;
  /** Of a document about all that is served: what to look at. Default: all of it. */
  readonly about?: "our groups";
}

/** Steps that follow one another. */
export interface Scenario {
  /** What it is about: `list`, `watch`… Counted and reported by this. */
  readonly family: string;
  readonly steps: readonly Step[];
}

/** The group of the definitions beside this file. */
export const ownGroup = "differential.annex.dev";
const base = `/apis/${ownGroup}`;
/** Where its resources are; `<<ns>>` is the scenario's namespace. */
export const gears = `${base}/v1/namespaces/<<ns>>/gears`;
export const oldGears = `${base}/v1beta1/namespaces/<<ns>>/gears`;
export const allGears = `${base}/v1/gears`;
export const notes = `${base}/v1alpha1/namespaces/<<ns>>/notes`;
export const plates = `${base}/v1/plates`;

type Fields = Readonly<Record<string, unknown>>;

/** A gear; `more` is laid over it at the top. */
export function gear(name: string, spec: Fields = { color: "red" }, more: Fields = {}, metadata: Fields = {}): Fields {
  return { apiVersion: `${ownGroup}/v1`, kind: "Gear", metadata: { name, ...metadata }, spec, ...more };
}

/** A plate: cluster scoped, so its name holds the scenario's own word. */
export function plate(name: string, more: Fields = {}, metadata: Fields = {}): Fields {
  return {
    apiVersion: `${ownGroup}/v1`,
    kind: "Plate",
    metadata: { name: `<<id>>-${name}`, labels: { scenario: "<<id>>" }, ...metadata },
    ...more,
  };
}

/** A note: anything goes. */
export function note(name: string, more: Fields = {}, metadata: Fields = {}): Fields {
  return { apiVersion: `${ownGroup}/v1alpha1`, kind: "Note", metadata: { name, ...metadata }, ...more };
}

type More = Omit<Step, "method" | "path" | "body">;

export const get = (path: string, more: More = {}): Step => ({ method: "GET", path, ...more });
export const post = (path: string, body: unknown, more: More = {}): Step => ({ method: "POST", path, body, ...more });
export const put = (path: string, body: unknown, more: More = {}): Step => ({ method: "PUT", path, body, ...more });
export const remove = (path: string, body?: unknown, more: More = {}): Step => ({
  method: "DELETE",
  path,
  ...(body === undefined ? {} : { body }),
  ...more,
});
export const watch = (path: string, more: More = {}): Step => ({ method: "GET", path, watch: true, ...more });

/** The media types of patches by their short names. */
export const patchTypes = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;

/** A patch of a type. */
export function patch(path: string, type: keyof typeof patchTypes, body: unknown, more: More = {}): Step {
  return { method: "PATCH", path, body, ...more, headers: { "content-type": patchTypes[type], ...more.headers } };
}

/** What a write is remembered by. */
export const saveAll = { rv: "metadata.resourceVersion", uid: "metadata.uid" } as const;

/** Adds query parameters; undefined ones are left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(key)}=${encodeQuery(value)}`],
  );
  return parts.length === 0 ? path : `${path}${path.includes("?") ? "&" : "?"}${parts.join("&")}`;
}

/** Variables stay readable: what they stand for needs no escapes, but for continue tokens, which have none either. */
function encodeQuery(text: string): string {
  return encodeURIComponent(text).replaceAll("%3C%3C", "<<").replaceAll("%3E%3E", ">>");
}

/** Every choice of one value for each key. */
export function combinations<T>(choices: Readonly<Record<string, readonly T[]>>): Record<string, T>[] {
  return Object.entries(choices).reduce<Record<string, T>[]>(
    (found, [key, values]) => found.flatMap((one) => values.map((value) => ({ ...one, [key]: value }))),
    [{}],
  );
}
