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
import type { ResourceVersionDefinition } from "../apimachinery/resource.ts";
import { internalError, StatusError } from "../apimachinery/status.ts";
import { TurnMap } from "../apimachinery/turn-map.ts";
import type { EventRenderer, EventType } from "../render/render.ts";
import type { CachedObject } from "../watchcache/watchcache.ts";
import type { ObserveWatch } from "./verb-request.ts";

/** What a watch makes goes in here. */
export interface WatchFrames {
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
  readonly renderer: EventRenderer;
  readonly version: ResourceVersionDefinition;
  readonly observe: Pick<ObserveWatch, "event">;
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

/** Makes each frame as it is added. */
export function directFrames({ sink, renderer, version, observe }: WatchFramesOptions): WatchFrames {
  const key = `${version.name} ${renderer.sharedKey}`;
  let pending: Buffer[] = [];

  function add(frame: Buffer): void {
    observe.event(frame.length);
    pending.push(frame);
  }

  function frameOf(type: EventType, object: CachedObject): Buffer {
    if (!renderer.isShared) return renderer.event(type, object.view(version));
    const made = shared.get(object) ?? [];
    const known = made.find((one) => one.type === type && one.key === key);
    if (known !== undefined) return known.frame;
    const frame = renderer.event(type, object.view(version));
    shared.set(object, [...made, { type, key, frame }]);
    return frame;
  }

  function flush(): boolean {
    if (pending.length === 0) return true;
    const frames = pending;
    pending = [];
    return sink.write(frames) || sink.queuedBytes === 0;
  }

  return {
    event: (type, object) => add(frameOf(type, object)),
    frame: add,
    flush,
    onDrain: (callback) => sink.onDrain(callback),
    get queuedBytes() {
      return sink.queuedBytes;
    },
    end() {
      flush();
      sink.end();
    },
  };
}

/** A frame, and for whom it is: watchers of a version in a form who see the change as this type. */
interface SharedFrame {
  readonly type: EventType;
  readonly key: string;
  readonly frame: Buffer;
}

/** By the object that they show. */
const shared = new TurnMap<CachedObject, SharedFrame[]>();

interface Row {
  readonly type: EventType;
  readonly view: ObjectView;
}

/** Makes rows with the store's cells. What the store fails with is told as an ERROR event, the last one. */
export function tabulatedFrames(options: WatchFramesOptions, cellsOf: CellsOf): WatchFrames {
  const { sink, renderer, version, observe, log } = options;
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

  return {
    event: (type, object) => add({ type, view: object.view(version) }),
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
