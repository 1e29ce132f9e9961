/**
 * What lists promise of which a gateway makes a watch: whoever compares two of them can tell what was
 * written and what was deleted between, each under a revision of its own.
 */
import { hold, promisesOf, same } from "../promise.ts";

const reads = promisesOf("reads");
const polled = { verbs: "create get list delete", polled: true } as const;

export const polledPromises = [
  reads(
    "polled.mark-grows",
    "A list's mark has the writes before it, and never goes back.",
    { ...polled, verbs: `${polled.verbs} update` },
    async (kit) => {
      let { mark } = await kit.list();
      const made = await kit.make(1);
      for (const write of [() => kit.put(made, 2), () => kit.make(3)]) {
        const { revision } = await write();
        const next = await kit.list();
        hold(next.mark >= revision, `the mark ${next.mark} is below an acknowledged write, ${revision}`);
        hold(next.mark >= mark, `the mark went from ${mark} back to ${next.mark}`);
        mark = next.mark;
      }
    },
  ),
  reads(
    "polled.deletes",
    "Each delete between two lists has a revision of its own between their marks.",
    polled,
    async (kit) => {
      const kept = await kit.make(0);
      const made = [await kit.make(1), await kit.make(2)];
      const before = await kit.list();
      const removed = [];
      for (const one of made) removed.push((await kit.drop(one)).revision);
      const after = await kit.list();
      same(
        kit.mine(after).map((item) => item.revision),
        [kept.revision],
        "what is listed after the deletes",
      );
      same(new Set(removed).size, removed.length, "revisions of the deletes");
      for (const revision of removed) {
        hold(
          revision > before.mark && revision <= after.mark,
          `a delete has revision ${revision}, the marks before and after it are ${before.mark} and ${after.mark}`,
        );
      }
    },
  ),
  reads(
    "polled.made-anew",
    "An object that is deleted and made anew between two lists leaves room for the delete's revision.",
    polled,
    async (kit) => {
      const made = await kit.make(1);
      const before = await kit.list();
      await kit.drop(made);
      const anew = await kit.make(2, { key: made.key });
      hold(
        anew.revision >= before.mark + 2n,
        `the new object has revision ${anew.revision}, the mark before the delete is ${before.mark}`,
      );
    },
  ),
];
