/**
 * What is promised when a gateway has shown more than the store knows: a new epoch, above it.
 *
 * Last of all, and of nothing but itself: it ends the epoch that everything before was written in.
 */
import { codeOf, type Kit, nameOf } from "../kit.ts";
import { hold, promisesOf } from "../promise.ts";

const watch = promisesOf("watch");
/** How far above the head the gateway says that it has shown. */
const ahead = 5_000n;

export const epochPromises = [
  watch(
    "epoch.not-below",
    "A store whose head is below what a gateway has shown begins a new epoch, above it.",
    { verbs: "create get list watch" },
    async (kit) => {
      const before = await kit.head();
      const shown = before.revision + ahead;
      await sayShown(kit, shown);
      const after = await kit.head();
      hold(after.epoch !== before.epoch, "the epoch is the same as before");
      hold(after.revision >= shown, `the head is ${after.revision}, below what was shown, ${shown}`);
      const made = await kit.make();
      hold(made.revision > shown, `the next write has revision ${made.revision}, not above ${shown}`);
    },
  ),
  watch(
    "epoch.watches-end",
    "A new epoch ends the watches of the one before, and none resumes from before its start.",
    { verbs: "create get list watch", has: ["RESUME"] },
    async (kit) => {
      const made = await kit.make();
      const before = await kit.head();
      const watcher = kit.watch({ after: made.revision, epoch: before.epoch });
      await watcher.started();
      await sayShown(kit, before.revision + ahead);
      await watcher.end();
      const { code } = watcher.ended ?? {};
      hold(watcher.isExpired || code !== undefined, `the watch ended with ${nameOf(code)}, and did not say why`);
      const { epoch } = await kit.head();
      const resumed = kit.watch({ after: made.revision, epoch });
      await resumed.end();
      hold(resumed.isExpired, `a watch resumed at ${made.revision}, before the epoch's start`);
    },
  ),
];

async function sayShown(kit: Kit, notBelow: bigint): Promise<void> {
  const gateway = { name: "annex-certify", version: "1", minors: [0], notBelow };
  for (const { catalog } of kit.parts.endpoints) await codeOf(catalog.describe({ gateway }));
}
