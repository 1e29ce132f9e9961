/** What reads of the present promise: fresh, from every endpoint, under marks that hold. */
import { Code } from "@connectrpc/connect";
import { Projection } from "../../../gen/annex/store/v1/object_pb.js";
import { codeOf, exactly, nameOf, notOlderThan, refused } from "../kit.ts";
import { hold, promisesOf, same, text } from "../promise.ts";

const reads = promisesOf("reads");
const watches = { verbs: "create get list watch" };

export const readPromises = [
  reads("get.missing", "A get of a name that never was is NOT_FOUND.", { verbs: "get" }, async (kit) => {
    await refused(kit.get(kit.key()), Code.NotFound, "a get of a missing object");
  }),
  reads(
    "get.other-namespace",
    "An object isn't found under another namespace.",
    { verbs: "create get", isNamespaced: true },
    async (kit) => {
      const made = await kit.make();
      const key = { namespace: kit.namespace("-b"), name: made.key.name };
      await refused(kit.get(key), Code.NotFound, "a get under another namespace");
    },
  ),
  reads(
    "get.mark",
    "A get's mark is no older than the object, nor than any mark that was given before.",
    watches,
    async (kit) => {
      let last = 0n;
      for (let count = 0; count < 30; count++) {
        const made = await kit.make(count);
        const { mark } = await kit.get(made.key);
        hold(mark >= made.revision, `the mark ${mark} is below the object's revision ${made.revision}`);
        hold(mark >= last, `the mark ${mark} came after ${last}`);
        last = mark;
      }
    },
  ),
  reads(
    "get.fresh-from-every-endpoint",
    "A write that one endpoint acknowledged is read from every other, at once.",
    { verbs: "create get update", replicas: true },
    async (kit) => {
      const { endpoints } = kit.parts;
      for (let count = 0; count < 20; count++) {
        const writer = endpoints[count % endpoints.length];
        hold(writer !== undefined, "there is no endpoint");
        const made = await kit.put(await kit.make(0, { endpoint: writer }), count, { endpoint: writer });
        for (const endpoint of endpoints) {
          same(
            (await kit.get(made.key, { endpoint })).object.revision,
            made.revision,
            `the revision at ${endpoint.address}`,
          );
        }
      }
    },
  ),
  reads(
    "get.any",
    "A read of whatever is at hand gives a state that the object had.",
    { verbs: "create get update" },
    async (kit) => {
      const made = await kit.make(1);
      // What is at hand may be of before the creation, unless something later was read.
      await kit.get(made.key);
      const next = await kit.put(made, 2);
      const { object } = await kit.get(made.key, {
        read: {
          $typeName: "annex.store.v1.ReadConsistency",
          at: { case: "any", value: { $typeName: "annex.store.v1.Unit" } },
        },
      });
      const states = [made, next].map((one) => `${one.revision} ${text(one.json)}`);
      hold(
        states.includes(`${object.revision} ${text(object.json)}`),
        `it gave revision ${object.revision}, which is neither state`,
      );
    },
  ),
  reads(
    "get.not-older-than",
    "A read at a revision or later gives that state or a later one.",
    { verbs: "create get update" },
    async (kit) => {
      const made = await kit.make(1);
      const next = await kit.put(made, 2);
      for (const { revision } of [made, next]) {
        const { object } = await kit.get(made.key, { read: notOlderThan(revision) });
        hold(object.revision >= revision, `it gave revision ${object.revision}, below ${revision}`);
        const wanted = [made, next].find((one) => one.revision === object.revision);
        same(text(object.json), text(wanted?.json), `the state at ${object.revision}`);
      }
    },
  ),
  reads(
    "get.not-reached",
    "A read at a revision above the head is UNAVAILABLE, never an older state.",
    watches,
    async (kit) => {
      const made = await kit.make();
      const { revision } = await kit.head();
      const read = notOlderThan(revision + 1_000n);
      await Promise.all([
        refused(kit.get(made.key, { read }), Code.Unavailable, "a read at a revision above the head"),
        refused(kit.list({ read }), Code.Unavailable, "a list at a revision above the head"),
      ]);
    },
  ),
  reads(
    "get.metadata",
    "A read of metadata alone gives the same metadata under the same revision.",
    { verbs: "create get" },
    async (kit) => {
      const made = await kit.make({ a: 1 });
      const { object } = await kit.get(made.key, { projection: Projection.METADATA });
      same(object.revision, made.revision, "the revision");
      same(metadataOf(object.json), metadataOf(made.json), "the metadata");
    },
  ),
  reads(
    "list.metadata",
    "A list of metadata alone gives the same objects as a full one.",
    { verbs: "create get list" },
    async (kit) => {
      await Promise.all(Array.from({ length: 12 }, (_, index) => kit.make({ index })));
      const full = kit.mine(await kit.list());
      const bare = kit.mine(await kit.list({ projection: Projection.METADATA }));
      const shown = (items: typeof full) => items.map((item) => [item.key?.name, item.revision, metadataOf(item.json)]);
      same(shown(bare), shown(full), "what is listed");
    },
  ),
  reads(
    "head.acknowledged",
    "The head is at least the revision of every write that was acknowledged, from every endpoint.",
    watches,
    async (kit) => {
      const { endpoints } = kit.parts;
      for (let count = 0; count < 60; count++) {
        const made = await kit.make(count, { endpoint: endpoints[count % endpoints.length] ?? kit.endpoint });
        for (const endpoint of endpoints) {
          const { revision } = await kit.head(kit.subject, endpoint);
          hold(
            revision >= made.revision,
            `the head ${revision} of ${endpoint.address} is below the acknowledged ${made.revision}`,
          );
        }
      }
    },
  ),
  reads(
    "head.under-load",
    "The head is at least the revision of every write that was acknowledged, while many write.",
    watches,
    async (kit) => {
      await Promise.all(
        Array.from({ length: 12 }, async (_, writer) => {
          for (let count = 0; count < 10; count++) {
            const made = await kit.make({ writer, count });
            const { revision } = await kit.head();
            hold(revision >= made.revision, `the head ${revision} is below the acknowledged ${made.revision}`);
          }
        }),
      );
    },
  ),
  reads("head.never-back", "The head never goes back.", watches, async (kit) => {
    let last = 0n;
    for (let count = 0; count < 40; count++) {
      if (count % 2 === 0) await kit.make(count);
      const { revision } = await kit.head();
      hold(revision >= last, `the head went from ${last} back to ${revision}`);
      last = revision;
    }
  }),
  reads("head.epoch", "Every mark is of the epoch that Describe names.", watches, async (kit) => {
    const { epoch } = await kit.catalog.describe({});
    const made = await kit.make();
    same((await kit.head()).epoch, epoch, "the epoch of the head");
    same((await kit.list()).epoch, epoch, "the epoch of a list's mark");
    same((await kit.get(made.key)).epoch, epoch, "the epoch of a get's mark");
  }),
  reads("head.reads-mint-nothing", "Reads mint no revision.", { ...watches, has: ["RESUME"] }, async (kit) => {
    const made = await kit.make();
    const { revision } = await kit.head();
    for (let count = 0; count < 5; count++) {
      await kit.get(made.key);
      await kit.list();
      await codeOf(kit.get(kit.key()));
    }
    same((await kit.head()).lastChange <= revision, true, "whether the last change is at or below the head of before");
  }),
  reads(
    "head.last-change",
    "The last change of a resource is at least its last write, and no higher than the head.",
    watches,
    async (kit) => {
      for (let count = 0; count < 30; count++) {
        const made = await kit.make(count);
        const { revision, lastChange } = await kit.head();
        if (lastChange === 0n) return;
        hold(lastChange >= made.revision, `the last change ${lastChange} is below the write ${made.revision}`);
        hold(lastChange <= revision, `the last change ${lastChange} is above the head ${revision}`);
      }
    },
  ),
  reads(
    "head.others-hold-nothing-up",
    "A write to one resource holds up no reads of another: its last change stays, or its watches come to the new head at once.",
    { ...watches, other: true, storeScope: true, has: ["RESUME"] },
    async (kit) => {
      const made = await kit.make();
      const written = await kit.make(1, { about: kit.other });
      const { revision, lastChange, epoch } = await kit.head();
      hold(
        revision >= written.revision,
        `the head ${revision} is below the other resource's write ${written.revision}`,
      );
      if (lastChange !== 0n && lastChange <= made.revision) return;
      const watcher = kit.watch({ after: made.revision, epoch });
      await watcher.started();
      const since = performance.now();
      await watcher.reaches(written.revision);
      hold(
        performance.now() - since < 1_000,
        `the last change is ${lastChange}, above ${made.revision}, and progress to ${written.revision} took a second`,
      );
    },
  ),
  reads(
    "head.one-counter",
    "With one counter for the whole store, revisions of two resources never meet, and grow in the order of the writes.",
    { ...watches, other: true, storeScope: true },
    async (kit) => {
      let last = 0n;
      for (let count = 0; count < 20; count++) {
        const { revision } = await kit.make(count, count % 2 === 0 ? {} : { about: kit.other });
        hold(revision > last, `revision ${revision} came after ${last}`);
        last = revision;
      }
    },
  ),
  reads(
    "write.every-endpoint",
    "Revisions grow across endpoints: replicas share one counter.",
    { verbs: "create get", replicas: true },
    async (kit) => {
      const { endpoints } = kit.parts;
      let last = 0n;
      for (let count = 0; count < 20; count++) {
        const { revision } = await kit.make(count, { endpoint: endpoints[count % endpoints.length] ?? kit.endpoint });
        hold(revision > last, `revision ${revision} came after ${last}, from another endpoint`);
        last = revision;
      }
    },
  ),
  reads(
    "exact.refused",
    "An exact read is UNIMPLEMENTED where it isn't declared.",
    { verbs: "create get", lacks: ["EXACT_READ"] },
    async (kit) => {
      const made = await kit.make();
      await refused(kit.get(made.key, { read: exactly(made.revision) }), Code.Unimplemented, "an exact read");
    },
  ),
  reads(
    "get.under-load",
    "Reads give the last acknowledged state, while many write.",
    { verbs: "create get update" },
    async (kit) => {
      await Promise.all(
        Array.from({ length: 8 }, async (_, writer) => {
          let made = await kit.make({ writer });
          for (let count = 0; count < 12; count++) {
            made = await kit.put(made, { writer, count });
            const { object } = await kit.get(made.key);
            same([object.revision, text(object.json)], [made.revision, text(made.json)], "the object");
          }
        }),
      );
    },
  ),
  reads(
    "get.no-dirty-read",
    "A write that is refused is never seen, not even for a moment.",
    { verbs: "create get update" },
    async (kit) => {
      const first = await kit.make("first");
      const made = await kit.put(first, "second");
      const seesNoTrace = async () => same((await kit.get(made.key)).object.json, made.json, "the object");
      await Promise.all(
        Array.from({ length: 6 }, async (_, writer) => {
          for (let count = 0; count < 24; count++) {
            let isOver = false;
            const write = refused(kit.put(first, { dirty: writer, count }), Code.Aborted, "a stale update").finally(
              () => {
                isOver = true;
              },
            );
            // Each write has reads right behind it, until it is answered: readers of their own may come in step
            // with the writers, and always between two writes.
            const reads = Array.from({ length: 2 }, async () => {
              do await seesNoTrace();
              while (!isOver);
            });
            await Promise.all([write, ...reads]);
          }
        }),
      );
      same(nameOf(await codeOf(kit.get(made.key))), "no error", "the object's last read");
    },
  ),
];

function metadataOf(json: Uint8Array): unknown {
  const { apiVersion, kind, metadata } = JSON.parse(Buffer.from(json).toString()) as Record<string, unknown>;
  return { apiVersion, kind, metadata };
}
