/** What a create promises. */
import { Code } from "@connectrpc/connect";
import { codeOf, type Kit, nameOf, refused } from "../kit.ts";
import { hold, promisesOf, same, text } from "../promise.ts";

const verbs = promisesOf("verbs");
const keeps = { verbs: "create get" };
/** Milliseconds by which two clocks may differ between two writes. */
const clockSlack = 2;

export const createPromises = [
  verbs(
    "create.read-your-write",
    "An object that was created is read as it was written, at once.",
    keeps,
    async (kit) => {
      const made = await kit.make({ a: 1 });
      const { object } = await kit.get(made.key);
      same(object.revision, made.revision, "the revision that is read");
      same(object.json, made.json, "the JSON that is read");
    },
  ),
  verbs(
    "create.answer",
    "A create answers with the key, a revision above 0, and no other JSON than it keeps.",
    keeps,
    async (kit) => {
      const made = await kit.make();
      const { object } = await kit.get(made.key);
      same([object.key?.namespace, object.key?.name], [made.key.namespace, made.key.name], "the key");
      hold(made.revision > 0n, "the revision is 0");
      same(made.json, object.json, "the JSON of the answer, or what was sent");
    },
  ),
  verbs("create.uid", "The uid that was written is the one that is read.", keeps, async (kit) => {
    const made = await kit.make();
    same((await kit.get(made.key)).object.uid, made.uid, "the uid");
  }),
  verbs(
    "create.mark",
    "The answer's mark, if there is one, has the write, in the epoch of now.",
    { verbs: "create get watch" },
    async (kit) => {
      const key = kit.key();
      const object = { key, uid: "u", json: kit.json(key, 1) };
      const answer = await kit.store.create({ context: kit.context(), resource: kit.subject.ref, object });
      if (answer.mark === undefined) return;
      const { epoch } = await kit.head();
      hold(
        answer.mark.revision >= (answer.object?.revision ?? 0n),
        `the mark ${answer.mark.revision} is below the revision`,
      );
      same(answer.mark.epoch, epoch, "the epoch");
    },
  ),
  verbs(
    "create.taken-name",
    "A name that is taken is refused with ALREADY_EXISTS, and the object stays as it is.",
    keeps,
    async (kit) => {
      const made = await kit.make("first");
      await refused(kit.make("second", { key: made.key }), Code.AlreadyExists, "a create of a name that is taken");
      const { object } = await kit.get(made.key);
      same([object.revision, text(object.json)], [made.revision, text(made.json)], "the object");
    },
  ),
  verbs(
    "create.one-winner",
    "Of many who create one name at once exactly one is acknowledged, and its object is there.",
    keeps,
    async (kit) => {
      for (let round = 0; round < 4; round++) {
        const key = kit.key();
        const tries = await Promise.all(
          Array.from({ length: 12 }, (_, writer) => attempt(kit.make({ writer }, { key }))),
        );
        const made = tries.flatMap((one) => (one.made === undefined ? [] : [one.made]));
        const codes = tries.flatMap((one) => (one.code === undefined ? [] : [one.code]));
        same(made.length, 1, "creates that were acknowledged");
        same(codes.filter((code) => code !== Code.AlreadyExists).map(nameOf), [], "other refusals than ALREADY_EXISTS");
        same((await kit.get(key)).object.json, made[0]?.json, "the JSON that is read");
      }
    },
  ),
  verbs(
    "create.never-falsely-taken",
    "A create of a free name is never refused, however many write at once.",
    keeps,
    async (kit) => {
      const codes = await Promise.all(Array.from({ length: 120 }, () => codeOf(kit.make())));
      same(codes.filter((code) => code !== undefined).map(nameOf), [], "refusals of free names");
    },
  ),
  verbs(
    "create.again",
    "A name is free again once its object was deleted, under a higher revision and with a uid of its own.",
    { verbs: "create get delete" },
    async (kit) => {
      const first = await kit.make("first");
      const removed = await kit.drop(first);
      const second = await kit.make("second", { key: first.key });
      hold(
        second.revision > removed.revision,
        `revision ${second.revision} is not above that of the delete, ${removed.revision}`,
      );
      const { object } = await kit.get(first.key);
      same([object.uid, text(object.json)], [second.uid, text(second.json)], "the object");
    },
  ),
  verbs(
    "create.revision-grows",
    "Each write has a revision above those of all writes that were acknowledged before it.",
    keeps,
    async (kit) => {
      let last = 0n;
      for (let count = 0; count < 60; count++) {
        const { revision } = await kit.make(count);
        hold(revision > last, `revision ${revision} came after ${last}`);
        last = revision;
      }
    },
  ),
  verbs(
    "create.revision-unique",
    "No two writes have the same revision, however many write at once.",
    keeps,
    async (kit) => {
      const made = await Promise.all(Array.from({ length: 120 }, () => kit.make()));
      same(new Set(made.map((one) => one.revision)).size, made.length, "distinct revisions");
    },
  ),
  verbs(
    "create.revision-no-clock",
    "Revisions count writes: they don't follow the time that passes between two of them.",
    keeps,
    async (kit) => {
      hold(!(await followsClock(kit)), "the revisions of five writes grow in step with the time between them");
    },
  ),
  verbs(
    "create.resources-apart",
    "The same name in two resources is two objects.",
    { verbs: "create get", other: true },
    async (kit) => {
      const made = await kit.make("here");
      const key = kit.key(undefined, kit.other);
      const shared = kit.other.isNamespaced === kit.subject.isNamespaced ? made.key : key;
      hold(
        (await codeOf(kit.get(shared, { about: kit.other }))) === Code.NotFound,
        "the other resource has the object too",
      );
      const there = await kit.make("there", { key: shared, about: kit.other });
      same((await kit.get(made.key)).object.json, made.json, "the first object");
      same((await kit.get(there.key, { about: kit.other })).object.json, there.json, "the other object");
    },
  ),
  verbs(
    "create.namespaces-apart",
    "The same name in two namespaces is two objects.",
    { ...keeps, isNamespaced: true },
    async (kit) => {
      const made = await kit.make("here");
      const key = { namespace: kit.namespace("-b"), name: made.key.name };
      same(nameOf(await codeOf(kit.get(key))), "NOT_FOUND", "the answer from the other namespace");
      await kit.make("there", { key });
      same((await kit.get(made.key)).object.json, made.json, "the first object");
    },
  ),
  verbs(
    "create.idempotent",
    "A create that is repeated with its request id has its effect once, and the same answer.",
    { verbs: "create get", has: ["IDEMPOTENT_WRITES"] },
    async (kit) => {
      const key = kit.key();
      const object = { key, uid: "u", json: kit.json(key, 1) };
      const request = { context: kit.context(), resource: kit.subject.ref, object };
      const first = await kit.store.create(request);
      const second = await kit.store.create(request);
      same(second.object?.revision, first.object?.revision, "the revision of the repeated create");
      const other = codeOf(kit.store.create({ ...request, context: kit.context() }));
      same(nameOf(await other), "ALREADY_EXISTS", "a create of that name with another request id");
    },
  ),
];

async function attempt(call: ReturnType<Kit["make"]>) {
  return await call.then(
    (made) => ({ made, code: undefined }),
    async (error: unknown) => ({ made: undefined, code: await codeOf(Promise.reject(error)) }),
  );
}

/** Whether revisions grow by the milliseconds, microseconds or nanoseconds that passed. */
async function followsClock(kit: Kit): Promise<boolean> {
  const writes: { readonly sent: number; readonly answered: number; readonly revision: bigint }[] = [];
  for (const pauseMs of [0, 25, 50, 20, 60]) {
    await new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
    const sent = performance.now();
    const { revision } = await kit.make();
    writes.push({ sent, answered: performance.now(), revision });
  }
  // A clock's revision is of a moment between question and answer, so two differ by no less and no more than those
  // moments can, however busy the machine is. A counter makes one of each pause, however long.
  const isOfClock = (unit: number) =>
    writes.slice(1).every(({ sent, answered, revision }, index) => {
      const before = writes[index] ?? { sent, answered, revision };
      const grown = Number(revision - before.revision);
      const [least, most] = [(sent - before.answered) * unit, (answered - before.sent) * unit];
      return grown >= least - clockSlack * unit && grown <= most + clockSlack * unit;
    });
  return [1, 1e3, 1e6].some(isOfClock);
}
