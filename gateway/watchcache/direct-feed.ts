/**
 * A feed without a copy: the store's own watch, for one watch of a resource that is too large to be kept.
 *
 * States: waiting (until it is subscribed to), following, broken (the store is away: it resumes where it was),
 * ended. Lost history, a new epoch and a store that lies end it with 410, closing without an error.
 * It needs a store that tells what an object was before it changed, as nobody here remembers, and whose pages are
 * of one state.
 */
import { pause } from "../apimachinery/pause.ts";
import type { ResourceDefinition } from "../apimachinery/resource.ts";
import { expired, internalError, type StatusError, tooLargeResourceVersion } from "../apimachinery/status.ts";
import type { ListCall, ListPage, ResourceClient, StoreEvent, WatchFrame } from "../registry/registry.ts";
import type { Presenter } from "./cached-object.ts";
import type { Initial, Subscriber, WatchSource } from "./feed.ts";
import { type FeedEvent, feedEventMaker } from "./feed-event.ts";
import { assertNext, assertProgress, lossOf, type StoreLied } from "./guard.ts";
import { nobody } from "./history.ts";

/** What one is made with. */
export interface DirectFeedOptions {
  readonly definition: ResourceDefinition;
  readonly client: ResourceClient;
  readonly presenter: Presenter;
  readonly onClose: () => void;
  /** The store told what can't be true. */
  readonly onLie: (error: StoreLied) => void;
  readonly log: { error(fields: object, message: string): void };
}

/** Objects of one page of the initial ones: soon read, and all that is held of them. */
const pageItems = 500;
/** A page that takes longer has failed. */
const pageMs = 30_000;
/** Back-off between two attempts at a store that is away. */
const minBackoffMs = 50;
const maxBackoffMs = 2_000;

/** Whether a resource can be watched this way. */
export function canBeDirect({ capabilities, polledWatchMs }: ResourceDefinition): boolean {
  const { resume, previousObject, snapshotList, hookConvert } = capabilities;
  return resume && previousObject && snapshotList && !hookConvert && polledWatchMs === 0;
}

/** Creates one. It is ready once it knows its store's head. */
export function createDirectFeed(options: DirectFeedOptions): WatchSource & { close(): void } {
  const { definition, client, presenter, onClose, onLie, log } = options;
  const make = feedEventMaker(presenter);
  const stop = new AbortController();
  let subscriber: Subscriber | undefined;
  let revision = 0n;
  let epoch = "";

  async function run(after: bigint): Promise<void> {
    let backoffMs = minBackoffMs;
    let seen = after;
    const follow = async () => {
      const frames = client.watch({ after: seen, epoch, previous: true, caller: undefined, signal: stop.signal });
      for await (const frame of frames) {
        if (stop.signal.aborted) return;
        seen = take(frame, seen);
        backoffMs = minBackoffMs;
      }
    };
    while (!stop.signal.aborted) {
      await follow().catch((error: unknown) => {
        const status = lossOf(error, onLie);
        if (status !== undefined) finish(status);
      });
      await pause(backoffMs, stop.signal);
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
    }
  }

  /** Tells what a frame says; gives up to which revision all is told. */
  function take(frame: WatchFrame, seen: bigint): bigint {
    switch (frame.frame) {
      case "started":
        if (frame.epoch !== epoch) throw expired("The store began a new epoch.");
        return seen;
      case "events":
        return tell(frame.events, seen);
      case "progress":
        assertProgress(frame.revision, seen);
        subscriber?.progress(frame.revision);
        return frame.revision;
      case "expired":
        throw expired("The resourceVersion for the provided watch is too old.");
    }
  }

  function tell(changes: readonly StoreEvent[], after: bigint): bigint {
    let seen = after;
    const events: FeedEvent[] = [];
    for (const change of changes) {
      assertNext(change, seen);
      seen = change.object.revision;
      const before = change.previous && make.object(change.previous);
      events.push(make.event(change, before, change.type === "put" ? make.object(change.object) : undefined, 0));
    }
    try {
      subscriber?.events(events);
    } catch (error) {
      const about = { resource: definition.plural, group: definition.group };
      log.error({ ...about, error: (error as Error).message }, "a watch can't show a change, and ends");
      finish(internalError("the change can't be shown"));
    }
    return seen;
  }

  function finish(status: StatusError | undefined): void {
    if (stop.signal.aborted) return;
    stop.abort();
    onClose();
    subscriber?.end(status);
  }

  async function listPage(
    page: Pick<ListCall, "namespace" | "limit">,
    continueToken: Uint8Array = new Uint8Array(),
  ): Promise<ListPage> {
    const call = { ...nobody, timeoutMs: pageMs, signal: stop.signal };
    return await client.list({ ...page, read: { at: "latest" }, continueToken }, call);
  }

  /** A list tells the head with its epoch. */
  async function askHead(): Promise<void> {
    ({ revision, epoch } = await listPage({ namespace: "", limit: 1 }));
  }

  return {
    get revision() {
      return revision;
    },
    ready: askHead,
    async reach(wanted) {
      if (wanted > revision) await askHead();
      if (wanted > revision) throw tooLargeResourceVersion(wanted, revision);
    },
    async initial(_range, namespace): Promise<Initial> {
      const page = { namespace, limit: pageItems };
      const first = await listPage(page);
      ({ revision, epoch } = first);
      const { revision: at } = first;
      let { continueToken } = first;
      const objectsOf = ({ items }: ListPage) => items.map((item) => make.object(item)).values();
      return {
        revision: at,
        objects: objectsOf(first),
        async more() {
          if (continueToken.length === 0) return undefined;
          // By the token it is of the first one's state: that can be asked for by itself only where EXACT_READ is.
          const next = await listPage(page, continueToken);
          ({ continueToken } = next);
          return objectsOf(next);
        },
      };
    },
    subscribe(after, to) {
      subscriber = to;
      // A watch from the future leaves out by itself what is before it.
      void run(after < revision ? after : revision);
      return () => {
        subscriber = undefined;
      };
    },
    close: () => finish(undefined),
  };
}
