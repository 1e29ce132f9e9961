/** What a watch promises of its events: ordered, unique, whole, reliable, bookmarked, and true. */
import { codeOf, type Kit, type Made } from "../kit.ts";
import { Broken, hold, promisesOf, same, text } from "../promise.ts";
import { keyText } from "../recorder.ts";
import type { Change, Watcher } from "../watcher.ts";

const watch = promisesOf("watch");
const watches = { verbs: "create get list watch" };
const changes = { verbs: "create get list watch update delete" };
/** More than the HTTP/2 windows and sockets between a store and a watcher that doesn't read can hold. */
const stuffing = { objects: 40, bytes: 32_000 };
/** More events than a store keeps for one watcher before it gives up or, wrongly, drops: 1,000 is common. */
const unreadEvents = 1_200;
const unreadWriters = 10;
/** A write that takes longer is held up. */
const heldUpMs = 10_000;

export const watchPromises = [
  watch(
    "watch.ordered",
    "Events come in the order of their revisions, each above the one before, while many write.",
    changes,
    async (kit) => {
      const { watcher, last } = await storm(kit);
      const revisions = (await watcher.reaches(last)).map((change) => change.revision);
      for (const [index, revision] of revisions.entries()) {
        const before = revisions[index - 1] ?? 0n;
        hold(revision > before, `event ${revision} came after ${before}`);
      }
    },
  ),
  watch(
    "watch.reliable",
    "Every write that was acknowledged is an event: none is missing, none is there twice.",
    changes,
    async (kit) => {
      const { watcher, last, written } = await storm(kit);
      const seen = (await watcher.reaches(last)).map((change) => change.revision);
      same(
        seen.filter((revision) => revision <= last),
        written,
        "revisions of events, and of acknowledged writes",
      );
    },
  ),
  watch(
    "watch.true",
    "An event is what was written: key, revision, uid and bytes; a removal as a delete.",
    changes,
    async (kit) => {
      const watcher = await begun(kit);
      const made = await kit.make({ a: 1 });
      const next = await kit.put(made, { a: 2 });
      const removed = await kit.drop(next);
      const [first, second, third] = await watcher.take(3);
      same(
        shown(first),
        ["put", keyText(made.key), made.revision, made.uid, text(made.json)],
        "the event of the create",
      );
      same(
        shown(second),
        ["put", keyText(made.key), next.revision, made.uid, text(next.json)],
        "the event of the update",
      );
      same(
        shown(third),
        ["delete", keyText(made.key), removed.revision, made.uid, text(next.json)],
        "the event of the delete",
      );
    },
  ),
  watch(
    "watch.delete-state",
    "The event of a delete carries the last state, whole, under the revision of the delete.",
    changes,
    async (kit) => {
      const watcher = await begun(kit);
      for (let count = 0; count < 25; count++) {
        const made = await kit.make({ count, text: "x".repeat(500) });
        const removed = await kit.drop(made);
        const event = (await watcher.take(2 * count + 2))[2 * count + 1];
        same(event?.type, "delete", "the type of the event");
        same(event?.revision, removed.revision, "the revision of the event");
        same(event?.json, made.json, "the state of the event");
      }
    },
  ),
  watch(
    "watch.recreated",
    "A delete and a new create under the same name are two events, in order.",
    changes,
    async (kit) => {
      const watcher = await begun(kit);
      const first = await kit.make("first");
      await kit.drop(first);
      await kit.make("second", { key: first.key });
      same(
        (await watcher.take(3)).map((change) => change.type),
        ["put", "delete", "put"],
        "the events",
      );
    },
  ),
  watch(
    "watch.previous",
    "An event carries the state before, when asked: of an update and a delete, none of a create.",
    { ...changes, has: ["PREVIOUS_OBJECT"] },
    async (kit) => {
      const watcher = await begun(kit, { previous: true });
      for (let count = 0; count < 20; count++) {
        const made = await kit.make({ count });
        const next = await kit.put(made, { count, next: true });
        await kit.drop(next);
        const [created, updated, deleted] = (await watcher.take(3 * count + 3)).slice(3 * count);
        hold(created?.previous === undefined, "the event of a create carries a state before");
        same(
          [updated?.previous?.revision, text(updated?.previous?.json)],
          [made.revision, text(made.json)],
          "the state before the update",
        );
        same(deleted?.previous?.json, next.json, "the state before the delete");
      }
    },
  ),
  watch(
    "watch.previous-after-recreation",
    "The event of a create under a name that was used before carries no state before.",
    { ...changes, has: ["PREVIOUS_OBJECT"] },
    async (kit) => {
      const watcher = await begun(kit, { previous: true });
      const first = await kit.make("first");
      await kit.drop(first);
      await kit.make("second", { key: first.key });
      hold((await watcher.take(3))[2]?.previous === undefined, "it carries the predecessor's state");
    },
  ),
  watch(
    "watch.previous-on-resume",
    "Events of the past carry the state before, as those of now.",
    { ...changes, has: ["PREVIOUS_OBJECT", "RESUME"] },
    async (kit) => {
      const made = await kit.make(1);
      const next = await kit.put(made, 2);
      const last = await kit.put(next, 3);
      const past = await kit.changesAfter(made.revision, { previous: true });
      same(
        past.map((change) => [change.revision, change.previous?.revision]),
        [
          [next.revision, made.revision],
          [last.revision, next.revision],
        ],
        "events and the states before",
      );
    },
  ),
  watch("watch.refused-writes", "A write that was refused is no event.", changes, async (kit) => {
    const watcher = await begun(kit);
    const made = await kit.make(1);
    await codeOf(kit.make(2, { key: made.key }));
    const next = await kit.put(made, 3);
    await codeOf(kit.put(made, 4));
    await codeOf(kit.drop(made));
    const removed = await kit.drop(next);
    await codeOf(kit.drop(next));
    const sentinel = await kit.make("end");
    const seen = (await watcher.reaches(sentinel.revision)).map((change) => change.revision);
    same(seen, [made.revision, next.revision, removed.revision, sentinel.revision], "revisions of the events");
  }),
  watch(
    "watch.namespace",
    "A watch of one namespace has its events, and none of another, though its name begins alike.",
    { ...watches, isNamespaced: true },
    async (kit) => {
      const { epoch } = await kit.head();
      const watcher = kit.watch({ namespace: kit.namespace(), epoch });
      await watcher.started();
      const made: Made[] = [];
      for (const suffix of ["", "-b", "b", "", "0"])
        made.push(await kit.make(1, { key: { namespace: kit.namespace(suffix), name: `n${made.length}` } }));
      const last = await kit.make("end");
      const seen = (await watcher.reaches(last.revision)).map((change) => change.key);
      same(
        seen,
        [made[0], made[3], last].map((one) => keyText(one?.key)),
        "the events",
      );
    },
  ),
  watch(
    "watch.all-namespaces",
    "A watch of all namespaces has the events of each.",
    { ...watches, isNamespaced: true },
    async (kit) => {
      const watcher = await begun(kit);
      for (const suffix of ["-a", "", "-b"])
        await kit.make(1, { key: { namespace: kit.namespace(suffix), name: "x" } });
      same(
        (await watcher.take(3)).map((change) => change.key),
        ["-a", "", "-b"].map((suffix) => `${kit.namespace(suffix)}/x`),
        "the events",
      );
    },
  ),
  watch(
    "watch.other-resource",
    "A watch has no event of another resource.",
    { ...watches, other: true },
    async (kit) => {
      const watcher = await begun(kit);
      await kit.make(1, { about: kit.other });
      const made = await kit.make(2);
      same(
        (await watcher.take(1)).map((change) => change.revision),
        [made.revision],
        "revisions of the events",
      );
    },
  ),
  watch("watch.alike", "Watchers of one collection see the same events in the same order.", changes, async (kit) => {
    const watchers = await Promise.all(Array.from({ length: 20 }, () => begun(kit)));
    const { last } = await storm(kit, 6, 5);
    const seen = await Promise.all(watchers.map((watcher) => watcher.reaches(last)));
    const orders = seen.map((one) =>
      one
        .filter((change) => change.revision <= last)
        .map((change) => `${change.type} ${change.key} ${change.revision}`),
    );
    for (const order of orders) same(order, orders[0], "the events of two watchers");
  }),
  watch("watch.soon", "An event comes within two seconds of its write's acknowledgement.", watches, async (kit) => {
    const watcher = await begun(kit);
    for (let count = 1; count <= 20; count++) {
      await kit.make(count);
      const since = performance.now();
      await watcher.take(count);
      hold(performance.now() - since < 2_000, `event ${count} took ${Math.round(performance.now() - since)} ms`);
    }
  }),
  watch("watch.large-events", "Events of large objects come whole.", watches, async (kit) => {
    const watcher = await begun(kit);
    const bytes = Math.min(1_000_000, kit.subject.maxObjectBytes - 10_000);
    const made = [
      await kit.make("a".repeat(bytes)),
      await kit.make("b".repeat(bytes)),
      await kit.make("c".repeat(bytes)),
    ];
    same(
      (await watcher.take(3)).map((change) => change.json.length),
      made.map((one) => one.json.length),
      "bytes of the events",
    );
  }),
  watch(
    "watch.batches",
    "Events are the same, whatever batches are asked for.",
    { ...changes, has: ["RESUME"] },
    async (kit) => {
      const start = (await kit.head()).revision;
      await storm(kit, 6, 4);
      const whole = await kit.changesAfter(start);
      const single = await kit.changesAfter(start, { maxBatch: 1 });
      same(
        single.slice(0, whole.length).map((change) => change.revision),
        whole.map((change) => change.revision),
        "revisions in batches of one",
      );
    },
  ),
  watch(
    "watch.every-endpoint",
    "A watch at one endpoint has the writes of every other.",
    { ...watches, replicas: true },
    async (kit) => {
      const { endpoints } = kit.parts;
      const watchers = await Promise.all(endpoints.map((endpoint) => begun(kit, { endpoint })));
      const made: Made[] = [];
      for (let count = 0; count < 20; count++)
        made.push(await kit.make(count, { endpoint: endpoints[count % endpoints.length] ?? kit.endpoint }));
      for (const watcher of watchers) {
        same(
          (await watcher.take(made.length)).map((change) => change.revision),
          made.map((one) => one.revision),
          "revisions of the events",
        );
      }
    },
  ),
  watch(
    "progress.idle",
    "Progress is told while nothing changes, at about the interval that was asked for.",
    { ...watches, has: ["PROGRESS"] },
    async (kit) => {
      const made = await kit.make();
      const watcher = await begun(kit, { progressEveryMs: 50 });
      const marks = await watcher.progress(3);
      hold(
        marks.every((mark) => mark >= made.revision),
        `progress ${marks.join(", ")} is below the head that the watch began at`,
      );
    },
  ),
  watch(
    "progress.never-back",
    "Progress never goes back, and is at least every event before it.",
    { ...changes, has: ["PROGRESS"] },
    async (kit) => {
      const watcher = await begun(kit, { progressEveryMs: 20 });
      for (let round = 0; round < 6; round++) {
        await kit.make(round);
        await kit.make(round);
        await watcher.progress(round + 1);
      }
      let last = 0n;
      for (const frame of watcher.frames) {
        const marks =
          frame.case === "progress"
            ? [frame.value.mark?.revision ?? 0n]
            : frame.case === "events"
              ? frame.value.events.map((event) => event.object?.revision ?? 0n)
              : [];
        for (const mark of marks) {
          hold(mark >= last, `the watch told ${mark} after ${last}`);
          last = mark;
        }
      }
    },
  ),
  watch(
    "progress.bookmarkable",
    "Progress promises: no event at or below it comes later, and a watch after it misses nothing, while many write.",
    { ...changes, has: ["PROGRESS"] },
    async (kit) => {
      const watcher = await begun(kit, { progressEveryMs: 20 });
      const { last } = await storm(kit, 12, 8);
      await watcher.reaches(last);
      let told = 0n;
      for (const frame of watcher.frames) {
        if (frame.case === "progress") told = frame.value.mark?.revision ?? 0n;
        if (frame.case !== "events") continue;
        const late = frame.value.events.find((event) => (event.object?.revision ?? 0n) <= told);
        hold(late === undefined, `event ${late?.object?.revision} came after progress ${told}`);
      }
    },
  ),
  watch(
    "progress.every-write",
    "Progress to a revision means that the watch has told every acknowledged write up to it.",
    { ...watches, has: ["PROGRESS"] },
    async (kit) => {
      const watcher = await begun(kit, { progressEveryMs: 20 });
      const made: Made[] = [];
      for (let count = 0; count < 40; count++) {
        made.push(await kit.make(count));
        const { reached } = watcher;
        const seen = new Set(watcher.changes.map((change) => change.revision));
        const missed = made.find((one) => one.revision <= reached && !seen.has(one.revision));
        hold(missed === undefined, `the watch has come to ${reached} without the event ${missed?.revision}`);
      }
    },
  ),
  watch(
    "progress.other-resource",
    "Progress goes on with writes to another resource, soon.",
    { ...watches, has: ["PROGRESS"], other: true, storeScope: true },
    async (kit) => {
      const watcher = await begun(kit, { progressEveryMs: 100 });
      const written = await kit.make(1, { about: kit.other });
      const since = performance.now();
      await watcher.reaches(written.revision);
      hold(
        performance.now() - since < 2_000,
        `progress to ${written.revision} took ${Math.round(performance.now() - since)} ms`,
      );
      same(watcher.changes.length, 0, "events");
    },
  ),
  watch("watch.unchanged-update", "An update that says that nothing differed is no event.", changes, async (kit) => {
    const watcher = await begun(kit);
    const made = await kit.make(1);
    const object = { key: made.key, uid: made.uid, json: made.json };
    const preconditions = { revision: made.revision };
    const { unchanged } = await kit.store.update({
      context: kit.context(),
      resource: kit.subject.ref,
      object,
      preconditions,
    });
    const end = await kit.make("end");
    same((await watcher.reaches(end.revision)).length, unchanged ? 2 : 3, "events");
  }),
  watch(
    "watch.cancelled",
    "Hundreds of watches that are cancelled in a burst leave other calls, and other watches, unharmed.",
    watches,
    async (kit) => {
      const steady = await begun(kit);
      await Promise.all(
        Array.from({ length: 400 }, async () => {
          const watcher = kit.watch();
          await watcher.started();
          watcher.close();
        }),
      );
      const made = await kit.make();
      same((await steady.take(1))[0]?.revision, made.revision, "the event of the watch that went on");
    },
  ),
];

/** Checked late: it writes more than all others together. */
export const slowReaderPromises = [
  watch(
    "watch.slow-reader",
    "A watcher that doesn't read holds up no write and no other watcher, and misses nothing: it gets all, or its stream ends.",
    watches,
    async (kit) => {
      const slow = await begun(kit, { endpoint: kit.socket() });
      const other = await begun(kit);
      const go = slow.pause();
      const written = await unread(kit);
      const last = written.at(-1) ?? 0n;
      await other.reaches(last);
      go();
      await Promise.race([slow.reaches(last).catch(() => {}), slow.end().catch(() => {})]);
      const seen = slow.changes.map((change) => change.revision);
      same(seen, written.slice(0, seen.length), "the events of the slow watcher");
      hold(
        seen.length === written.length || slow.ended !== undefined,
        `it has ${seen.length} of ${written.length} events, and its stream goes on`,
      );
    },
  ),
];

/** A watch of this promise's collection that has started. */
async function begun(kit: Kit, options: Parameters<Kit["watch"]>[0] = {}): Promise<Watcher> {
  const watcher = kit.watch(options);
  await watcher.started();
  return watcher;
}

/** Writes that nobody reads: large ones, then more small ones than a store keeps. Gives their revisions in order. */
async function unread(kit: Kit): Promise<readonly bigint[]> {
  const written: bigint[] = [];
  const writers = Array.from({ length: unreadWriters }, async () => {
    let made: Made | undefined;
    for (let count = 0; count < unreadEvents / unreadWriters; count++) {
      const payload = count < stuffing.objects / unreadWriters ? `${count}${"x".repeat(stuffing.bytes)}` : count;
      const isNew = made === undefined || count % 10 === 0 || !kit.subject.can("update");
      const write: Promise<Made> = isNew || made === undefined ? kit.make(payload) : kit.put(made, payload);
      made = await unheld(write);
      written.push(made.revision);
    }
  });
  await Promise.all(writers);
  return written.sort((a, b) => (a < b ? -1 : 1));
}

/** @throws Broken if a write is held up. */
async function unheld<T>(write: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const seen = `a write is not answered within ${heldUpMs / 1000} s while a watcher doesn't read`;
  const timer = setTimeout(() => reject(new Broken(seen)), heldUpMs);
  try {
    return await Promise.race([write, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Many writers at once: creates, updates and deletes. Gives the revisions of the acknowledged, in order. */
async function storm(kit: Kit, writers = 10, rounds = 8) {
  const watcher = await begun(kit);
  const written: bigint[] = [];
  const note = <T extends { readonly revision: bigint }>(one: T): T => {
    written.push(one.revision);
    return one;
  };
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      for (let round = 0; round < rounds; round++) {
        const made = note(await kit.make({ writer, round }));
        const next = note(await kit.put(made, { writer, round, next: true }));
        if (round % 2 === 0) note(await kit.drop(next));
      }
    }),
  );
  written.sort((a, b) => (a < b ? -1 : 1));
  return { watcher, written, last: written.at(-1) ?? 0n };
}

function shown(change: Change | undefined) {
  return [change?.type, change?.key, change?.revision, change?.uid, text(change?.json)];
}
