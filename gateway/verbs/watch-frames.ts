/**
 * The frames of one watch on their way to its client, in the order of what they are about.
 *
 * Nearly all are made at once. Where the store makes a Table's cells, rows wait for it, and what stands
 * behind a row waits with it: a bookmark, the end. The store is asked about many rows together, one
 * question at a time, and the next one only when the client has taken what the last one gave.
 */
import type { ByteSink } from "../apimachinery/http.ts";
import type { JsonValue } from "../apimachinery/json.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import { internalError, StatusError } from "../apimachinery/status.ts";
import type { EventType } from "../render/render.ts";
import type { CachedObject, FeedEvent } from "../watchcache/watchcache.ts";
import type { WatchView } from "./watch-view.ts";

/** What a watch makes goes in here. */
export interface WatchFrames {
  /** Hands over, behind all that was, what is seen of changes. False: the client hasn't taken all that it was given. */
  changes(events: readonly FeedEvent[]): boolean;
  /** Adds an object's frame. */
  event(type: EventType, object: CachedObject): void;
  /** Adds a frame that is made. */
  frame(frame: Buffer): void;
  /** Hands over what was added. False: who can wait waits for `onDrain`. */
  flush(): boolean;
  /** Calls back once all that was added is on its way. */
  onDrain(callback: () => void): void;
  /** What the client has not taken. */
  readonly queuedBytes: number;
  /** Ends the stream behind all that was added. */
  end(): void;
}

/** What frames are made with. */
export interface WatchFramesOptions {
  readonly sink: ByteSink;
  readonly view: WatchView;
  readonly log: { error(fields: object, message: string): void };
}

/**
 * Gives the cells of each object beside its name; undefined: by the columns' paths. Aborted when the
 * watch has ended. @throws StatusError.
 */
export type CellsOf = (
  views: readonly ObjectView[],
  signal: AbortSignal,
) => Promise<readonly (readonly JsonValue[])[] | undefined>;

/** Rows of one question to the store: enough that a question's price doesn't count, and soon answered. */
const rowsAtOnce = 100;

/** Makes each frame as it is added. A class, as the sink is one: thousands of them are called one after the other. */
export class DirectFrames implements WatchFrames {
  readonly #sink: ByteSink;
  readonly #view: WatchView;
  #pending: Buffer[] | undefined;

  constructor({ sink, view }: Pick<WatchFramesOptions, "sink" | "view">) {
    this.#sink = sink;
    this.#view = view;
  }

  changes(events: readonly FeedEvent[]): boolean {
    const frames = this.#view.frames(events);
    for (const frame of frames) this.#view.observe.event(frame.length);
    return this.#sink.write(frames);
  }

  event(type: EventType, object: CachedObject): void {
    this.frame(this.#view.frame(type, object));
  }

  frame(frame: Buffer): void {
    this.#view.observe.event(frame.length);
    this.#pending ??= [];
    this.#pending.push(frame);
  }

  flush(): boolean {
    if (this.#pending === undefined) return true;
    const frames = this.#pending;
    this.#pending = undefined;
    return this.#sink.write(frames) || this.#sink.queuedBytes === 0;
  }

  onDrain(callback: () => void): void {
    this.#sink.onDrain(callback);
  }

  get queuedBytes(): number {
    return this.#sink.queuedBytes;
  }

  end(): void {
    this.flush();
    this.#sink.end();
  }
}

interface Row {
  readonly type: EventType;
  readonly view: ObjectView;
}

/** Makes rows with the store's cells. What the store fails with is told as an ERROR event, the last one. */
export function tabulatedFrames(options: WatchFramesOptions, cellsOf: CellsOf): WatchFrames {
  const { sink, view, log } = options;
  const { renderer, version, observe } = view;
  const waiting: (Buffer | Row)[] = [];
  const drainers: (() => void)[] = [];
  let waitingBytes = 0;
  let isWorking = false;
  let isEnding = false;
  let resume = (): void => {};
  const stop = new AbortController();
  sink.onClose(() => {
    stop.abort();
    resume();
  });

  function add(item: Buffer | Row): void {
    waiting.push(item);
    waitingBytes += sizeOf(item);
  }

  async function work(): Promise<void> {
    isWorking = true;
    try {
      while (waiting.length > 0 && !sink.closed) await send(waiting.splice(0, rowsAtOnce));
    } catch (error) {
      // Nobody waits for this work: what is thrown on would end the process.
      if (!(error instanceof StatusError)) log.error({ err: error }, "the rows of a watch can't be made");
      const { status } = error instanceof StatusError ? error : internalError("the rows can't be made");
      sink.write([renderer.error(status)]);
      sink.end();
    }
    isWorking = false;
    if (isEnding) sink.end();
    for (const drainer of drainers.splice(0)) drainer();
  }

  async function send(items: readonly (Buffer | Row)[]): Promise<void> {
    const cells = await cellsOf(
      items.flatMap((item) => (Buffer.isBuffer(item) ? [] : [item.view])),
      stop.signal,
    );
    let row = 0;
    const frames = items.map((item) =>
      Buffer.isBuffer(item) ? item : renderer.event(item.type, item.view, cells?.[row++]),
    );
    for (const frame of frames) observe.event(frame.length);
    for (const item of items) waitingBytes -= sizeOf(item);
    if (sink.write(frames) || sink.queuedBytes === 0) return;
    await new Promise<void>((resolve) => {
      resume = resolve;
      sink.onDrain(resolve);
    });
  }

  function flush(): boolean {
    if (waiting.length > 0 && !isWorking) void work();
    return !isWorking;
  }

  const addRow = (type: EventType, object: CachedObject) => add({ type, view: object.view(version) });

  return {
    changes(events) {
      for (const event of events) {
        const seen = view.seen(event);
        if (seen !== undefined) addRow(seen.type, seen.object);
      }
      return flush();
    },
    event: addRow,
    frame: add,
    flush,
    onDrain: (callback) => void drainers.push(callback),
    get queuedBytes() {
      return sink.queuedBytes + waitingBytes;
    },
    end() {
      isEnding = true;
      if (flush()) sink.end();
    },
  };
}

function sizeOf(item: Buffer | Row): number {
  return Buffer.isBuffer(item) ? item.length : item.view.json.length;
}
