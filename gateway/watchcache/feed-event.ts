/** What a feed tells of: objects of the copy, and the changes that made them. */
import { ownBytes } from "../apimachinery/own-bytes.ts";
import type { ObjectKey, StoredObject, StoreEvent } from "../registry/registry.ts";
import { CachedObject, type Presenter } from "./cached-object.ts";

/** One change: `before` is undefined for a creation, `after` for a removal. */
export interface FeedEvent {
  readonly revision: bigint;
  /** When it was told, in ms of the feed's clock; what was before the feed: when that began. */
  readonly at: number;
  readonly cost: number;
  readonly before: CachedObject | undefined;
  readonly after: CachedObject | undefined;
  /** The last state, under the revision of this change: what DELETED shows. */
  readonly gone: CachedObject;
}

/** Makes them of what the store tells. */
export interface FeedEventMaker {
  object(stored: StoredObject): CachedObject;
  event(change: StoreEvent, before: CachedObject | undefined, after: CachedObject | undefined, at: number): FeedEvent;
}

/** What an event costs beside the bytes of its objects: itself, two states with a view each, and their buffers. */
const eventBytes = 1536;

/** Gives the maker. Nothing that it makes keeps the message that it came in. */
export function feedEventMaker(presenter: Presenter): FeedEventMaker {
  const object = (stored: StoredObject) =>
    new CachedObject({ ...stored, json: ownBytes(stored.json) }, stored.revision, presenter);
  return {
    object,
    event(change, before, after, at) {
      const { revision, json } = change.object;
      // What came is a part of a message, which would be kept whole.
      const { stored: last } = before ?? after ?? object(change.object);
      return {
        revision,
        at,
        cost: eventBytes + json.length + (before?.stored.json.length ?? 0),
        before,
        after,
        gone: new CachedObject(last, revision, presenter),
      };
    },
  };
}

/** Gives the key of the copy. Kubernetes' order is that of whole keys: `a-b/x` comes before `a/x`. */
export const keyOf = (object: ObjectKey): string => `${object.namespace}/${object.name}`;
