/** What an update promises: compare-and-swap above all. */
import { Code } from "@connectrpc/connect";
import { codeOf, nameOf, refused } from "../kit.ts";
import { hold, promisesOf, same, text } from "../promise.ts";

const verbs = promisesOf("verbs");
const keeps = { verbs: "create get update" };
/** Above what gRPC's trailers carry. */
const largeBytes = 200_000;

export const updatePromises = [
  verbs(
    "update.read-your-write",
    "An object that was updated is read as it was written, at once, under a higher revision.",
    keeps,
    async (kit) => {
      let made = await kit.make(0);
      for (let count = 1; count <= 30; count++) {
        const next = await kit.put(made, { count });
        hold(next.revision > made.revision, `revision ${next.revision} came after ${made.revision}`);
        const { object } = await kit.get(made.key);
        same([object.revision, text(object.json)], [next.revision, text(next.json)], "the object");
        made = next;
      }
    },
  ),
  verbs(
    "update.stale",
    "An update at another revision than the object's is refused with ABORTED, and changes nothing.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const next = await kit.put(made, 2);
      await refused(kit.put(made, 3), Code.Aborted, "an update at a stale revision");
      const { object } = await kit.get(made.key);
      same([object.revision, text(object.json)], [next.revision, text(next.json)], "the object");
    },
  ),
  verbs("update.future", "An update at a revision above the object's is refused with ABORTED.", keeps, async (kit) => {
    const made = await kit.make(1);
    await refused(
      kit.put({ ...made, revision: made.revision + 1_000n }, 2),
      Code.Aborted,
      "an update at a future revision",
    );
    same((await kit.get(made.key)).object.json, made.json, "the object");
  }),
  verbs("update.always-compared", "Compare-and-swap holds for each of many updates in a row.", keeps, async (kit) => {
    let made = await kit.make(0);
    for (let count = 1; count <= 60; count++) {
      const next = await kit.put(made, count);
      await refused(kit.put(made, "stale"), Code.Aborted, `update ${count} at the revision before`);
      made = next;
    }
  }),
  verbs(
    "update.one-winner",
    "Of many who update one revision at once exactly one is acknowledged, and its state is there.",
    keeps,
    async (kit) => {
      let made = await kit.make(0);
      for (let round = 0; round < 5; round++) {
        const at = made;
        const tries = Array.from({ length: 20 }, async (_, writer) => {
          try {
            return await kit.put(at, { round, writer });
          } catch (error) {
            same(nameOf(await codeOf(Promise.reject(error))), "ABORTED", "the refusal of a writer who lost");
            return undefined;
          }
        });
        const won = (await Promise.all(tries)).filter((one) => one !== undefined);
        same(won.length, 1, "updates of one revision that were acknowledged");
        made = won[0] ?? made;
        same((await kit.get(made.key)).object.json, made.json, "the JSON that is read");
      }
    },
  ),
  verbs(
    "update.conflict-current",
    "A conflict brings the present object along when asked, if it fits into trailers.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const next = await kit.put(made, 2);
      const { key, uid, revision } = made;
      const object = { key, uid, json: kit.json(key, 3) };
      const request = { context: kit.context(), resource: kit.subject.ref, object, preconditions: { revision } };
      const detail = await refused(
        kit.store.update({ ...request, returnCurrentOnConflict: true }),
        Code.Aborted,
        "a stale update",
      );
      if (detail?.current === undefined) return;
      same(
        [detail.current.revision, text(detail.current.json)],
        [next.revision, text(next.json)],
        "the present object",
      );
    },
  ),
  verbs(
    "update.conflict-current-unasked",
    "A conflict brings no object along when none was asked for.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      await kit.put(made, 2);
      const detail = await refused(kit.put(made, 3), Code.Aborted, "a stale update");
      hold(detail?.current === undefined, "the conflict brings the present object along, unasked");
    },
  ),
  verbs(
    "update.conflict-large",
    "A conflict about a large object is still ABORTED, and a read repairs it.",
    keeps,
    async (kit) => {
      const made = await kit.make("x".repeat(largeBytes));
      const next = await kit.put(made, "y".repeat(largeBytes));
      const { key, uid, revision } = made;
      const object = { key, uid, json: kit.json(key, 3) };
      const request = { context: kit.context(), resource: kit.subject.ref, object, preconditions: { revision } };
      await refused(kit.store.update({ ...request, returnCurrentOnConflict: true }), Code.Aborted, "a stale update");
      same((await kit.get(key)).object.revision, next.revision, "the revision that is read");
    },
  ),
  verbs(
    "update.uid",
    "An update that requires another uid than the object's is refused with ABORTED.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const object = { key: made.key, uid: made.uid, json: kit.json(made.key, 2) };
      const preconditions = { revision: made.revision, uid: "another" };
      const call = kit.store.update({ context: kit.context(), resource: kit.subject.ref, object, preconditions });
      await refused(call, Code.Aborted, "an update that requires another uid");
      same((await kit.get(made.key)).object.json, made.json, "the object");
    },
  ),
  verbs(
    "update.missing",
    "An update of an object that isn't there is NOT_FOUND, and creates nothing.",
    keeps,
    async (kit) => {
      if (kit.subject.resource.createOnUpdate) return;
      const key = kit.key();
      const object = { key, uid: "u", json: kit.json(key, 1) };
      const call = kit.store.update({
        context: kit.context(),
        resource: kit.subject.ref,
        object,
        preconditions: { revision: 1n },
      });
      await refused(call, [Code.NotFound], "an update of a missing object");
      hold(!(await kit.isThere(key)), "the update created the object");
    },
  ),
  verbs(
    "update.deleted",
    "An update of an object that was deleted is NOT_FOUND, and doesn't bring it back.",
    { verbs: "create get update delete" },
    async (kit) => {
      if (kit.subject.resource.createOnUpdate) return;
      const made = await kit.make(1);
      await kit.drop(made);
      await refused(kit.put(made, 2), Code.NotFound, "an update of a deleted object");
      hold(!(await kit.isThere(made.key)), "the update brought the object back");
    },
  ),
  verbs(
    "update.recreated",
    "A revision of an object that was deleted isn't one of its successor.",
    { verbs: "create get update delete" },
    async (kit) => {
      const made = await kit.make("first");
      await kit.drop(made);
      const second = await kit.make("second", { key: made.key });
      await refused(kit.put(made, "stale"), Code.Aborted, "an update at the predecessor's revision");
      same((await kit.get(made.key)).object.json, second.json, "the object");
    },
  ),
  verbs(
    "update.unconditional-refused",
    "An update without a revision is INVALID_ARGUMENT where unconditional updates aren't declared, and changes nothing.",
    { ...keeps, lacks: ["UNCONDITIONAL_UPDATE"] },
    async (kit) => {
      const made = await kit.make(1);
      const object = { key: made.key, uid: made.uid, json: kit.json(made.key, 2) };
      const call = kit.store.update({ context: kit.context(), resource: kit.subject.ref, object });
      await refused(call, Code.InvalidArgument, "an update without a revision");
      same((await kit.get(made.key)).object.revision, made.revision, "the revision");
    },
  ),
  verbs(
    "update.unconditional",
    "An update without a revision is taken where unconditional updates are declared.",
    { ...keeps, has: ["UNCONDITIONAL_UPDATE"] },
    async (kit) => {
      const made = await kit.make(1);
      const object = { key: made.key, uid: made.uid, json: kit.json(made.key, 2) };
      const { object: next } = await kit.store.update({ context: kit.context(), resource: kit.subject.ref, object });
      hold((next?.revision ?? 0n) > made.revision, "it minted no higher revision");
      same((await kit.get(made.key)).object.json, object.json, "the object");
    },
  ),
  verbs(
    "update.unchanged",
    "An update that changes nothing says so truthfully: unchanged with the present revision, or a revision of its own.",
    keeps,
    async (kit) => {
      const made = await kit.make(1);
      const object = { key: made.key, uid: made.uid, json: made.json };
      const answer = await kit.store.update({
        context: kit.context(),
        resource: kit.subject.ref,
        object,
        preconditions: { revision: made.revision },
      });
      const { object: read } = await kit.get(made.key);
      same(answer.object?.revision, read.revision, "the revision of the answer, and the object's");
      if (answer.unchanged) same(read.revision, made.revision, "the revision of an object that is unchanged");
      else hold(read.revision > made.revision, "the update is not unchanged, and the revision is the same");
      same(read.json, made.json, "the object");
    },
  ),
  verbs(
    "update.unchanged-truthful",
    "An update that changes something never says that it changed nothing.",
    keeps,
    async (kit) => {
      let made = await kit.make(0);
      for (let count = 1; count <= 20; count++) {
        const json = kit.json(made.key, count, kit.subject, made.uid);
        const object = { key: made.key, uid: made.uid, json };
        const preconditions = { revision: made.revision };
        const answer = await kit.store.update({
          context: kit.context(),
          resource: kit.subject.ref,
          object,
          preconditions,
        });
        hold(!answer.unchanged, `update ${count} says that nothing differed`);
        same((await kit.get(made.key)).object.json, json, "the object");
        made = { ...made, revision: answer.object?.revision ?? 0n, json };
      }
    },
  ),
  verbs("update.alone", "An update changes no other object.", keeps, async (kit) => {
    const others = await Promise.all(
      ["a", "a-b", "a.b", "ab", "b"].map((name) => kit.make(name, { key: kit.key(name) })),
    );
    const [first] = others;
    hold(first !== undefined, "nothing was made");
    await kit.put(first, "changed");
    for (const other of others.slice(1)) {
      const { object } = await kit.get(other.key);
      same([object.revision, text(object.json)], [other.revision, text(other.json)], `the object ${other.key.name}`);
    }
  }),
  verbs(
    "update.idempotent",
    "An update that is repeated with its request id has its effect once, and the same answer.",
    { ...keeps, has: ["IDEMPOTENT_WRITES"] },
    async (kit) => {
      const made = await kit.make(1);
      const object = { key: made.key, uid: made.uid, json: kit.json(made.key, 2) };
      const request = {
        context: kit.context(),
        resource: kit.subject.ref,
        object,
        preconditions: { revision: made.revision },
      };
      const first = await kit.store.update(request);
      const second = await kit.store.update(request);
      same(second.object?.revision, first.object?.revision, "the revision of the repeated update");
      same((await kit.get(made.key)).object.revision, first.object?.revision, "the revision that is read");
    },
  ),
];
