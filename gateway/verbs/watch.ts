/**
 * Watch: the events after a revision, as one client is to see them.
 *
 * A selector makes each watcher's world smaller, so one change may be ADDED to one watcher and
 * DELETED to the next. States: starting (errors are answers), streaming (errors are ERROR events),
 * ended. What ends it: the deadline, the client, lost history, a client that doesn't read, the
 * resource going away.
 * Source: reference of the API concepts; apiserver pkg/endpoints/handlers/watch.go.
 */

import { parseGoUint64 } from "../apimachinery/go-text.ts";
import { formatGroupVersion } from "../apimachinery/gvk.ts";
import type { ByteSink, HttpAnswer } from "../apimachinery/http.ts";
import type { ListOptions } from "../apimachinery/options.ts";
import type { ServedResource } from "../apimachinery/resource.ts";
import { internalError, StatusError, unknownError } from "../apimachinery/status.ts";
import { eventRenderer } from "../render/render.ts";
import type {
  CachedObject,
  FeedEvent,
  Initial,
  OpenSource,
  Subscriber,
  WatchSource,
} from "../watchcache/watchcache.ts";
import { sightOf } from "./ownership.ts";
import { keyRange, parseSelection } from "./selection.ts";
import { isTabulated, tabulate } from "./tabulate.ts";
import { callOf, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { DirectFrames, tabulatedFrames, type WatchFrames } from "./watch-frames.ts";
import { holdView, WatchView } from "./watch-view.ts";

/** A watch without timeoutSeconds lasts between this and twice this: clients must not all return at once. */
const minTimeoutMs = 1_800_000;
/** A client that leaves more than this unread is cut off alone; it resumes where it was. */
const maxQueuedBytes = 8 * 1024 * 1024;
/** A bookmark comes once more this long before the deadline, as kube-apiserver's. */
const bookmarkBeforeEndMs = 2_000;
/** Initial objects, and bytes of them, that are handed to the socket together: soon made, and as much as it takes at once. */
const initialBatch = 100;
const initialBatchBytes = 256 * 1024;
const initialEventsEnd = { "k8s.io/initial-events-end": "true" };

const lateStatus = new StatusError({ code: 500, reason: "InternalError", message: "context deadline exceeded" });

/** Where a watch begins, and what it shows first. */
interface Start {
  /** Deliver changes after this revision. */
  readonly after: bigint;
  /** Objects to show as ADDED before anything else. */
  readonly initial: Pick<Initial, "objects" | "more">;
  /** Whether the end of the initial objects is marked with a bookmark. */
  readonly mark: boolean;
}

/**
 * Answers a watch.
 * @throws StatusError for what is known before the stream begins: selectors, an unparsable
 *   resourceVersion, a store that is away, a cache that isn't filled.
 */
export async function watch(request: VerbRequest, tools: VerbTools, given: ListOptions): Promise<HttpAnswer> {
  const sees = await sightOf(request, tools);
  const selected = parseSelection(request, given, sees);
  // No event is about a list, and no bookmark, so who asks for lists is shown nothing.
  const isOfLists = request.form.as === "PartialObjectMetadataList";
  const selection = isOfLists ? { ...selected, matches: () => false } : selected;
  const options = isOfLists ? { ...given, allowWatchBookmarks: false } : given;
  const asked = parseRevision(options.resourceVersion);
  const begun = await begin(request, tools, options, asked);
  const { form, info, resource, includeObject } = request;
  const view = new WatchView({
    ...{ selection, version: resource.version, observe: tools.observeWatch(resource) },
    renderer: eventRenderer(form, tools.columnsOf(resource), includeObject),
  });
  return {
    status: 200,
    headers: { "Content-Type": form.mediaType },
    longRunning: true,
    body: {
      start(sink) {
        if ("status" in begun) {
          sink.write([view.renderer.error(begun.status.status)]);
          sink.end();
          return;
        }
        const { feed, release } = begun.source;
        sink.onClose(release);
        const { name: version } = resource.version;
        const { labelSelector, fieldSelector } = options;
        const asked = [version, view.renderer.sharedKey, info.namespace, info.name, labelSelector, fieldSelector];
        const isAlone = sees !== undefined || !view.renderer.isShared;
        const shared = isAlone ? { view, release: doNothing } : holdView(feed, asked, view);
        sink.onClose(shared.release);
        const made = { sink, view: shared.view, log: tools.log };
        const frames = isTabulated(request)
          ? tabulatedFrames(made, async (views, signal) => await tabulate({ ...request, signal }, tools, views))
          : new DirectFrames(made);
        const { random, bookmarkEveryMs } = tools;
        new Watch({ sink, feed, view: shared.view, frames, start: begun, resource }).begin(options, {
          random,
          bookmarkEveryMs,
        });
      },
    },
  };
}

const doNothing = (): void => {};

function parseRevision(text: string): bigint | undefined {
  if (text === "") return undefined;
  try {
    return parseGoUint64(text);
  } catch (error) {
    throw unknownError(`resourceVersion: Invalid value: ${JSON.stringify(text)}: ${(error as Error).message}`);
  }
}

/** Finds where to begin. What fails once the stream is due is given back, to be told as an event. */
async function begin(
  request: VerbRequest,
  tools: VerbTools,
  options: ListOptions,
  asked: bigint | undefined,
): Promise<(Start & { readonly source: OpenSource }) | { readonly status: StatusError }> {
  // Its time was over before it began.
  if ((options.timeoutSeconds ?? 0) < 0) return { status: lateStatus };
  let source: OpenSource;
  try {
    source = await tools.watchcache.source(request.resource.definition, { caller: callOf(request), after: asked });
  } catch (error) {
    if (error instanceof StatusError && error.status.code === 410) return { status: error };
    throw error;
  }
  try {
    const start = await startIn(source.feed, request, tools, options, asked);
    if (!("status" in start)) return { ...start, source };
    source.release();
    return start;
  } catch (error) {
    source.release();
    throw error;
  }
}

async function startIn(
  feed: WatchSource,
  request: VerbRequest,
  tools: VerbTools,
  options: ListOptions,
  asked: bigint | undefined,
): Promise<Start | { readonly status: StatusError }> {
  const sendInitial = options.sendInitialEvents;
  const mark = sendInitial === true && options.allowWatchBookmarks;
  const isAny = asked === 0n;
  const { definition } = request.resource;
  if (asked === undefined) {
    // "Now" means every write that was acknowledged before this request.
    const head = definition.perUserReads
      ? await tools.registry.client(definition).currentRevision(callOf(request))
      : await tools.watchcache.head(definition);
    await feed.reach(head.lastChange ?? head.revision);
  } else if (sendInitial === true && !isAny) {
    try {
      await feed.reach(asked);
    } catch (error) {
      if (error instanceof StatusError) return { status: error };
      throw error;
    }
  }
  // Who has listed at the store is ahead of the next poll, whose deletes have the lowest revisions there are.
  if (definition.polledWatchMs > 0 && asked !== undefined) await feed.reach(asked);
  const isFromNow = sendInitial === false && (asked === undefined || isAny);
  if (isFromNow) return { after: feed.revision, initial: nothing, mark: false };
  if (asked !== undefined && !isAny && sendInitial !== true) return { after: asked, initial: nothing, mark: false };
  const initial = await feed.initial(keyRange(request), request.info.namespace);
  return { after: initial.revision, initial, mark };
}

const nothing: Pick<Initial, "objects" | "more"> = { objects: [].values() };

/** When bookmarks come, and the end if the client didn't say. */
type Pace = Pick<VerbTools, "random" | "bookmarkEveryMs">;

/** One watch that streams. */
class Watch implements Subscriber {
  readonly #sink: ByteSink;
  readonly #feed: WatchSource;
  readonly #view: WatchView;
  readonly #frames: WatchFrames;
  readonly #start: Start;
  #initial: Iterator<CachedObject>;
  readonly #resource: ServedResource;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Up to this revision the client has been told all. */
  #sent: bigint;
  #isFollowing = false;
  #unsubscribe: (() => void) | undefined;

  constructor({ sink, feed, view, frames, start, resource }: WatchOptions) {
    this.#sink = sink;
    this.#feed = feed;
    this.#view = view;
    this.#frames = frames;
    this.#start = start;
    this.#initial = start.initial.objects;
    this.#resource = resource;
    this.#sent = start.after;
  }

  /** Sends until something ends it. */
  begin(options: ListOptions, pace: Pace): void {
    this.#sink.onClose(() => this.#finish());
    this.#startTimers(options, pace);
    this.#sendInitial();
  }

  events(events: readonly FeedEvent[]): void {
    const [first] = events;
    const fresh = first !== undefined && first.revision > this.#sent ? events : events.filter(this.#isFresh, this);
    const isTaken = this.#frames.changes(fresh);
    this.#sent = fresh.at(-1)?.revision ?? this.#sent;
    // Its own back-pressure is the client's affair: it holds back neither the feed nor anyone else.
    if (isTaken || this.#sink.closed || this.#frames.queuedBytes <= maxQueuedBytes) return;
    this.#view.observe.terminated();
    this.#sink.abort();
  }

  progress(revision: bigint): void {
    if (revision > this.#sent) this.#sent = revision;
  }

  end(status: StatusError | undefined): void {
    if (status !== undefined) this.#frames.frame(this.#view.renderer.error(status.status));
    this.#frames.end();
  }

  /** Shows the initial objects as fast as the client reads; only then does it follow the feed. */
  #sendInitial(): void {
    const initial = this.#initial;
    for (let isDone = false; !isDone; ) {
      for (let [shown, bytes] = [0, 0]; !isDone && shown < initialBatch && bytes < initialBatchBytes; ) {
        const next = initial.next();
        isDone = next.done === true;
        if (next.done === true || !this.#view.matches(next.value)) continue;
        this.#frames.event("ADDED", next.value);
        shown++;
        bytes += next.value.view(this.#view.version).json.length;
      }
      if (this.#sink.closed) return;
      if (!this.#frames.flush()) {
        this.#frames.onDrain(() => this.#sendInitial());
        return;
      }
    }
    const { more } = this.#start.initial;
    if (more === undefined) this.#endInitial();
    else void this.#sendMore(more);
  }

  /** Shows what the store has yet to give of the initial objects. */
  async #sendMore(more: NonNullable<Initial["more"]>): Promise<void> {
    try {
      const next = await more();
      if (this.#sink.closed) return;
      if (next === undefined) return this.#endInitial();
      this.#initial = next;
      this.#sendInitial();
    } catch (error) {
      this.end(error instanceof StatusError ? error : internalError("the initial objects can't be shown"));
    }
  }

  #endInitial(): void {
    if (this.#start.mark) this.#sendBookmark(this.#start.after, initialEventsEnd);
    this.#follow();
  }

  #follow(): void {
    this.#isFollowing = true;
    try {
      this.#unsubscribe = this.#feed.subscribe(this.#start.after, this);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.end(error);
    }
    if (this.#sink.closed) this.#unsubscribe?.();
  }

  #isFresh({ revision }: FeedEvent): boolean {
    return revision > this.#sent;
  }

  #sendBookmark(revision: bigint, annotations?: Record<string, string>): void {
    const { definition, version } = this.#resource;
    const bookmark = this.#view.renderer.bookmark({
      apiVersion: formatGroupVersion(definition.group, version.name),
      kind: definition.kind,
      resourceVersion: String(revision),
      ...(annotations === undefined ? {} : { annotations }),
    });
    this.#frames.frame(bookmark);
    this.#frames.flush();
  }

  #startTimers({ timeoutSeconds, allowWatchBookmarks }: ListOptions, { random, bookmarkEveryMs }: Pace): void {
    const timeoutMs =
      timeoutSeconds !== undefined && timeoutSeconds > 0 ? timeoutSeconds * 1000 : minTimeoutMs * (1 + random());
    this.#timers.push(setTimeout(() => this.#sink.end(), timeoutMs));
    if (!allowWatchBookmarks) return;
    const sendDue = () => {
      // Whoever resumes from a bookmark would never see the initial objects that were still to come.
      if (this.#isFollowing && this.#sent > 0n) this.#sendBookmark(this.#sent);
    };
    // Spread over a tenth of the period, so that watchers opened together don't all wake together.
    this.#timers.push(setInterval(sendDue, bookmarkEveryMs * (1 - random() / 10)));
    if (timeoutMs > 2 * bookmarkBeforeEndMs) this.#timers.push(setTimeout(sendDue, timeoutMs - bookmarkBeforeEndMs));
  }

  #finish(): void {
    this.#unsubscribe?.();
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

/** What a watch streams, and where. */
interface WatchOptions {
  readonly sink: ByteSink;
  readonly feed: WatchSource;
  readonly view: WatchView;
  readonly frames: WatchFrames;
  readonly start: Start;
  readonly resource: ServedResource;
}
