/**
 * Keeps a copy of a collection of the host cluster, by list and watch.
 *
 *     listing -> watching -> (the watch ends) -> watching, from where it was
 *        ^          |
 *        +--- 410: the place is too old, or `relistMs` is over
 *
 * `close` ends it from any state. While the host doesn't answer, the copy stays as it was. Every
 * failure is followed by a pause that grows.
 * Source: client-go tools/cache/reflector.go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { KubeError } from "./kube-error.ts";
import type { KubeClient } from "./kubeclient.ts";

/** An object of the host cluster; what is beside its metadata is for the reader to check. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly [field: string]: unknown;
}

/** One object before and after. Undefined: it isn't there. */
export interface InformerChange<T extends KubeObject = KubeObject> {
  /** `namespace/name`, or `name`. */
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/** What is watched, and who wants to know. */
export interface InformerOptions<T extends KubeObject = KubeObject> {
  readonly client: Pick<KubeClient, "request" | "lines">;
  /** The collection: `/apis/rbac.authorization.k8s.io/v1/clusterroles`. */
  readonly path: string;
  /** `metadata.name=x`. */
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
  readonly random: () => number;
  readonly log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  /** Called after the copy changed: once for each list (also an empty one), once for each event. */
  readonly onChange?: (changes: readonly InformerChange<T>[]) => void;
  /** Lists anew after this long, whatever the watch told: for what must not be missed. Default: never. */
  readonly relistMs?: number;
  /** Pauses. Default: a real one. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A copy that follows. */
export interface Informer<T extends KubeObject = KubeObject> {
  /** By `namespace/name`, or `name`. The same map for ever. */
  readonly objects: ReadonlyMap<string, T>;
  /** Whether the copy was whole once. */
  readonly isSynced: boolean;
  /** Resolves when it is; rejects when it is closed before. */
  synced(): Promise<void>;
  close(): void;
}

/** Objects a page: parsed in a few milliseconds, so that no list stops other requests. */
const pageSize = 500;
const listTimeoutMs = 60_000;
/** A watch ends by itself after five to ten minutes, so that not all do at once. */
const minWatchSeconds = 300;
/** What the host may be late in ending it. */
const watchSlackMs = 30_000;
/** A watch that ends sooner, without an event, is a failure: else we would ask again and again. */
const shortWatchMs = 1000;
const firstPauseMs = 800;
const maxPauseMs = 30_000;

/** Begins to follow. It never fails: what goes wrong is logged and tried again. */
export function createInformer<T extends KubeObject = KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { client, path, random, log, onChange, relistMs = Number.POSITIVE_INFINITY } = options;
  const pause = options.pause ?? (async (ms, signal) => void (await sleep(ms, undefined, { signal, ref: false })));
  const selectors = {
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
  };
  const objects = new Map<string, T>();
  const closed = new AbortController();
  const whole = Promise.withResolvers<void>();
  // Nobody need wait for it.
  whole.promise.catch(() => {});
  let isSynced = false;
  let place: string | undefined;
  let listedAt = 0;
  let pauseMs = firstPauseMs;

  async function list(): Promise<void> {
    const found = new Map<string, T>();
    let continueToken = "";
    let resourceVersion = "";
    do {
      const query = {
        ...selectors,
        limit: String(pageSize),
        ...(continueToken === "" ? {} : { continue: continueToken }),
      };
      const page = await client.request({
        method: "GET",
        path,
        query,
        timeoutMs: listTimeoutMs,
        signal: closed.signal,
      });
      const { items, metadata } = page as { items?: T[]; metadata?: { continue?: string; resourceVersion?: string } };
      for (const item of items ?? []) found.set(keyOf(item), item);
      continueToken = metadata?.continue ?? "";
      resourceVersion = metadata?.resourceVersion ?? "";
    } while (continueToken !== "");
    if (resourceVersion === "") throw new KubeError(`GET ${path}: the list has no resourceVersion`, 0);
    replace(found);
    place = resourceVersion;
    listedAt = performance.now();
  }

  function replace(found: ReadonlyMap<string, T>): void {
    const changes: InformerChange<T>[] = [];
    for (const [key, before] of objects) if (!found.has(key)) changes.push({ key, before, after: undefined });
    for (const [key, after] of found) {
      const before = objects.get(key);
      if (before?.metadata.resourceVersion !== after.metadata.resourceVersion) changes.push({ key, before, after });
    }
    for (const { key, after } of changes) set(key, after);
    isSynced = true;
    onChange?.(changes);
    whole.resolve();
  }

  function set(key: string, after: T | undefined): void {
    if (after === undefined) objects.delete(key);
    else objects.set(key, after);
  }

  async function watch(from: string): Promise<void> {
    const seconds = Math.min(Math.round(minWatchSeconds * (1 + random())), Math.ceil(relistMs / 1000));
    const query = {
      ...selectors,
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: from,
      timeoutSeconds: String(seconds),
    };
    const timeoutMs = seconds * 1000 + watchSlackMs;
    const since = performance.now();
    let events = 0;
    for await (const line of client.lines({ method: "GET", path, query, timeoutMs, signal: closed.signal })) {
      take(JSON.parse(line) as WatchEvent<T>);
      pauseMs = firstPauseMs;
      events++;
    }
    if (events === 0 && performance.now() - since < shortWatchMs)
      throw new KubeError(`GET ${path}: the watch ended at once`, 0);
  }

  function take({ type, object }: WatchEvent<T>): void {
    if (type === "ERROR") {
      const {
        code = 0,
        message = "no text",
        reason = "",
      } = object as { code?: number; message?: string; reason?: string };
      throw new KubeError(`the watch ended: ${message}`, code, { reason });
    }
    place = object.metadata.resourceVersion;
    if (type === "BOOKMARK") return;
    const key = keyOf(object);
    const change = { key, before: objects.get(key), after: type === "DELETED" ? undefined : object };
    set(key, change.after);
    onChange?.([change]);
  }

  async function follow(): Promise<void> {
    while (!closed.signal.aborted) {
      try {
        if (place === undefined) await list();
        else {
          await watch(place);
          if (performance.now() - listedAt >= relistMs) place = undefined;
        }
      } catch (error) {
        if (closed.signal.aborted) return;
        // Where we were is forgotten there: only a new list tells what was missed.
        if (error instanceof KubeError && error.code === 410) place = undefined;
        log.warn({ path, error: (error as Error).message }, "could not follow a collection of the host cluster");
        const retryAfterMs = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
        await pause(Math.max(pauseMs * (1 + random()), retryAfterMs), closed.signal).catch(() => {});
        pauseMs = Math.min(pauseMs * 2, maxPauseMs);
      }
    }
  }

  void follow();
  return {
    objects,
    get isSynced() {
      return isSynced;
    },
    synced: () => whole.promise,
    close() {
      closed.abort();
      whole.reject(new KubeError(`${path} is no longer followed`, 0));
    },
  };
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

/** Gives `namespace/name`, or `name` of what has no namespace. */
function keyOf({ metadata }: KubeObject): string {
  return metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
}
