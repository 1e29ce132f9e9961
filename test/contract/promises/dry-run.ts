/** What a dry run promises: the answer of the write, and no effect; or a refusal. */
import { Code } from "@connectrpc/connect";
import type { Kit, Made } from "../kit.ts";
import { refused } from "../kit.ts";
import { hold, promisesOf, same } from "../promise.ts";

const verbs = promisesOf("verbs");
const declared = ["DRY_RUN"] as const;

export const dryRunPromises = [
  verbs(
    "dry-run.create-refused",
    "A create as a dry run is UNIMPLEMENTED where dry runs aren't declared, and writes nothing.",
    { verbs: "create get", lacks: declared },
    async (kit) => {
      const key = kit.key();
      await refused(tryCreate(kit, key), Code.Unimplemented, "a dry run");
      hold(!(await kit.isThere(key)), "the dry run wrote the object");
    },
  ),
  verbs(
    "dry-run.update-refused",
    "An update as a dry run is UNIMPLEMENTED where dry runs aren't declared, and writes nothing.",
    { verbs: "create get update", lacks: declared },
    async (kit) => {
      const made = await kit.make(1);
      await refused(tryUpdate(kit, made), Code.Unimplemented, "a dry run");
      same((await kit.get(made.key)).object.revision, made.revision, "the revision");
    },
  ),
  verbs(
    "dry-run.delete-refused",
    "A delete as a dry run is UNIMPLEMENTED where dry runs aren't declared, and removes nothing.",
    { verbs: "create get delete", lacks: declared },
    async (kit) => {
      const made = await kit.make(1);
      await refused(tryDelete(kit, made), Code.Unimplemented, "a dry run");
      same((await kit.get(made.key)).object.revision, made.revision, "the revision");
    },
  ),
  verbs(
    "dry-run.create",
    "A create as a dry run writes nothing.",
    { verbs: "create get", has: declared },
    async (kit) => {
      const key = kit.key();
      await tryCreate(kit, key);
      hold(!(await kit.isThere(key)), "the dry run wrote the object");
      await kit.make(1, { key });
    },
  ),
  verbs(
    "dry-run.create-taken",
    "A create of a name that is taken is ALREADY_EXISTS as a dry run too.",
    { verbs: "create get", has: declared },
    async (kit) => {
      const made = await kit.make(1);
      await refused(tryCreate(kit, made.key), Code.AlreadyExists, "a dry run of a create of a taken name");
    },
  ),
  verbs(
    "dry-run.update",
    "An update as a dry run writes nothing, and mints no revision.",
    { verbs: "create get update", has: declared },
    async (kit) => {
      const made = await kit.make(1);
      for (let count = 0; count < 60; count++) await tryUpdate(kit, made);
      same((await kit.get(made.key)).object.json, made.json, "the object");
      await kit.put(made, 3);
    },
  ),
  verbs(
    "dry-run.update-stale",
    "An update at a stale revision is ABORTED as a dry run too.",
    { verbs: "create get update", has: declared },
    async (kit) => {
      const made = await kit.make(1);
      await kit.put(made, 2);
      await refused(tryUpdate(kit, made), Code.Aborted, "a dry run of a stale update");
    },
  ),
  verbs(
    "dry-run.delete",
    "A delete as a dry run removes nothing.",
    { verbs: "create get delete", has: declared },
    async (kit) => {
      const made = await kit.make(1);
      await tryDelete(kit, made);
      same((await kit.get(made.key)).object.revision, made.revision, "the revision");
    },
  ),
  verbs(
    "dry-run.delete-missing",
    "A delete of a missing object is NOT_FOUND as a dry run too.",
    { verbs: "create get delete", has: declared },
    async (kit) => {
      const made = await kit.make(1);
      await kit.drop(made);
      await refused(tryDelete(kit, made), Code.NotFound, "a dry run of a delete of a missing object");
    },
  ),
  verbs(
    "dry-run.no-event",
    "A dry run is no event of any watch.",
    { verbs: "create get update watch list", has: ["DRY_RUN", "RESUME"] },
    async (kit) => {
      const made = await kit.make(1);
      await tryCreate(kit, kit.key());
      await tryUpdate(kit, made);
      same((await kit.changesAfter(made.revision)).length, 0, "events");
    },
  ),
];

type Key = Made["key"];

function tryCreate(kit: Kit, key: Key) {
  const object = { key, uid: "u", json: kit.json(key, 1) };
  return kit.store.create({ context: kit.context(), resource: kit.subject.ref, object, dryRun: true });
}

function tryUpdate(kit: Kit, { key, uid, revision }: Made) {
  const object = { key, uid, json: kit.json(key, "dry") };
  const preconditions = { revision };
  return kit.store.update({ context: kit.context(), resource: kit.subject.ref, object, preconditions, dryRun: true });
}

function tryDelete(kit: Kit, { key, revision }: Made) {
  const preconditions = { revision };
  return kit.store.delete({ context: kit.context(), resource: kit.subject.ref, key, preconditions, dryRun: true });
}
