/**
 * The objects of one kind in memory: reads of now and of earlier states, writes by compare-and-swap.
 *
 * A change is saved before it is published, one at a time. A save that fails with one of the SDK's
 * errors has done nothing. One that fails otherwise may have had its effect: then the objects are
 * loaded again, and what differs is published, before the next write.
 */
import { ConnectError } from "@connectrpc/connect";
import { alreadyExists, badRequest, conflict, exhausted, notFound, unavailable } from "./errors.ts";
import type { Change, History } from "./history.ts";
import { compareKeys } from "./key-order.ts";
import type {
  Call,
  CallUser,
  ListCall,
  ListPage,
  ObjectKey,
  Preconditions,
  ResourceId,
  Store,
  StoredObject,
  StoreHealth,
} from "./store.ts";
import { waitFor } from "./watching.ts";

/** Where objects last. */
export interface Keeping {
  /** Gives every object there is, as JSON text, in any order. */
  load(): AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;
  /** Makes a change last. Throws one of the SDK's errors to refuse it. */
  save(change: Change, user: CallUser | undefined): Promise<void>;
}

/** The verbs of one kind. */
export type KeptObjects = Required<Pick<Store, "get" | "list" | "watch" | "create" | "update" | "delete">> & {
  health(): StoreHealth;
  close(): Promise<void>;
};

/** Objects of one page, so that a long list holds the event loop for milliseconds at a time. */
const pageItems = 1_000;
/** Writes that wait for the one before them; more would wait longer than clients do. */
const maxWaitingWrites = 1_000;
/** Back-off between two tries to load. */
const minBackoffMs = 100;
const maxBackoffMs = 5_000;

/** Makes the objects of a resource, and begins to load them. `keeping` undefined: in memory only. */
export function createKeptObjects(
  resource: ResourceId,
  history: History,
  keeping: Keeping | undefined,
  log: (fields: object, message: string) => void,
): KeptObjects {
  const table = new Map<string, StoredObject>();
  const stop = new AbortController();
  let trouble = keeping === undefined ? "" : "the objects are being loaded";
  let isLoaded = keeping === undefined;
  let waiting = 0;
  let turn: Promise<unknown> = isLoaded ? Promise.resolve() : loadAll();

  /** Loads until it works, and publishes what differs. */
  async function loadAll(): Promise<void> {
    for (let waitMs = minBackoffMs; !stop.signal.aborted; waitMs = Math.min(waitMs * 2, maxBackoffMs)) {
      try {
        await reload();
        isLoaded = true;
        trouble = "";
        return;
      } catch (error) {
        trouble = `the objects can't be loaded: ${(error as Error).message}`;
        log({ resource: resource.plural, err: (error as Error).stack }, "the objects can't be loaded");
        await waitFor(new Set(), waitMs, stop.signal);
      }
    }
  }

  async function reload(): Promise<void> {
    const loaded = new Map<string, Omit<StoredObject, "revision">>();
    for await (const text of keeping?.load() ?? []) {
      const object = objectFrom(text);
      loaded.set(keyText(object), object);
    }
    for (const object of loaded.values()) {
      const previous = table.get(keyText(object));
      if (previous === undefined || Buffer.compare(previous.json, object.json) !== 0) {
        publish({ type: "put", object, previous });
      }
    }
    for (const previous of [...table.values()]) {
      if (!loaded.has(keyText(previous))) publish({ type: "delete", object: previous, previous });
    }
  }

  function publish(change: Change): StoredObject {
    return history.publish(resource, change, (stored) => {
      if (change.type === "put") table.set(keyText(stored), stored);
      else table.delete(keyText(stored));
    });
  }

  /** Decides on the present state, saves and publishes; after the writes before it. */
  async function write(call: Call, decide: () => Change): Promise<StoredObject> {
    if (keeping === undefined) return publish(decide());
    if (trouble !== "") throw unavailable(trouble);
    if (waiting >= maxWaitingWrites) throw exhausted("too many writes are waiting");
    waiting += 1;
    const written = turn.then(async () => {
      if (call.signal.aborted) throw unavailable("nobody waits for the write any more");
      if (trouble !== "") throw unavailable(trouble);
      const change = decide();
      await keeping.save(change, call.user);
      return publish(change);
    });
    turn = written.catch((error: unknown) => {
      if (error instanceof ConnectError) return undefined;
      trouble = "the objects are being loaded again";
      // Not waited for: who comes meanwhile is told to come back.
      void loadAll();
      return undefined;
    });
    try {
      return await written;
    } finally {
      waiting -= 1;
    }
  }

  function present(key: ObjectKey, { revision, uid }: Preconditions): StoredObject {
    const current = table.get(keyText(key));
    if (current === undefined) throw notFound();
    if (revision !== undefined && revision !== current.revision) throw conflict(current);
    if (uid !== undefined && uid !== current.uid) throw conflict(current);
    return current;
  }

  /** The state at a revision: the present one with the later events taken back. */
  function stateAt(revision: bigint): ReadonlyMap<string, StoredObject> {
    if (!isLoaded) throw unavailable(trouble);
    const later = history.eventsAfter(resource, revision);
    if (later.length === 0) return table;
    const state = new Map(table);
    for (const { object, previous } of later.toReversed()) {
      if (previous === undefined) state.delete(keyText(object));
      else state.set(keyText(object), previous);
    }
    return state;
  }

  return {
    health: () =>
      trouble === ""
        ? { state: "ready", message: "" }
        : { state: isLoaded ? "degraded" : "starting", message: trouble },
    async close() {
      stop.abort();
      await turn;
    },
    async get(call) {
      return stateAt(call.atRevision ?? history.head()).get(keyText(call.key));
    },
    async list(call: ListCall): Promise<ListPage> {
      const from = parseToken(call.continueToken);
      const revision = from?.revision ?? call.atRevision ?? history.head();
      if (revision > history.head()) throw badRequest("the continue token is of another store");
      const found = [...stateAt(revision).values()]
        .filter((object) => call.namespace === "" || object.namespace === call.namespace)
        .filter((object) => from === undefined || compareKeys(keyText(object), from.after) > 0)
        .sort((a, b) => compareKeys(keyText(a), keyText(b)));
      const items = found.slice(0, Math.min(call.limit || pageItems, pageItems));
      const last = items.at(-1);
      if (last === undefined || items.length === found.length) return { items, revision };
      const continueToken = Buffer.from(JSON.stringify([String(revision), keyText(last)]));
      return { items, revision, continueToken, remaining: BigInt(found.length - items.length) };
    },
    watch(call) {
      if (!isLoaded) throw unavailable(trouble);
      return history.watch(call);
    },
    create: (call) =>
      write(call, () => {
        if (table.has(keyText(call.key))) throw alreadyExists();
        return { type: "put", object: { ...call.key, uid: call.uid, json: call.json }, previous: undefined };
      }),
    update: (call) =>
      write(call, () => {
        const previous = present(call.key, call.preconditions);
        return { type: "put", object: { ...call.key, uid: call.uid, json: call.json }, previous };
      }),
    delete: (call) =>
      write(call, () => {
        const previous = present(call.key, call.preconditions);
        return { type: "delete", object: previous, previous };
      }),
  };
}

const keyText = (key: ObjectKey): string => `${key.namespace}/${key.name}`;

/** Reads where an object belongs from its metadata. @throws Error if it has no name. */
function objectFrom(text: Uint8Array | string): Omit<StoredObject, "revision"> {
  const json = Buffer.from(text);
  const { namespace = "", name = "", uid = "" } = JSON.parse(json.toString()).metadata ?? {};
  if (name === "") throw new Error("an object has no name");
  return { namespace, name, uid, json };
}

function parseToken(token: Uint8Array): { readonly revision: bigint; readonly after: string } | undefined {
  if (token.length === 0) return undefined;
  try {
    const [revision, after] = JSON.parse(Buffer.from(token).toString()) as [string, string];
    const number = BigInt(revision);
    if (number >= 1n && typeof after === "string") return { revision: number, after };
  } catch {
    // Not JSON, or no number in it: the same answer as for any other text.
  }
  throw badRequest("the continue token can't be read");
}
