/**
 * What watches show of changes that asked for the same: which of them, as which type, in which bytes.
 *
 * A thousand watches of one collection mostly ask for the same, so they share one view, and a change is looked at
 * and framed once. What is left for each is to write. The views that are in use are kept by feed and by what was
 * asked for, as long as a watch holds them.
 */
import type { ResourceVersionDefinition } from "../apimachinery/resource.ts";
import { TurnMap } from "../apimachinery/turn-map.ts";
import type { EventRenderer, EventType } from "../render/render.ts";
import type { CachedObject, FeedEvent, WatchSource } from "../watchcache/watchcache.ts";
import type { Selection } from "./selection.ts";
import type { ObserveWatch } from "./verb-request.ts";

/** What a view is made with. */
export interface WatchViewOptions {
  readonly selection: Selection;
  readonly renderer: EventRenderer;
  readonly version: ResourceVersionDefinition;
  readonly observe: ObserveWatch;
}

/** Shows changes of one version in one form. */
export class WatchView {
  readonly renderer: EventRenderer;
  readonly version: ResourceVersionDefinition;
  readonly observe: ObserveWatch;
  readonly #selection: Selection;
  readonly #key: string;

  constructor({ selection, renderer, version, observe }: WatchViewOptions) {
    this.renderer = renderer;
    this.version = version;
    this.observe = observe;
    this.#selection = selection;
    this.#key = `${version.name} ${renderer.sharedKey}`;
  }

  /** Whether the object is in the selection. */
  matches(object: CachedObject): boolean {
    return this.#selection.matches(object.stored, object.view(this.version));
  }

  /** Gives as what a change is seen, and the object to show; undefined: it is outside of the selection. */
  seen({ before, after, gone }: FeedEvent): { readonly type: EventType; readonly object: CachedObject } | undefined {
    const wasSeen = before !== undefined && this.matches(before);
    if (after !== undefined && this.matches(after)) return { type: wasSeen ? "MODIFIED" : "ADDED", object: after };
    return wasSeen ? { type: "DELETED", object: gone } : undefined;
  }

  /** Gives an object's frame: the same one to all in one turn, if it may be shared. */
  frame(type: EventType, object: CachedObject): Buffer {
    if (!this.renderer.isShared) return this.renderer.event(type, object.view(this.version));
    const made = shared.get(object) ?? [];
    const known = made.find((one) => one.type === type && one.key === this.#key);
    if (known !== undefined) return known.frame;
    const frame = this.renderer.event(type, object.view(this.version));
    shared.set(object, [...made, { type, key: this.#key, frame }]);
    return frame;
  }

  /** Gives the frames of what is seen of changes: the same array, in one turn, to all who hold this view and are told of the same. */
  frames(events: readonly FeedEvent[]): readonly Buffer[] {
    let made = batches.get(events);
    if (made === undefined) {
      made = new Map();
      batches.set(events, made);
    }
    let frames = made.get(this);
    if (frames === undefined) {
      const seen = events.map((event) => this.seen(event)).filter((one) => one !== undefined);
      frames = seen.map(({ type, object }) => this.frame(type, object));
      made.set(this, frames);
    }
    return frames;
  }
}

/** A frame, and for whom it is: watches of a version in a form that see the change as this type. */
interface SharedFrame {
  readonly type: EventType;
  readonly key: string;
  readonly frame: Buffer;
}

/** By the object that they show. */
const shared = new TurnMap<CachedObject, SharedFrame[]>();

/** By what a feed told at once. */
const batches = new TurnMap<readonly FeedEvent[], Map<WatchView, readonly Buffer[]>>();

interface Held {
  readonly view: WatchView;
  holders: number;
}

/** Views that are held, by what was asked for. */
const held = new WeakMap<WatchSource, Map<string, Held>>();

/**
 * Gives the view that others of this feed hold who asked for the same, or else this one.
 *
 * @param asked all that the view depends on.
 * @returns the view, and how to let it go.
 */
export function holdView(
  feed: WatchSource,
  asked: readonly string[],
  own: WatchView,
): { readonly view: WatchView; release(): void } {
  const views = held.get(feed) ?? new Map<string, Held>();
  held.set(feed, views);
  const key = JSON.stringify(asked);
  const one = views.get(key) ?? { view: own, holders: 0 };
  views.set(key, one);
  one.holders++;
  return {
    view: one.view,
    release() {
      if (--one.holders === 0) views.delete(key);
    },
  };
}
