/** What reads of an earlier state promise. */
import { Code } from "@connectrpc/connect";
import { exactly, type Made, refused } from "../kit.ts";
import { hold, promisesOf, same, text } from "../promise.ts";
import { keyText } from "../recorder.ts";
import { forgotten } from "./window.ts";

const reads = promisesOf("reads");
const exact = { verbs: "create get list update delete", has: ["EXACT_READ"] } as const;

export const historyReadPromises = [
  reads("exact.get", "A get at an earlier revision gives the object as it was.", exact, async (kit) => {
    const states = [await kit.make(0)];
    for (let count = 1; count < 20; count++) states.push(await kit.put(states[count - 1] ?? (await kit.make()), count));
    for (const state of states) {
      const { object, mark } = await kit.get(state.key, { read: exactly(state.revision) });
      same([object.revision, text(object.json)], [state.revision, text(state.json)], `the object at ${state.revision}`);
      same(mark, state.revision, "the mark");
    }
  }),
  reads(
    "exact.before-creation",
    "A get at a revision before the object's creation is NOT_FOUND.",
    exact,
    async (kit) => {
      const earlier = await kit.make();
      const made = await kit.make();
      await refused(kit.get(made.key, { read: exactly(earlier.revision) }), Code.NotFound, "a get before the creation");
    },
  ),
  reads(
    "exact.deleted",
    "A get at a revision before the delete gives the object, at the delete's revision it is NOT_FOUND.",
    exact,
    async (kit) => {
      const made = await kit.make();
      const removed = await kit.drop(made);
      same(
        (await kit.get(made.key, { read: exactly(made.revision) })).object.json,
        made.json,
        "the object before its delete",
      );
      await refused(
        kit.get(made.key, { read: exactly(removed.revision) }),
        Code.NotFound,
        "a get at the delete's revision",
      );
    },
  ),
  reads(
    "exact.list",
    "A list at each of the last revisions is the state that the writes up to it made.",
    exact,
    async (kit) => {
      const model = new Map<string, string>();
      const states: { readonly at: bigint; readonly items: readonly string[] }[] = [];
      const note = (at: bigint) => states.push({ at, items: [...model].map(([key, text]) => `${key} ${text}`).sort() });
      const live: Made[] = [];
      for (let count = 0; count < 36; count++) {
        const victim = live[count % 5];
        if (count % 3 === 1 && victim !== undefined) {
          const next = await kit.put(victim, { count });
          live[live.indexOf(victim)] = next;
          model.set(keyText(next.key), `${next.revision} ${text(next.json)}`);
          note(next.revision);
        } else if (count % 4 === 3 && victim !== undefined) {
          live.splice(live.indexOf(victim), 1);
          model.delete(keyText(victim.key));
          note((await kit.drop(victim)).revision);
        } else {
          const made = await kit.make({ count });
          live.push(made);
          model.set(keyText(made.key), `${made.revision} ${text(made.json)}`);
          note(made.revision);
        }
      }
      for (const { at, items } of states) {
        const listed = await kit.list({ read: exactly(at) });
        const found = kit
          .mine(listed)
          .map((item) => `${keyText(item.key)} ${item.revision} ${text(item.json)}`)
          .sort();
        same(found, items, `the list at ${at}`);
        same(listed.mark, at, "the mark of the list");
      }
    },
  ),
  reads(
    "exact.not-reached",
    "An exact read above the head is UNAVAILABLE.",
    { ...exact, verbs: `${exact.verbs} watch` },
    async (kit) => {
      const made = await kit.make();
      const { revision } = await kit.head();
      const read = exactly(revision + 1_000n);
      await Promise.all([
        refused(kit.get(made.key, { read }), Code.Unavailable, "a get above the head"),
        refused(kit.list({ read }), Code.Unavailable, "a list above the head"),
      ]);
    },
  ),
  reads(
    "exact.forgotten",
    "An exact read before the oldest revision that is kept is OUT_OF_RANGE, never another state.",
    { ...exact, verbs: `${exact.verbs} watch` },
    async (kit) => {
      const made = await kit.make();
      const { before } = await forgotten(kit, made.revision);
      if (before === undefined) return;
      await refused(kit.get(made.key, { read: exactly(before) }), Code.OutOfRange, `a get at ${before}`);
      await refused(kit.list({ read: exactly(before) }), Code.OutOfRange, `a list at ${before}`);
    },
  ),
  reads(
    "list.token-forgotten",
    "A token whose state is no longer kept is OUT_OF_RANGE, and one that is taken still shows its own state.",
    { verbs: "create get list watch update", has: ["SNAPSHOT_LIST"] },
    async (kit) => {
      const made = await Promise.all(
        Array.from({ length: 12 }, (_, index) => kit.make(index, { key: kit.key(`p-${10 + index}`) })),
      );
      const first = await kit.list({ limit: 5 });
      if (first.token.length === 0) return;
      const { oldest } = await forgotten(kit, first.mark);
      if (oldest > first.mark) {
        await refused(
          kit.list({ limit: 50, token: first.token }),
          Code.OutOfRange,
          "a list with a token that is too old",
        );
        return;
      }
      const rest = await kit.list({ limit: 50, token: first.token });
      same(rest.mark, first.mark, "the mark of the next page");
      const found = [...kit.mine(first), ...kit.mine(rest)].map((item) => `${keyText(item.key)} ${item.revision}`);
      same(
        found,
        made.map((one) => `${keyText(one.key)} ${one.revision}`),
        "the objects of the pages",
      );
      hold(rest.token.length === 0, "there is a token after the last object");
    },
  ),
];
