/** A store whose reads depend on who asks: each user is shown the notes that name them. */
import assert from "node:assert/strict";
import { createMemoryStore } from "../../stores/memory/store.ts";
import type { ResourceDescription, Store, StoredObject } from "../../stores/sdk/sdk.ts";

/** The store, and the user of each watch that it has open. */
export interface NoteStore {
  readonly store: Store;
  readonly streams: readonly string[];
}

/** Makes the store. Its resource's objects have their user in `.spec.user`. */
export function createNoteStore(notes: ResourceDescription, firstRevision: bigint): NoteStore {
  const store = createMemoryStore([notes], firstRevision);
  const streams: string[] = [];
  const isFor = (user: string | undefined) => (one: StoredObject) =>
    JSON.parse(Buffer.from(one.json).toString()).spec.user === user;
  const perUser: Store = {
    ...store,
    async get(call) {
      const found = await store.get?.(call);
      return found !== undefined && isFor(call.user?.name)(found) ? found : undefined;
    },
    async list(call) {
      assert.ok(store.list);
      const page = await store.list({ ...call, limit: 0 });
      return { items: page.items.filter(isFor(call.user?.name)), revision: page.revision };
    },
    async *watch(call) {
      const user = call.user?.name ?? "";
      streams.push(user);
      try {
        for await (const frame of store.watch?.(call) ?? []) {
          if (frame.frame !== "events") yield frame;
          else {
            const events = frame.events.filter(({ object }) => isFor(user)(object));
            if (events.length > 0) yield { frame: "events", events };
          }
        }
      } finally {
        streams.splice(streams.indexOf(user), 1);
      }
    },
  };
  return { store: perUser, streams };
}
