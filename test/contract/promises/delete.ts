/** What a delete promises. */
import { Code } from "@connectrpc/connect";
import { codeOf, nameOf, refused } from "../kit.ts";
import { hold, promisesOf, same } from "../promise.ts";

const verbs = promisesOf("verbs");
const keeps = { verbs: "create get delete" };

export const deletePromises = [
  verbs("delete.gone", "An object that was deleted is NOT_FOUND at once.", keeps, async (kit) => {
    for (let count = 0; count < 60; count++) {
      const made = await kit.make(count);
      await kit.drop(made);
      hold(!(await kit.isThere(made.key)), `object ${count + 1} is still there`);
    }
  }),
  verbs("delete.mints", "A delete mints a revision above those of all writes before it.", keeps, async (kit) => {
    const made = await kit.make();
    const later = await kit.make();
    const removed = await kit.drop(made);
    hold(removed.revision > later.revision, `the delete's revision ${removed.revision} is not above ${later.revision}`);
  }),
  verbs("delete.last-state", "A delete answers with the last state, whole.", keeps, async (kit) => {
    const made = await kit.make({ last: true });
    const removed = await kit.drop(made);
    same(removed.json, made.json, "the JSON of the answer");
    same(removed.uid, made.uid, "the uid of the answer");
    same([removed.key?.namespace, removed.key?.name], [made.key.namespace, made.key.name], "the key of the answer");
  }),
  verbs("delete.again", "A second delete is NOT_FOUND.", keeps, async (kit) => {
    const made = await kit.make();
    await kit.drop(made);
    await refused(kit.drop(made), Code.NotFound, "a second delete");
  }),
  verbs("delete.missing", "A delete of a name that never was is NOT_FOUND.", keeps, async (kit) => {
    const call = kit.store.delete({
      context: kit.context(),
      resource: kit.subject.ref,
      key: kit.key(),
      preconditions: { revision: 1n },
    });
    await refused(call, Code.NotFound, "a delete of a missing object");
  }),
  verbs(
    "delete.stale",
    "A delete at another revision than the object's is refused with ABORTED, and the object stays.",
    { verbs: "create get update delete" },
    async (kit) => {
      const made = await kit.make(1);
      const next = await kit.put(made, 2);
      await refused(kit.drop(made), Code.Aborted, "a delete at a stale revision");
      same((await kit.get(made.key)).object.revision, next.revision, "the revision");
      await kit.drop(next);
    },
  ),
  verbs(
    "delete.uid",
    "A delete that requires another uid than the object's is refused with ABORTED, and the object stays.",
    keeps,
    async (kit) => {
      const made = await kit.make();
      const preconditions = { revision: made.revision, uid: "another" };
      const call = kit.store.delete({
        context: kit.context(),
        resource: kit.subject.ref,
        key: made.key,
        preconditions,
      });
      await refused(call, Code.Aborted, "a delete that requires another uid");
      same((await kit.get(made.key)).object.revision, made.revision, "the revision");
    },
  ),
  verbs(
    "delete.unconditional-refused",
    "A delete without a revision is INVALID_ARGUMENT where unconditional updates aren't declared, and the object stays.",
    { ...keeps, lacks: ["UNCONDITIONAL_UPDATE"] },
    async (kit) => {
      const made = await kit.make();
      const call = kit.store.delete({ context: kit.context(), resource: kit.subject.ref, key: made.key });
      await refused(call, Code.InvalidArgument, "a delete without a revision");
      same((await kit.get(made.key)).object.revision, made.revision, "the revision");
    },
  ),
  verbs(
    "delete.unconditional",
    "A delete without a revision is taken where unconditional updates are declared.",
    { ...keeps, has: ["UNCONDITIONAL_UPDATE"] },
    async (kit) => {
      const made = await kit.make();
      await kit.store.delete({ context: kit.context(), resource: kit.subject.ref, key: made.key });
      hold(!(await kit.isThere(made.key)), "the object is still there");
    },
  ),
  verbs(
    "delete.one-winner",
    "Of many who delete one object at once exactly one is acknowledged.",
    keeps,
    async (kit) => {
      for (let round = 0; round < 4; round++) {
        const made = await kit.make();
        const codes = await Promise.all(Array.from({ length: 12 }, () => codeOf(kit.drop(made))));
        same(codes.filter((code) => code === undefined).length, 1, "deletes that were acknowledged");
        const others = codes.filter((code) => code !== undefined && code !== Code.NotFound && code !== Code.Aborted);
        same(others.map(nameOf), [], "other refusals than NOT_FOUND and ABORTED");
      }
    },
  ),
  verbs(
    "delete.or-update",
    "Of a delete and an update of one revision at once exactly one is acknowledged, and its outcome is there.",
    { verbs: "create get update delete" },
    async (kit) => {
      for (let round = 0; round < 12; round++) {
        const made = await kit.make();
        const [removed, changed] = await Promise.all([codeOf(kit.drop(made)), codeOf(kit.put(made, "changed"))]);
        same([removed, changed].filter((code) => code === undefined).length, 1, "writes that were acknowledged");
        same(await kit.isThere(made.key), removed !== undefined, "whether the object is there");
      }
    },
  ),
  verbs("delete.alone", "A delete removes no other object.", keeps, async (kit) => {
    const made = await Promise.all(
      ["a", "a-b", "a.b", "ab", "a0"].map((name) => kit.make(name, { key: kit.key(name) })),
    );
    const [first] = made;
    hold(first !== undefined, "nothing was made");
    await kit.drop(first);
    for (const other of made.slice(1)) hold(await kit.isThere(other.key), `the object ${other.key.name} is gone too`);
  }),
  verbs(
    "delete.idempotent",
    "A delete that is repeated with its request id has its effect once, and the same answer.",
    { ...keeps, has: ["IDEMPOTENT_WRITES"] },
    async (kit) => {
      const made = await kit.make();
      const request = {
        context: kit.context(),
        resource: kit.subject.ref,
        key: made.key,
        preconditions: { revision: made.revision },
      };
      const first = await kit.store.delete(request);
      const second = await kit.store.delete(request);
      same(second.object?.revision, first.object?.revision, "the revision of the repeated delete");
    },
  ),
  verbs(
    "delete.conflict-current",
    "A conflict of a delete brings the present object along when asked, if it fits into trailers.",
    { verbs: "create get update delete" },
    async (kit) => {
      const made = await kit.make(1);
      const next = await kit.put(made, 2);
      const call = kit.store.delete({
        context: kit.context(),
        resource: kit.subject.ref,
        key: made.key,
        preconditions: { revision: made.revision },
        returnCurrentOnConflict: true,
      });
      const detail = await refused(call, Code.Aborted, "a stale delete");
      if (detail?.current !== undefined) same(detail.current.revision, next.revision, "the present revision");
    },
  ),
];
