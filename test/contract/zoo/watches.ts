/** Mutants that tell changes wrongly. */
import type { Interceptor } from "@connectrpc/connect";
import { StoreService, type WatchRequest, type WatchResponse } from "../../../gen/annex/store/v1/store_pb.js";
import type { ListPage, StoredObject, StoreEvent, WatchCall, WatchFrame } from "../../../stores/sdk/sdk.ts";
import { capableStore, honestStore, type WholeStore } from "./honest.ts";
import { type Mutant, mutant, onceIn, pause } from "./mutant.ts";

/** Events that dropped-for-slow keeps for one watcher. */
const roomEvents = 1_000;
const eventsOf = (frame: WatchFrame): number => (frame.frame === "events" ? frame.events.length : 0);

type Events = Extract<WatchFrame, { frame: "events" }>;

/** Gives frames in the place of each. */
function framing(honest: WholeStore, change: (frame: WatchFrame, call: WatchCall) => Iterable<WatchFrame>) {
  return {
    async *watch(call: WatchCall) {
      for await (const frame of honest.watch(call)) yield* change(frame, call);
    },
  };
}

/** Gives other events in the place of each; a frame of none is left out. */
function eventing(honest: WholeStore, change: (event: StoreEvent, call: WatchCall) => readonly StoreEvent[]) {
  return framing(honest, (frame, call) => {
    if (frame.frame !== "events") return [frame];
    const events = frame.events.flatMap((event) => change(event, call));
    return events.length === 0 ? [] : [{ ...frame, events }];
  });
}

/** Changes what a watch with the initial state sends. */
function initially(change: (frames: AsyncIterable<WatchResponse>) => AsyncIterable<WatchResponse>): Interceptor {
  return (next) => async (req) => {
    const response = await next(req);
    if (!response.stream || req.service.typeName !== StoreService.typeName || req.method.name !== "Watch")
      return response;
    return { ...response, message: change(response.message as AsyncIterable<WatchResponse>) };
  };
}

const withoutEpoch: Interceptor = (next) => async (req) => {
  if (!req.stream || req.method.name !== "Watch") return await next(req);
  const requests = req.message as AsyncIterable<WatchRequest>;
  async function* unnamed() {
    for await (const request of requests) yield { ...request, epoch: "" };
  }
  return await next({ ...req, message: unnamed() } as typeof req);
};

function capableMutant(
  name: string,
  does: string,
  seen: string,
  breaks: readonly string[],
  interceptor: Interceptor,
): Mutant {
  return { name, does, seen, breaks, make: () => [{ store: capableStore(), interceptors: [interceptor] }] };
}

/** Listing page by page through the events of history. */
const listAll = async (honest: WholeStore, call: WatchCall): Promise<readonly StoredObject[]> => {
  const items: StoredObject[] = [];
  let continueToken: Uint8Array | undefined = new Uint8Array();
  while (continueToken !== undefined) {
    const page: ListPage = await honest.list({ ...call, limit: 0, continueToken, atRevision: undefined });
    items.push(...page.items);
    continueToken = page.continueToken;
  }
  return items;
};

export const watchMutants: readonly Mutant[] = [
  mutant(
    "skipped-gap",
    "skips an event that commits after a later one, once in fifty",
    "ark#3123, kine#759: sequences that are visible out of commit order",
    ["watch.stands", "watch.reliable", "watch.resume-everywhere"],
    (honest) => {
      const isOff = onceIn(50);
      return eventing(honest, (event) => (isOff() ? [] : [event]));
    },
  ),
  mutant(
    "out-of-order",
    "tells two changes in the order in which they were committed, not in that of their revisions",
    "ark#3123: events out of order under concurrent writers",
    ["watch.resume-everywhere", "watch.ordered"],
    (honest) =>
      framing(honest, (frame) => {
        if (frame.frame !== "events" || frame.events.length < 3) return [frame];
        const [first, second, ...rest] = frame.events;
        return first && second ? [{ ...frame, events: [second, first, ...rest] }] : [frame];
      }),
  ),
  mutant(
    "replay-on-resume",
    "tells all that is there again to whoever resumes",
    "ark#2680: a resume replays everything",
    ["watch.resume-everywhere", "watch.resume-at-head"],
    (honest) => ({
      async *watch(call) {
        let isFirst = call.after !== undefined;
        for await (const frame of honest.watch(call)) {
          yield frame;
          if (!isFirst || frame.frame !== "started") continue;
          isFirst = false;
          const items = [...(await listAll(honest, call))].sort((a, b) => (a.revision < b.revision ? -1 : 1));
          const old = items.filter((item) => item.revision <= (call.after ?? 0n));
          if (old.length > 0)
            yield { frame: "events", events: old.map((object) => ({ type: "put", object })) } as Events;
        }
      },
    }),
  ),
  mutant(
    "lookback",
    "begins five revisions before the one that is resumed from, to be safe",
    "ark#3246: a lookback delivers events again",
    ["watch.started", "watch.resume-everywhere", "watch.resume-at-head"],
    (honest) => ({
      async *watch(call) {
        const { after } = call;
        if (after === undefined) return yield* honest.watch(call);
        for await (const frame of honest.watch({ ...call, after: after > 1_010n ? after - 5n : after })) {
          yield frame.frame === "started" ? { ...frame, revision: after } : frame;
        }
      },
    }),
  ),
  mutant(
    "skeleton-deletes",
    "tells one delete in eight with an empty object",
    "ark PR#1523: deletes without the last state",
    ["watch.delete-state", "watch.true"],
    (honest) => {
      const isOff = onceIn(8);
      return eventing(honest, (event) => {
        if (event.type !== "delete" || !isOff()) return [event];
        return [{ ...event, object: { ...event.object, json: Buffer.from("{}") } }];
      });
    },
  ),
  mutant(
    "old-delete-revision",
    "tells a delete under the revision of the object's last write",
    "storage tests: a delete event has the latest resourceVersion",
    ["watch.true", "watch.ordered", "watch.reliable", "watch.resume-everywhere"],
    (honest) =>
      eventing(honest, (event) => {
        const before = event.previous?.revision ?? event.object.revision - 1n;
        return event.type === "delete" ? [{ ...event, object: { ...event.object, revision: before } }] : [event];
      }),
  ),
  capableMutant(
    "no-initial-end",
    "never says that the initial state is complete",
    "cozystack#2786, rancher#55606: a missing initial-events-end",
    ["watch.initial", "watch.initial-end-of-nothing"],
    initially(async function* (frames) {
      for await (const response of frames) if (response.frame.case !== "initialEnd") yield response;
    }),
  ),
  capableMutant(
    "end-on-every-bookmark",
    "says with every bookmark that the initial state is complete",
    "ark PR#1523: the flag on every bookmark",
    ["watch.initial"],
    initially(async function* (frames) {
      for await (const response of frames) {
        yield response;
        if (response.frame.case === "events" || response.frame.case === "initialEnd") {
          const mark = response.frame.case === "initialEnd" ? response.frame.value.mark : undefined;
          const value = {
            $typeName: "annex.store.v1.WatchInitialEnd" as const,
            ...(mark === undefined ? {} : { mark }),
          };
          yield { ...response, frame: { case: "initialEnd", value } } as WatchResponse;
        }
      }
    }),
  ),
  mutant(
    "swallowed-410",
    "goes on from the oldest that it has, where what was asked for is gone",
    "rancher#51830: 410 that the watch swallows",
    "watch.forgotten",
    (honest) => ({
      async *watch(call) {
        for await (const frame of honest.watch(call)) {
          if (frame.frame !== "expired") {
            yield frame;
            continue;
          }
          yield { frame: "started", revision: call.after ?? frame.revision, oldestResumable: frame.oldestResumable };
          for await (const later of honest.watch({ ...call, after: frame.oldestResumable })) {
            if (later.frame !== "started") yield later;
          }
        }
      },
    }),
  ),
  mutant(
    "boundary-off-by-one",
    "tells that the oldest resumable revision itself has expired",
    "etcd#18089, etcd#19179: the compaction boundary",
    ["watch.boundary"],
    (honest) => ({
      async *watch(call) {
        const probe = honest.watch({ ...call, after: undefined })[Symbol.asyncIterator]();
        const first = await probe.next();
        await probe.return?.();
        const oldest = first.value?.frame === "started" ? first.value.oldestResumable : 0n;
        if (call.after === undefined || call.after > oldest) return yield* honest.watch(call);
        const { revision } = await honest.currentRevision(call);
        yield { frame: "expired", oldestResumable: oldest, revision, reason: "compacted" };
      },
    }),
  ),
  mutant(
    "compacted-deletes",
    "has no deletes in the part of its history that was compacted",
    "kine#220: compaction eats deletes that nobody has seen",
    ["watch.resume-everywhere", "watch.reliable"],
    (honest) => ({
      async *watch(call) {
        const { revision: head } = await honest.currentRevision(call);
        const inner = eventing(honest, (event) =>
          event.type === "delete" && event.object.revision <= head - 10n ? [] : [event],
        );
        yield* inner.watch(call);
      },
    }),
  ),
  mutant(
    "locked-send",
    "holds its lock while it sends: who doesn't read stops whoever writes",
    "rancher#56315, tilt-apiserver: a send under the lock",
    "watch.slow-reader",
    (honest) => {
      const sending = new Set<Promise<void>>();
      return {
        async *watch(call) {
          for await (const frame of honest.watch(call)) {
            let sent = () => {};
            const lock = new Promise<void>((resolve) => {
              sent = resolve;
            });
            sending.add(lock);
            const free = () => {
              sending.delete(lock);
              sent();
            };
            call.signal.addEventListener("abort", free, { once: true });
            try {
              yield frame;
            } finally {
              call.signal.removeEventListener("abort", free);
              free();
            }
          }
        },
        async create(call) {
          await pause(0);
          await Promise.all(sending);
          return await honest.create(call);
        },
      };
    },
  ),
  mutant(
    "dropped-for-slow",
    "drops what a slow watcher has no room for, and goes on",
    "grafana: a broadcaster that drops events for slow consumers",
    ["watch.slow-reader", "watch.reliable"],
    (honest) => ({
      async *watch(call) {
        const room: WatchFrame[] = [];
        let waiting = 0;
        let arrived = () => {};
        let isDone = false;
        const fill = async () => {
          for await (const frame of honest.watch(call)) {
            waiting += eventsOf(frame);
            if (waiting <= roomEvents) room.push(frame);
            else waiting -= eventsOf(frame);
            arrived();
          }
        };
        void fill().finally(() => {
          isDone = true;
          arrived();
        });
        for (;;) {
          const frame = room.shift();
          if (frame !== undefined) {
            waiting -= eventsOf(frame);
            yield frame;
          } else if (isDone) return;
          else await new Promise<void>((resolve) => (arrived = resolve));
        }
      },
    }),
  ),
  mutant(
    "silent-after-reconnect",
    "loses its backend's watch after a hundred events, and keeps its own stream open in silence",
    "rancher kubeconfigs: the backing watch ends, the client's goes on",
    ["watch.reliable", "watch.ordered", "watch.window", "watch.resume-after-event"],
    (honest) => ({
      async *watch(call) {
        let told = 0;
        for await (const frame of honest.watch(call)) {
          if (frame.frame === "events") told += frame.events.length;
          if (told > 100) break;
          yield frame;
        }
        while (!call.signal.aborted) await pause(20);
      },
    }),
  ),
  mutant(
    "told-twice",
    "tells one event in forty again with the next",
    "kubernetes: each change once",
    ["watch.resume-everywhere", "watch.ordered", "watch.resume-after-event", "watch.window"],
    (honest) => {
      const isOff = onceIn(40);
      return eventing(honest, (event) => (isOff() ? [event, event] : [event]));
    },
  ),
  mutant(
    "late-start",
    "says that the watch stands before it has subscribed",
    "grafana#93428: a race for the start, with a sleep in its stead",
    ["watch.stands", "watch.now"],
    (honest) => ({
      async *watch(call) {
        if (call.after !== undefined) return yield* honest.watch(call);
        const { revision } = await honest.currentRevision(call);
        const probe = honest.watch(call)[Symbol.asyncIterator]();
        const { value } = await probe.next();
        await probe.return?.();
        yield { frame: "started", revision, oldestResumable: value?.frame === "started" ? value.oldestResumable : 0n };
        await pause(8);
        for await (const frame of honest.watch(call)) if (frame.frame !== "started") yield frame;
      },
    }),
  ),
  mutant(
    "progress-ahead",
    "tells progress to the head before the events up to it",
    "etcd#15220 and contract rule 2: progress ahead of events",
    ["progress.bookmarkable", "progress.never-back", "progress.every-write", "watch.resume-everywhere", "watch.stands"],
    (honest) => {
      const isOff = onceIn(15);
      return framing(honest, (frame) => {
        const last = frame.frame === "events" ? frame.events.at(-1) : undefined;
        if (last === undefined || !isOff()) return [frame];
        return [{ frame: "progress", revision: last.object.revision }, frame];
      });
    },
  ),
  mutant(
    "no-progress",
    "declares progress, and tells none while nothing changes",
    "contract: Describe must not lie",
    ["progress.idle", "head.others-hold-nothing-up"],
    (honest) => framing(honest, (frame) => (frame.frame === "progress" ? [] : [frame])),
  ),
  mutant(
    "previous-of-the-first",
    "keeps the first state of an object as the one before every change",
    "etcd robustness: prevKV",
    ["watch.previous", "watch.previous-on-resume"],
    (honest) => {
      const first = new Map<string, StoredObject>();
      return eventing(honest, (event) => {
        const id = `${event.object.namespace}/${event.object.name}`;
        if (!first.has(id)) first.set(id, event.object);
        return [event.previous === undefined ? event : { ...event, previous: first.get(id) }];
      });
    },
  ),
  mutant(
    "previous-of-the-dead",
    "tells the deleted predecessor as the state before a create",
    "etcd robustness: isCreate",
    "watch.previous-after-recreation",
    (honest) => {
      const dead = new Map<string, StoredObject>();
      return eventing(honest, (event, call) => {
        const id = `${event.object.namespace}/${event.object.name}`;
        if (event.type === "delete") dead.set(id, event.object);
        const previous = event.previous ?? dead.get(id);
        return [call.previous && previous !== undefined && event.type === "put" ? { ...event, previous } : event];
      });
    },
  ),
  mutant(
    "live-previous",
    "has no states before for changes of the past",
    "contract: PREVIOUS_OBJECT, on resume too",
    "watch.previous-on-resume",
    (honest) => ({
      async *watch(call) {
        const { revision: head } = await honest.currentRevision(call);
        const inner = eventing(honest, ({ type, object, previous }) => [
          object.revision > head && previous !== undefined ? { type, object, previous } : { type, object },
        ]);
        yield* inner.watch(call);
      },
    }),
  ),
  mutant(
    "namespace-prefix-watch",
    "tells the changes of every namespace whose name begins alike",
    "contract: a watch of one namespace",
    "watch.namespace",
    (honest) => ({
      async *watch(call) {
        if (call.namespace === "") return yield* honest.watch(call);
        const inner = eventing(honest, (event) => (event.object.namespace.startsWith(call.namespace) ? [event] : []));
        yield* inner.watch({ ...call, namespace: "" });
      },
    }),
  ),
  mutant(
    "everything-to-everyone",
    "tells one change in three to the watches of another resource, too",
    "contract: a watch is of one resource",
    ["watch.other-resource", "progress.other-resource", "head.others-hold-nothing-up"],
    (honest) => {
      const others = new Set<(event: StoreEvent) => void>();
      return {
        async create(call) {
          const written = await honest.create(call);
          if (call.resource.plural === "others") {
            const object = { ...call.key, uid: call.uid, json: call.json, revision: written.revision };
            for (const tell of others) tell({ type: "put", object });
          }
          return written;
        },
        async *watch(call) {
          const strays: StoreEvent[] = [];
          const tell = (event: StoreEvent) => strays.push(event);
          if (call.resource.plural === "things") others.add(tell);
          try {
            for await (const frame of honest.watch(call)) {
              if (strays.length > 0) yield { frame: "events", events: strays.splice(0) };
              yield frame;
            }
          } finally {
            others.delete(tell);
          }
        },
      };
    },
  ),
  mutant(
    "events-of-the-refused",
    "tells a write before it knows whether it is taken",
    "grafana#113230: what was taken back was told",
    ["watch.refused-writes"],
    (honest) => {
      const tellers = new Set<(event: StoreEvent) => void>();
      return {
        async update(call) {
          try {
            return await honest.update(call);
          } catch (error) {
            const { revision } = await honest.currentRevision(call);
            const object = { ...call.key, uid: call.uid, json: call.json, revision };
            for (const tell of tellers) tell({ type: "put", object });
            throw error;
          }
        },
        async *watch(call) {
          const strays: StoreEvent[] = [];
          const tell = (event: StoreEvent) => strays.push(event);
          tellers.add(tell);
          try {
            for await (const frame of honest.watch(call)) {
              if (strays.length > 0) yield { frame: "events", events: strays.splice(0) };
              yield frame;
            }
          } finally {
            tellers.delete(tell);
          }
        },
      };
    },
  ),
  {
    name: "old-epochs-welcome",
    does: "resumes a watch whatever epoch it names",
    seen: "contract rule 5: a revision of another epoch can't be resumed from",
    breaks: ["watch.other-epoch", "watch.expired-head"],
    make: () => [{ store: honestStore(), interceptors: [withoutEpoch] }],
  },
  mutant(
    "not-below-ignored",
    "begins again at the revision that it likes, whatever was shown",
    "reports-server: counters that begin at 1 after a restart",
    ["epoch.not-below", "epoch.watches-end"],
    () => ({ notBelow: async () => {} }),
  ),
  mutant(
    "epoch-kept",
    "jumps above what was shown, in the same epoch",
    "contract rule 5: another incarnation has another epoch",
    ["epoch.not-below", "epoch.watches-end"],
    (honest) => {
      const { epoch } = honest;
      const first = epoch();
      return { epoch: () => first };
    },
  ),
];
