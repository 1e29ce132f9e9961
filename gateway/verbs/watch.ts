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
import { StatusError, unknownError } from "../apimachinery/status.ts";
import { type EventRenderer, eventRenderer } from "../render/render.ts";
import type { CachedObject, Feed, FeedEvent } from "../watchcache/watchcache.ts";
import { sightOf } from "./ownership.ts";
import { keyRange, parseSelection, type Selection } from "./selection.ts";
import { isTabulated, tabulate } from "./tabulate.ts";
import { callOf, type ObserveWatch, type VerbRequest, type VerbTools } from "./verb-request.ts";
import { directFrames, tabulatedFrames, type WatchFrames } from "./watch-frames.ts";

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
  readonly initial: Iterator<CachedObject>;
  /** Whether the end of the initial objects is marked with a bookmark. */
  readonly mark: boolean;
  /** Revision up to which the feed must have come before the mark is sent. */
  readonly markAt: bigint;
}

/**
 * Answers a watch.
 * @throws StatusError for what is known before the stream begins: selectors, an unparsable
 *   resourceVersion, a store that is away, a cache that isn't filled.
 */
export async function watch(request: VerbRequest, tools: VerbTools, given: ListOptions): Promise<HttpAnswer> {
  const selected = parseSelection(request, given, await sightOf(request, tools));
  // No event is about a list, and no bookmark, so who asks for lists is shown nothing.
  const isOfLists = request.form.as === "PartialObjectMetadataList";
  const selection = isOfLists ? { ...selected, matches: () => false } : selected;
  const options = isOfLists ? { ...given, allowWatchBookmarks: false } : given;
  const asked = parseRevision(options.resourceVersion);
  const { definition } = request.resource;
  // What a read shows depends on who asks: then nobody shares the stream.
  const feed = definition.perUserReads
    ? tools.watchcache.ownFeed(definition, callOf(request), asked)
    : tools.watchcache.feed(definition);
  const release = definition.perUserReads ? () => feed.close() : () => {};
  let begun: Awaited<ReturnType<typeof begin>>;
  try {
    begun = await begin(feed, request, tools, options, asked);
  } catch (error) {
    release();
    throw error;
  }
  const renderer = eventRenderer(request.form, tools.columnsOf(request.resource), request.includeObject);
  return {
    status: 200,
    headers: { "Content-Type": request.form.mediaType },
    longRunning: true,
    body: {
      start(sink) {
        sink.onClose(release);
        if ("status" in begun) {
          sink.write([renderer.error(begun.status.status)]);
          sink.end();
          return;
        }
        const observe = tools.observeWatch(request.resource);
        const made = { sink, renderer, version: request.resource.version, observe, log: tools.log };
        stream({
          sink,
          feed,
          selection,
          renderer,
          frames: isTabulated(request)
            ? tabulatedFrames(made, async (views, signal) => await tabulate({ ...request, signal }, tools, views))
            : directFrames(made),
          start: begun,
          resource: request.resource,
          options,
          random: tools.random,
          bookmarkEveryMs: tools.bookmarkEveryMs,
          observe,
        });
      },
    },
  };
}

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
  feed: Feed,
  request: VerbRequest,
  tools: VerbTools,
  options: ListOptions,
  asked: bigint | undefined,
): Promise<Start | { status: StatusError }> {
  const sendInitial = options.sendInitialEvents;
  const mark = sendInitial === true && options.allowWatchBookmarks;
  const isAny = asked === 0n;
  // Its time was over before it began.
  if ((options.timeoutSeconds ?? 0) < 0) return { status: lateStatus };
  try {
    await feed.ready(request.signal);
  } catch (error) {
    if (error instanceof StatusError && error.status.code === 410) return { status: error };
    throw error;
  }
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
  if (isFromNow) return { after: feed.revision, initial: none(), mark: false, markAt: 0n };
  if (asked === undefined || isAny || sendInitial === true) {
    return { after: feed.revision, initial: initialObjects(feed, request), mark, markAt: feed.revision };
  }
  return { after: asked, initial: none(), mark: false, markAt: 0n };
}

/** The objects that the URL is about, in order, of the state of now: later changes don't touch it. */
function initialObjects(feed: Feed, request: VerbRequest): Iterator<CachedObject> {
  return feed.state()?.objects.values(keyRange(request)) ?? none();
}

function* none(): Generator<never, void, undefined> {}

interface Streaming {
  readonly sink: ByteSink;
  readonly feed: Feed;
  readonly selection: Selection;
  readonly renderer: EventRenderer;
  readonly frames: WatchFrames;
  readonly start: Start;
  readonly resource: ServedResource;
  readonly options: ListOptions;
  readonly random: () => number;
  readonly bookmarkEveryMs: number;
  readonly observe: ObserveWatch;
}

function stream(watcher: Streaming): void {
  const { sink, feed, selection, renderer, frames, start, resource, options, observe } = watcher;
  const { definition, version } = resource;
  const apiVersion = formatGroupVersion(definition.group, version.name);
  const timers: NodeJS.Timeout[] = [];
  let sent = start.after;
  let isFollowing = false;
  let unsubscribe = (): void => {};

  sink.onClose(finishWatch);
  startTimers();
  sendInitial();

  /** Shows the initial objects as fast as the client reads; only then does it follow the feed. */
  function sendInitial(): void {
    for (let isDone = false; !isDone; ) {
      for (let [shown, bytes] = [0, 0]; !isDone && shown < initialBatch && bytes < initialBatchBytes; ) {
        const next = start.initial.next();
        isDone = next.done === true;
        if (next.done === true) continue;
        const view = next.value.view(version);
        if (!selection.matches(next.value.stored, view)) continue;
        frames.event("ADDED", next.value);
        shown++;
        bytes += view.json.length;
      }
      if (sink.closed) return;
      if (!frames.flush()) {
        frames.onDrain(sendInitial);
        return;
      }
    }
    if (start.mark) send(bookmark(start.markAt, initialEventsEnd));
    follow();
  }

  function follow(): void {
    isFollowing = true;
    try {
      unsubscribe = feed.subscribe(start.after, {
        events(events) {
          for (const event of events) {
            if (event.revision <= sent) continue;
            show(event);
            sent = event.revision;
          }
          frames.flush();
          // Its own back-pressure is the client's affair: it holds back neither the feed nor anyone else.
          if (sink.closed || frames.queuedBytes <= maxQueuedBytes) return;
          observe.terminated();
          sink.abort();
        },
        progress(revision) {
          if (revision > sent) sent = revision;
        },
        end(status) {
          if (status !== undefined) frames.frame(renderer.error(status.status));
          frames.end();
        },
      });
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      frames.frame(renderer.error(error.status));
      frames.end();
    }
    if (sink.closed) unsubscribe();
  }

  function show(event: FeedEvent): void {
    const before = event.before !== undefined && selection.matches(event.before.stored, event.before.view(version));
    const after = event.after !== undefined && selection.matches(event.after.stored, event.after.view(version));
    if (!before && !after) return;
    const type = after ? (before ? "MODIFIED" : "ADDED") : "DELETED";
    frames.event(type, after && event.after ? event.after : event.gone);
  }

  function send(frame: Buffer): void {
    frames.frame(frame);
    frames.flush();
  }

  function bookmark(revision: bigint, annotations?: Record<string, string>): Buffer {
    return renderer.bookmark({
      apiVersion,
      kind: definition.kind,
      resourceVersion: String(revision),
      ...(annotations === undefined ? {} : { annotations }),
    });
  }

  function startTimers(): void {
    const timeoutMs =
      options.timeoutSeconds !== undefined && options.timeoutSeconds > 0
        ? options.timeoutSeconds * 1000
        : minTimeoutMs * (1 + watcher.random());
    timers.push(setTimeout(() => sink.end(), timeoutMs));
    if (!options.allowWatchBookmarks) return;
    const sendBookmark = () => {
      // Whoever resumes from a bookmark would never see the initial objects that were still to come.
      if (isFollowing && sent > 0n) send(bookmark(sent));
    };
    // Spread over a tenth of the period, so that watchers opened together don't all wake together.
    timers.push(setInterval(sendBookmark, watcher.bookmarkEveryMs * (1 - watcher.random() / 10)));
    if (timeoutMs > 2 * bookmarkBeforeEndMs) timers.push(setTimeout(sendBookmark, timeoutMs - bookmarkBeforeEndMs));
  }

  function finishWatch(): void {
    unsubscribe();
    for (const timer of timers) clearTimeout(timer);
  }
}
