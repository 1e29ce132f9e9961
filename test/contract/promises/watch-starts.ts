/** What a watch promises of its beginning: where it starts, how far back it can, and what it refuses. */
import { Code } from "@connectrpc/connect";
import { type Made, nameOf } from "../kit.ts";
import { hold, promisesOf, same } from "../promise.ts";
import { keyText } from "../recorder.ts";
import type { Watcher } from "../watcher.ts";
import { forgotten } from "./window.ts";

const watch = promisesOf("watch");
const resumes = { verbs: "create get list watch update", has: ["RESUME"] } as const;
/** Revisions of a declared window that are written and resumed from. */
const triedRevisions = 1_000;

export const watchStartPromises = [
  watch(
    "watch.started",
    "The first frame of a watch is started, at the revision that was asked for, in the epoch of now.",
    resumes,
    async (kit) => {
      const made = await kit.make();
      const { epoch } = await kit.head();
      const watcher = kit.watch({ after: made.revision, epoch });
      const started = await watcher.started();
      same([started.revision, started.epoch], [made.revision, epoch], "where the watch starts");
      hold(
        started.oldestResumable <= made.revision,
        `it says that ${started.oldestResumable} is the oldest, above its own start`,
      );
    },
  ),
  watch(
    "watch.now",
    "A watch that begins now starts at the head, and tells nothing earlier.",
    { verbs: "create get list watch" },
    async (kit) => {
      const earlier = await kit.make("earlier");
      const watcher = kit.watch();
      const started = await watcher.started();
      hold(
        started.revision >= earlier.revision,
        `it starts at ${started.revision}, below an acknowledged write ${earlier.revision}`,
      );
      const made = await kit.make("later");
      const [first] = await watcher.take(1);
      same(first?.revision, made.revision, "the revision of the first event");
    },
  ),
  watch(
    "watch.stands",
    "Once started was told, no change is missed.",
    { verbs: "create get list watch" },
    async (kit) => {
      for (let count = 0; count < 20; count++) {
        const watcher = kit.watch();
        await watcher.started();
        const made = await kit.make(count);
        const [first] = await watcher.take(1);
        same(first?.revision, made.revision, "the revision of the first event");
        watcher.close();
      }
    },
  ),
  watch(
    "watch.resume-everywhere",
    "A watch resumes after every revision: exactly the later changes follow.",
    { ...resumes, verbs: `${resumes.verbs} delete` },
    async (kit) => {
      const start = (await kit.head()).revision;
      let made = await kit.make(0);
      const written = [made.revision];
      for (let count = 1; count < 40; count++) {
        made = count % 4 === 0 ? await kit.make(count) : await kit.put(made, count);
        written.push(made.revision);
        if (count % 5 === 0) written.push((await kit.drop(await noted(kit.make(count), written))).revision);
      }
      const { epoch } = await kit.head();
      for (const after of [start, ...written]) {
        const watcher = kit.watch({ after, epoch });
        await watcher.started();
        const changes = await watcher.reaches(written.at(-1) ?? 0n);
        same(
          changes.map((change) => change.revision),
          written.filter((revision) => revision > after),
          `changes after ${after}`,
        );
        watcher.close();
      }
    },
    60_000,
  ),
  watch("watch.resume-at-head", "A watch that resumes at the head repeats nothing.", resumes, async (kit) => {
    for (let count = 0; count < 30; count++) await kit.make(count);
    const { revision } = await kit.head();
    same((await kit.changesAfter(revision)).length, 0, "events after the head");
  }),
  watch(
    "watch.resume-after-event",
    "A watch that resumes after each event it had gets each change once.",
    resumes,
    async (kit) => {
      const start = await kit.make("start");
      const writing = (async () => {
        for (let count = 0; count < 60; count++) await kit.make(count);
        return await kit.make("end");
      })();
      // Whoever throws first has said it.
      writing.catch(() => {});
      const { epoch } = await kit.head();
      const seen: bigint[] = [];
      let after = start.revision;
      while (seen.length < 61) {
        const watcher = kit.watch({ after, epoch });
        await watcher.started();
        const changes = await watcher.take(1);
        watcher.close();
        const count = Math.min(changes.length, 1 + (seen.length % 3));
        seen.push(...changes.slice(0, count).map((change) => change.revision));
        after = seen.at(-1) ?? after;
      }
      await writing;
      same(new Set(seen).size, 61, "distinct events");
    },
  ),
  watch(
    "watch.window",
    "A watch resumes within the whole declared window.",
    resumes,
    async (kit) => {
      const declared = Number(kit.subject.resource.resumeWindow?.minRevisions ?? 0n);
      const count = Math.min(declared, triedRevisions);
      if (count === 0) return;
      const start = await kit.make(0);
      const written: bigint[] = [];
      let left = count - 1;
      const write = async () => {
        while (left > 0) {
          left -= 1;
          written.push((await kit.make(left)).revision);
        }
      };
      await Promise.all(Array.from({ length: 16 }, write));
      written.sort((a, b) => (a < b ? -1 : 1));
      const { epoch, revision } = await kit.head();
      if (revision - start.revision > BigInt(declared)) return;
      const watcher = kit.watch({ after: start.revision, epoch });
      await watcher.started();
      const changes = await watcher.reaches(written.at(-1) ?? 0n);
      same(
        changes.map((change) => change.revision),
        written,
        "changes after the window's first revision",
      );
    },
    60_000,
  ),
  watch(
    "watch.forgotten",
    "A watch after a revision before the window is told that it expired, and never goes on in silence.",
    resumes,
    async (kit) => {
      const made = await kit.make();
      const { epoch } = await kit.head();
      const { oldest, before } = await forgotten(kit, made.revision);
      if (before === undefined) return;
      const after = oldest > made.revision ? made.revision : before;
      await expires(kit.watch({ after, epoch }), `a watch after ${after}, where the oldest is ${oldest}`);
    },
    60_000,
  ),
  watch(
    "watch.boundary",
    "A watch after the oldest resumable revision itself is taken, and gets every later change.",
    resumes,
    async (kit) => {
      const made = await kit.make();
      const { epoch } = await kit.head();
      await forgotten(kit, made.revision);
      for (let count = 0; count < 2; count++) {
        const probe = kit.watch();
        const { oldestResumable } = await probe.started();
        probe.close();
        if (oldestResumable === 0n) return;
        const watcher = kit.watch({ after: oldestResumable, epoch });
        await watcher.started();
        const last = await kit.make(count);
        await watcher.reaches(last.revision);
        const revisions = watcher.changes.map((change) => change.revision);
        same(revisions.at(-1), last.revision, "the last event");
        hold(
          revisions.every((revision) => revision > oldestResumable),
          "an event is not above the start",
        );
        watcher.close();
      }
    },
    60_000,
  ),
  watch("watch.other-epoch", "A watch that names another epoch is told that it expired.", resumes, async (kit) => {
    const made = await kit.make();
    await expires(kit.watch({ after: made.revision, epoch: "another" }), "a watch of another epoch");
  }),
  watch(
    "watch.above-head",
    "A watch after a revision above the head is told that it expired.",
    resumes,
    async (kit) => {
      const { revision, epoch } = await kit.head();
      await expires(kit.watch({ after: revision + 1_000n, epoch }), "a watch above the head");
    },
  ),
  watch(
    "watch.expired-head",
    "An expired frame names the head of now, and is the last frame.",
    resumes,
    async (kit) => {
      const made = await kit.make();
      const watcher = kit.watch({ after: made.revision, epoch: "another" });
      const { expired } = await watcher.end();
      if (expired === undefined) return;
      hold(expired.head >= made.revision, `the head ${expired.head} is below an acknowledged write ${made.revision}`);
      same(watcher.frames.at(-1)?.case, "expired", "the last frame");
    },
  ),
  watch(
    "watch.resume-refused",
    "A watch after a revision is UNIMPLEMENTED where resuming isn't declared.",
    { verbs: "create get watch", lacks: ["RESUME"] },
    async (kit) => {
      const made = await kit.make();
      const { code } = await kit.watch({ after: made.revision }).end();
      same(nameOf(code), "UNIMPLEMENTED", "the end of the watch");
    },
  ),
  watch(
    "watch.initial-refused",
    "A watch that begins with the present state is UNIMPLEMENTED where that isn't declared.",
    { verbs: "watch", lacks: ["INITIAL_STATE"] },
    async (kit) => {
      const { code } = await kit.watch({ isInitial: true }).end();
      same(nameOf(code), "UNIMPLEMENTED", "the end of the watch");
    },
  ),
  watch(
    "watch.initial",
    "A watch that begins with the present state gives each object once, then initial_end once, then changes.",
    { verbs: "create get list watch update delete", has: ["INITIAL_STATE"] },
    async (kit) => {
      const made = await Promise.all(Array.from({ length: 12 }, (_, index) => kit.make(index)));
      const [doomed, changing] = made;
      hold(doomed !== undefined && changing !== undefined, "nothing was made");
      await kit.drop(doomed);
      const changed = await kit.put(changing, "changed");
      const watcher = kit.watch({ isInitial: true });
      await watcher.frame("initialEnd");
      const wanted = [...made.slice(2), changed].map((one) => `put ${keyText(one.key)} ${one.revision}`).sort();
      same(
        watcher.changes.map((change) => `${change.type} ${change.key} ${change.revision}`).sort(),
        wanted,
        "the initial state",
      );
      const later = await kit.make("later");
      const changes = await watcher.take(wanted.length + 1);
      same(changes.at(-1)?.revision, later.revision, "the event after initial_end");
      same(watcher.frames.filter((frame) => frame.case === "initialEnd").length, 1, "initial_end frames");
    },
  ),
  watch(
    "watch.initial-end-of-nothing",
    "A watch of nothing that begins with the present state says initial_end at once, under a mark above 0.",
    { verbs: "create get list watch", has: ["INITIAL_STATE"] },
    async (kit) => {
      const watcher = kit.watch({ isInitial: true, namespace: kit.namespace("-empty") });
      await watcher.frame("initialEnd");
      hold(watcher.reached > 0n, "the mark is 0");
    },
  ),
];

async function noted(making: Promise<Made>, written: bigint[]): Promise<Made> {
  const made = await making;
  written.push(made.revision);
  return made;
}

async function expires(watcher: Watcher, what: string): Promise<void> {
  await watcher.end();
  hold(
    watcher.isExpired,
    `${what} was not told that it expired: it ended with ${nameOf(watcher.ended?.code)} after ${watcher.frames.map((frame) => frame.case).join(", ") || "no frame"}`,
  );
  same(watcher.changes.length, 0, `events of ${what}`);
  const { code } = watcher.ended ?? {};
  hold(code === undefined || code === Code.OutOfRange, `it ended with ${nameOf(code)}`);
}
