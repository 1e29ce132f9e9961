/**
 * One resource's change feed: the copy of its objects, the ring of its events, its subscribers.
 *
 * States: `filling` (list, then watch after the list's mark), `following` (frames arrive),
 * `broken` (the store is away: subscribers stay, the feed resumes where it was), `closed`. Only
 * lost history or a new epoch ends subscribers with 410; only closing ends them without an error.
 */
import type { ObjectView } from "../apimachinery/object.ts";
import type { ResourceDefinition, ResourceVersionDefinition } from "../apimachinery/resource.ts";
import {
  expired,
  StatusError,
  serviceUnavailable,
  tooLargeResourceVersion,
  tooManyRequests,
} from "../apimachinery/status.ts";
import type { CallContext, ReadAt, ResourceClient, StoredObject, StoreEvent } from "../registry/registry.ts";
import { Ring } from "./ring.ts";

/** Turns stored bytes into what clients of a version see, under the given revision. */
export type Present = (
  definition: ResourceDefinition,
  version: ResourceVersionDefinition,
  stored: StoredObject,
  revision: bigint,
) => ObjectView;

/** An object of the copy. */
export interface CachedObject {
  readonly stored: StoredObject;
  /** What clients of a version see; made once for each version. */
  view(version: ResourceVersionDefinition): ObjectView;
}

/** One change: `before` is undefined for a creation, `after` for a removal. */
export interface FeedEvent {
  readonly revision: bigint;
  readonly cost: number;
  readonly before: CachedObject | undefined;
  readonly after: CachedObject | undefined;
  /** The last state, under the revision of this change: what DELETED shows. */
  gone(version: ResourceVersionDefinition): ObjectView;
  /** Encoded frames, by whatever key verbs/watch gives them, so that each is made once for all watchers. */
  readonly frames: Map<string, Buffer>;
}

/** Who is told of changes. Called in one turn of the event loop, never re-entered. */
export interface Subscriber {
  events(events: readonly FeedEvent[]): void;
  /** Everything up to this revision has been delivered. */
  progress(revision: bigint): void;
  /** Nothing more will come: a status says why, undefined that the resource went away. */
  end(status: StatusError | undefined): void;
}

/** One resource's feed. */
export interface Feed {
  /** Resolves when the copy is filled. @throws StatusError 503 if the store is away, 429 if filling takes too long. */
  ready(signal: AbortSignal): Promise<void>;
  /** The revision up to which the copy is complete. */
  readonly revision: bigint;
  /** Waits until the copy has reached a revision. @throws StatusError 504 after three seconds. */
  reach(revision: bigint): Promise<void>;
  /** Every object of the copy in key order, as of `revision`. */
  objects(): readonly CachedObject[];
  /**
   * Delivers what came after `after`, at once from the ring and then as it comes.
   * @throws StatusError 410 if history before it is gone.
   */
  subscribe(after: bigint, subscriber: Subscriber): () => void;
  close(): void;
}

/** A feed for one watch, of a resource whose reads depend on who asks. */
export interface OwnFeed {
  /** As whom the store is asked. */
  readonly caller: CallContext;
  /** The revision that the copy begins at; undefined: now. */
  readonly startAt: bigint | undefined;
  readonly onClose: () => void;
}

export interface FeedOptions {
  readonly definition: ResourceDefinition;
  readonly client: ResourceClient;
  readonly present: Present;
  /** Undefined: the gateway's own feed, for everybody. */
  readonly own?: OwnFeed;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** History: kube-apiserver's largest ring, and bytes so that a resource of 1 MB objects stays small. */
const ringLimits = { maxEvents: 102_400, maxBytes: 64 * 1024 * 1024 };
/** Bytes of one resource's copy. Past it the copy is given up, for it would crowd out everything else. */
const maxCopyBytes = 1024 * 1024 * 1024;
/** How long a watch waits for the copy before it is told to come back: kube-apiserver answers 429 as well. */
const fillTimeoutMs = 10_000;
/** How long a read waits for a revision that isn't there yet, as kube-apiserver. */
const reachTimeoutMs = 3_000;
/** Back-off between two attempts at a store that is away. */
const minBackoffMs = 50;
const maxBackoffMs = 2_000;
/** Items of one page while filling: enough to amortise the call, small enough for one message. */
const fillPage = 500;
/** A page that takes longer has failed. */
const fillCallMs = 30_000;

interface Waiter {
  readonly revision: bigint;
  readonly resolve: () => void;
}

/** Creates a feed and starts to fill it. */
export function createFeed(options: FeedOptions): Feed {
  const { definition, client, present, own, log } = options;
  const about = { resource: definition.plural, group: definition.group };
  const stop = new AbortController();
  const subscribers = new Set<Subscriber>();
  const copy = new Map<string, CachedObject>();
  const waiters = new Set<Waiter>();
  const readyWaiters = new Set<(error: StatusError | undefined) => void>();
  let ring = new Ring<FeedEvent>(0n, ringLimits);
  let sorted: CachedObject[] | undefined;
  let revision = 0n;
  let epoch = "";
  let copyBytes = 0;
  let filled = false;

  void run();

  async function run(): Promise<void> {
    let backoffMs = minBackoffMs;
    while (!stop.signal.aborted) {
      try {
        if (!filled) await fill();
        await follow(() => {
          backoffMs = minBackoffMs;
        });
      } catch (error) {
        if (stop.signal.aborted) return;
        if (error instanceof StatusError && error.status.code === 410) {
          lose(error);
          // Where its watch began is gone: it has nobody else to fill itself again for.
          if (own !== undefined) return settleReady(error);
          continue;
        }
        log.warn({ ...about, error: (error as Error).message }, "the feed from the store broke; it will be resumed");
        if (!filled)
          settleReady(error instanceof StatusError ? error : serviceUnavailable("the store can't be read", 1));
      }
      await sleep(backoffMs, stop.signal);
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
    }
  }

  async function fill(): Promise<void> {
    copy.clear();
    copyBytes = 0;
    const read: ReadAt = own?.startAt === undefined ? { at: "latest" } : { at: "exact", revision: own.startAt };
    let continueToken: Uint8Array = new Uint8Array();
    let mark: { revision: bigint; epoch: string } | undefined;
    do {
      const page = await client.list(
        { namespace: "", read, limit: fillPage, continueToken },
        { ...(own?.caller ?? nobody), timeoutMs: fillCallMs, signal: stop.signal },
      );
      // Pages of a store without snapshots may be newer than the first mark; following from the
      // first mark repairs them.
      mark ??= { revision: page.revision, epoch: page.epoch };
      for (const item of page.items) put(cachedObject(item));
      continueToken = page.continueToken;
    } while (continueToken.length > 0);
    revision = mark.revision;
    epoch = mark.epoch;
    sorted = undefined;
    ring = new Ring<FeedEvent>(revision, ringLimits);
    filled = true;
    settleReady(undefined);
    settleWaiters();
  }

  async function follow(onAlive: () => void): Promise<void> {
    for await (const frame of client.watch({ after: revision, epoch, caller: own?.caller, signal: stop.signal })) {
      onAlive();
      switch (frame.frame) {
        case "started":
          if (frame.epoch !== epoch) throw expired("The store began a new epoch.");
          break;
        case "events":
          apply(frame.events);
          break;
        case "progress":
          advance(frame.revision);
          break;
        case "expired":
          throw expired("The resourceVersion for the provided watch is too old.");
      }
    }
  }

  function apply(changes: readonly StoreEvent[]): void {
    const events: FeedEvent[] = [];
    for (const change of changes) {
      if (change.object.revision <= revision) continue;
      const before = copy.get(keyOf(change.object));
      const after = change.type === "put" ? cachedObject(change.object) : undefined;
      const event = feedEvent(change, before, after);
      if (after !== undefined) put(after);
      else remove(change.object);
      revision = change.object.revision;
      ring.push(event);
      events.push(event);
    }
    if (events.length === 0) return;
    sorted = undefined;
    for (const subscriber of [...subscribers]) subscriber.events(events);
    settleWaiters();
    if (copyBytes > maxCopyBytes) throw new Error(`the copy of ${definition.plural} passed ${maxCopyBytes} bytes`);
  }

  function advance(to: bigint): void {
    if (to <= revision) return;
    revision = to;
    for (const subscriber of [...subscribers]) subscriber.progress(revision);
    settleWaiters();
  }

  /** History is gone: everybody starts over. */
  function lose(status: StatusError): void {
    log.info(about, "the store's history is gone; watchers start over");
    filled = false;
    endAll(status);
  }

  function endAll(status: StatusError | undefined): void {
    const ended = [...subscribers];
    subscribers.clear();
    for (const subscriber of ended) subscriber.end(status);
  }

  function cachedObject(stored: StoredObject): CachedObject {
    const views = new Map<string, ObjectView>();
    return {
      stored,
      view(version) {
        let view = views.get(version.name);
        if (view === undefined) {
          view = present(definition, version, stored, stored.revision);
          views.set(version.name, view);
        }
        return view;
      },
    };
  }

  function feedEvent(change: StoreEvent, before: CachedObject | undefined, after: CachedObject | undefined): FeedEvent {
    const last = before?.stored ?? change.object;
    const views = new Map<string, ObjectView>();
    return {
      revision: change.object.revision,
      cost: change.object.json.length + (before?.stored.json.length ?? 0),
      before,
      after,
      frames: new Map(),
      gone(version) {
        let view = views.get(version.name);
        if (view === undefined) {
          view = present(definition, version, last, change.object.revision);
          views.set(version.name, view);
        }
        return view;
      },
    };
  }

  function put(object: CachedObject): void {
    const key = keyOf(object.stored);
    copyBytes += object.stored.json.length - (copy.get(key)?.stored.json.length ?? 0);
    copy.set(key, object);
  }

  function remove(object: StoredObject): void {
    const key = keyOf(object);
    copyBytes -= copy.get(key)?.stored.json.length ?? 0;
    copy.delete(key);
  }

  function settleReady(error: StatusError | undefined): void {
    const settled = [...readyWaiters];
    readyWaiters.clear();
    for (const settle of settled) settle(error);
  }

  function settleWaiters(): void {
    for (const waiter of [...waiters]) {
      if (waiter.revision > revision) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  }

  return {
    get revision() {
      return revision;
    },
    async ready(signal) {
      if (filled) return;
      if (stop.signal.aborted) throw serviceUnavailable("the resource is no longer served", 1);
      await new Promise<void>((resolve, reject) => {
        const settle = (error: StatusError | undefined) => {
          clearTimeout(timer);
          signal.removeEventListener("abort", onAbort);
          readyWaiters.delete(settle);
          if (error === undefined) resolve();
          else reject(error);
        };
        const onAbort = () => settle(tooManyRequests("storage is (re)initializing", 1));
        const timer = setTimeout(onAbort, fillTimeoutMs);
        signal.addEventListener("abort", onAbort, { once: true });
        readyWaiters.add(settle);
      });
    },
    async reach(wanted) {
      if (wanted <= revision) return;
      await new Promise<void>((resolve, reject) => {
        const waiter = {
          revision: wanted,
          resolve: () => {
            clearTimeout(timer);
            resolve();
          },
        };
        const timer = setTimeout(() => {
          waiters.delete(waiter);
          reject(tooLargeResourceVersion(wanted, revision));
        }, reachTimeoutMs);
        waiters.add(waiter);
      });
    },
    objects() {
      sorted ??= [...copy.values()].sort((a, b) => compareKeys(a.stored, b.stored));
      return sorted;
    },
    subscribe(after, subscriber) {
      const missed = ring.after(after);
      if (missed === undefined) throw expired(`too old resource version: ${after} (${ring.floor})`);
      subscribers.add(subscriber);
      if (missed.length > 0) subscriber.events(missed);
      return () => subscribers.delete(subscriber);
    },
    close() {
      stop.abort();
      own?.onClose();
      settleReady(serviceUnavailable("the resource is no longer served", 1));
      endAll(undefined);
    },
  };
}

/** Orders keys as Kubernetes lists them: `namespace/name`, by bytes. */
export function compareKeys(a: StoredObject, b: StoredObject): number {
  if (a.namespace !== b.namespace) return `${a.namespace}/` < `${b.namespace}/` ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

const keyOf = (object: StoredObject): string => `${object.namespace}/${object.name}`;

/** The gateway asks for itself. */
const nobody = { requestId: "", user: undefined, userAgent: "", clientVersion: "" };

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
