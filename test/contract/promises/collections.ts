/** What lists promise: whole, in order, of one state, under a mark from which a watch goes on. */

import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { SelectorOperator, SelectorSchema } from "../../../gen/annex/store/v1/object_pb.js";
import type { Kit, Listed, Made } from "../kit.ts";
import { refused } from "../kit.ts";
import { hold, promisesOf, same, show, text } from "../promise.ts";
import { keyText } from "../recorder.ts";

const reads = promisesOf("reads");
const watch = promisesOf("watch");
const lists = { verbs: "create get list" };
const watched = { verbs: "create get list watch" };
/** More than any page that is known: Kubernetes' clients ask for 500. */
const manyObjects = 620;

export const collectionPromises = [
  reads("list.empty", "An empty list has a mark above 0, the head.", watched, async (kit) => {
    const { revision } = await kit.head();
    const listed = await kit.list({ namespace: kit.namespace("-empty") });
    same(kit.mine(listed).length, 0, "objects");
    hold(listed.mark > 0n, "the mark is 0");
    hold(listed.mark >= revision, `the mark ${listed.mark} is below the head of before, ${revision}`);
  }),
  reads("list.read-your-write", "A list has every write that was acknowledged before it.", lists, async (kit) => {
    const made: Made[] = [];
    for (let count = 0; count < 30; count++) {
      made.push(await kit.make(count));
      const listed = kit.mine(await kit.list());
      same(
        listed.map((item) => item.revision).sort(compare),
        made.map((one) => one.revision),
        "revisions that are listed",
      );
    }
  }),
  reads("list.as-get", "What is listed is what a get gives.", lists, async (kit) => {
    for (let count = 0; count < 10; count++) await kit.make({ count });
    for (const item of kit.mine(await kit.list())) {
      hold(item.key !== undefined, "an item has no key");
      const { object } = await kit.get(item.key);
      same([object.revision, object.uid, text(object.json)], [item.revision, item.uid, text(item.json)], "the object");
    }
  }),
  reads("list.order", "A list is in the order of the bytes of namespace/name, without repeats.", lists, async (kit) => {
    const names = ["b", "a", "a-b", "a.b", "a0", "ab", "z", "B", "é", "\u{1F600}", "\uff5e", "10", "9"];
    for (const name of names) await kit.make(name, { key: kit.key(name) });
    const found = kit.mine(await kit.list()).map((item) => Buffer.from(keyText(item.key)));
    same(found.length, names.length, "objects");
    const sorted = [...found].sort(Buffer.compare);
    same(found.map(String), sorted.map(String), "the order");
  }),
  reads(
    "list.namespace",
    "A list of one namespace has its objects, and none of another, though its name begins alike.",
    { ...lists, isNamespaced: true },
    async (kit) => {
      const spaces = ["", "-b", "b", "0"].map((suffix) => kit.namespace(suffix));
      for (const namespace of spaces) await kit.make(1, { key: { namespace, name: "a" } });
      for (const namespace of spaces) {
        const listed = await kit.list({ namespace });
        same(
          listed.items.map((item) => keyText(item.key)),
          [`${namespace}/a`],
          `the list of ${namespace}`,
        );
      }
    },
  ),
  reads(
    "list.all-namespaces",
    "A list of all namespaces has the objects of each.",
    { ...lists, isNamespaced: true },
    async (kit) => {
      for (const suffix of ["-b", "", "-a"])
        await kit.make(1, { key: { namespace: kit.namespace(suffix), name: "x" } });
      const found = kit.mine(await whole(kit, { namespace: "" })).map((item) => keyText(item.key));
      const wanted = ["-b", "", "-a"]
        .map((suffix) => `${kit.namespace(suffix)}/x`)
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      same(found, wanted, "the list");
    },
  ),
  reads("list.deleted", "What was deleted is in no list.", { verbs: "create get list delete" }, async (kit) => {
    const made = await Promise.all(Array.from({ length: 20 }, (_, index) => kit.make(index)));
    for (const one of made.slice(0, 15)) await kit.drop(one);
    same(
      kit
        .mine(await kit.list())
        .map((item) => item.revision)
        .sort(compare),
      made
        .slice(15)
        .map((one) => one.revision)
        .sort(compare),
      "revisions that are listed",
    );
  }),
  reads("list.other-resource", "A list has no object of another resource.", { ...lists, other: true }, async (kit) => {
    await kit.make(1, { about: kit.other });
    const mine = await kit.make(2);
    same(
      kit.mine(await kit.list()).map((item) => item.revision),
      [mine.revision],
      "revisions that are listed",
    );
  }),
  reads(
    "list.mark-is-head",
    "A list's mark is the head, not the greatest item: it is at least every acknowledged write.",
    watched,
    async (kit) => {
      await kit.make(1);
      const elsewhere = kit.subject.isNamespaced ? { namespace: kit.namespace("-b"), name: "x" } : kit.key();
      const last = await kit.make(2, { key: elsewhere });
      const listed = await kit.list();
      hold(
        listed.mark >= last.revision,
        `the mark ${listed.mark} is below an acknowledged write of the same resource, ${last.revision}`,
      );
    },
  ),
  reads(
    "list.mark-after-delete",
    "A list's mark has the deletes before it.",
    { verbs: "create get list delete watch" },
    async (kit) => {
      const made = await kit.make(1);
      const removed = await kit.drop(made);
      const listed = await kit.list();
      hold(
        listed.mark >= removed.revision,
        `the mark ${listed.mark} is below the delete's revision ${removed.revision}`,
      );
    },
  ),
  reads("list.mark-bounds-items", "No item is above the list's mark, while many write.", lists, async (kit) => {
    await underWrites(kit, 10, async () => {
      const listed = await kit.list();
      const above = listed.items.find((item) => item.revision > listed.mark);
      hold(
        above === undefined,
        `item ${keyText(above?.key)} has revision ${above?.revision}, above the mark ${listed.mark}`,
      );
    });
  }),
  reads(
    "list.mark-covers",
    "A list has every object whose revision is at or below its mark, while many write.",
    lists,
    async (kit) => {
      const lists: Listed[] = [];
      const made = await underWrites(kit, 10, async () => {
        lists.push(await kit.list());
      });
      for (const listed of lists) {
        const found = new Set(listed.items.map((item) => item.revision));
        const missed = made.find((one) => one.revision <= listed.mark && !found.has(one.revision));
        hold(
          missed === undefined,
          `the list at ${listed.mark} lacks ${keyText(missed?.key)}, written at ${missed?.revision}`,
        );
      }
    },
  ),
  reads(
    "list.whole",
    `A list of ${manyObjects} objects is whole: in one call, or by tokens, never cut off in silence.`,
    lists,
    async (kit) => {
      const made = await many(kit, manyObjects);
      same(kit.mine(await whole(kit, {})).length, made, "objects");
    },
  ),
  reads(
    "list.pages",
    "Pages of a list, by tokens, have every object once, in order, whatever their size.",
    lists,
    async (kit) => {
      await Promise.all(
        Array.from({ length: 53 }, (_, index) => kit.make(index, { key: kit.key(`p-${100 + index}`) })),
      );
      for (const limit of [1, 7, 50, 53, 100]) {
        const pages = await kit.pages({ limit });
        const names = pages.flatMap((page) => kit.mine(page).map((item) => keyText(item.key)));
        same(
          names,
          Array.from({ length: 53 }, (_, index) => keyText(kit.key(`p-${100 + index}`))),
          `the objects of pages of ${limit}`,
        );
      }
    },
  ),
  reads(
    "list.remaining",
    "Where a list says how many objects remain, it is so.",
    { ...lists, isNamespaced: true },
    async (kit) => {
      await Promise.all(Array.from({ length: 20 }, (_, index) => kit.make(index)));
      let seen = 0;
      for (const page of await kit.pages({ limit: 6 })) {
        seen += page.items.length;
        if (page.remaining !== undefined) same(page.remaining, BigInt(20 - seen), `what remains after ${seen} objects`);
      }
    },
  ),
  reads(
    "list.snapshot-pages",
    "The pages of one list show one state under one mark, while objects are written, changed and deleted.",
    { verbs: "create get list update delete", has: ["SNAPSHOT_LIST"] },
    async (kit) => {
      const made = await Promise.all(
        Array.from({ length: 20 }, (_, index) => kit.make(index, { key: kit.key(`p-${10 + index}`) })),
      );
      let turn = 0;
      const pages = await kit.pages({ limit: 6 }, async () => {
        turn += 1;
        await kit.make("late", { key: kit.key(`p-${10 + turn * 4}-late`) });
        const doomed = made[20 - turn];
        const changed = made[16 - turn];
        if (doomed !== undefined) await kit.drop(doomed);
        if (changed !== undefined) await kit.put(changed, "late");
      });
      same(new Set(pages.map((page) => page.mark)).size, 1, "marks of the pages");
      const found = pages.flatMap((page) => kit.mine(page).map((item) => `${keyText(item.key)} ${item.revision}`));
      same(
        found,
        made.map((one) => `${keyText(one.key)} ${one.revision}`),
        "the objects of the pages",
      );
    },
  ),
  reads(
    "list.steady-objects",
    "Pages have every object that was there throughout, though others come and go meanwhile.",
    { verbs: "create get list delete" },
    async (kit) => {
      const steady = await Promise.all(
        Array.from({ length: 24 }, (_, index) => kit.make(index, { key: kit.key(`p-${10 + index}`) })),
      );
      const passing: Made[] = [];
      const come = async () => {
        passing.push(await kit.make(1, { key: kit.key(`a-${passing.length}`) }));
      };
      const go = async () => {
        const before = passing.pop();
        if (before !== undefined) await kit.drop(before);
      };
      // Those that come push the others on, those that go draw them near: neither may be seen.
      for (const between of [come, go]) {
        const pages = await kit.pages({ limit: 5 }, between);
        const found = pages.flatMap((page) => kit.mine(page).map((item) => keyText(item.key)));
        const missed = steady.find((one) => !found.includes(keyText(one.key)));
        hold(missed === undefined, `the pages lack ${keyText(missed?.key)}`);
        same(new Set(found).size, found.length, "distinct objects");
      }
    },
  ),
  reads(
    "list.one-state",
    "One list call shows one state, however many chunks it has, while others write.",
    { verbs: "create get list update delete" },
    async (kit) => {
      const made = await Promise.all(
        Array.from({ length: 200 }, (_, index) => kit.make("x".repeat(2_000), { key: kit.key(`p-${1000 + index}`) })),
      );
      let turn = 0;
      const listed = await kit.list({
        maxChunkBytes: 4_096,
        between: async () => {
          turn += 1;
          if (turn % 10 !== 1) return;
          const doomed = made[made.length - turn];
          if (doomed !== undefined && turn < 100) await kit.drop(doomed);
          await kit.make("late", { key: kit.key(`p-1${199 - turn}-late`) });
        },
      });
      const changes = listed.items.filter((item) => item.revision > listed.mark);
      same(changes.length, 0, "items above the mark");
      const model = made.filter((one) => one.revision <= listed.mark).map((one) => keyText(one.key));
      same(
        kit
          .mine(listed)
          .map((item) => keyText(item.key))
          .filter((key) => !key.endsWith("-late")),
        model,
        "the objects of the state at the list's mark",
      );
    },
  ),
  reads(
    "list.chunks",
    "A large list comes in messages that default clients can read: none above 4 MiB, or of one object.",
    lists,
    async (kit) => {
      const bytes = Math.min(400_000, kit.subject.maxObjectBytes - 10_000);
      await Promise.all(Array.from({ length: 16 }, () => kit.make("x".repeat(bytes))));
      const listed = await kit.list();
      const most = Math.max(...listed.chunks);
      hold(most <= 1 || most * bytes <= 4 * 1024 * 1024, `a chunk of ${most} objects has ${most * bytes} bytes`);
      same(kit.mine(listed).length, 16, "objects");
    },
  ),
  reads("list.token-unreadable", "A token that is none of the store's is INVALID_ARGUMENT.", lists, async (kit) => {
    await kit.make();
    for (const token of ["x", "[]", '["-1","a"]', "\u0000\u0001\ufffd"]) {
      await refused(
        kit.list({ token: Buffer.from(token) }),
        Code.InvalidArgument,
        `a list with the token ${show(token)}`,
      );
    }
  }),
  reads("list.selector-hint", "A selector is a hint: every object that matches is listed.", lists, async (kit) => {
    const selector = labelSelector(SelectorOperator.IN, "color", ["red"]);
    const wanted: bigint[] = [];
    for (const color of ["red", "blue", "red", ""]) {
      const made = await labelled(kit, color);
      if (color === "red") wanted.push(made);
    }
    const listed = await kit.list({ selector });
    const found = kit.mine(listed).map((item) => item.revision);
    same(
      wanted.filter((revision) => !found.includes(revision)),
      [],
      "matching objects that are missing",
    );
    if (listed.applied?.labels) same(found.sort(compare), wanted, "what a list that applied the selector has");
  }),
  reads(
    "list.selector-unknown",
    "A selector's operator that the store doesn't know is ignored, not taken for another.",
    lists,
    async (kit) => {
      const made = [await labelled(kit, "red"), await labelled(kit, "blue")];
      const listed = await kit.list({ selector: labelSelector(99 as SelectorOperator, "color", ["green"]) });
      same(
        kit
          .mine(listed)
          .map((item) => item.revision)
          .sort(compare),
        made,
        "what is listed",
      );
    },
  ),
];

/** What joins lists and watches; checked after each by itself. */
export const joinPromises = [
  watch(
    "list.then-watch",
    "A watch after a list's mark tells exactly what changed since: list and changes together are the state.",
    { ...watched, has: ["RESUME"] },
    async (kit) => {
      const lists: Listed[] = [];
      const made = await underWrites(kit, 8, async () => {
        lists.push(await kit.list());
      });
      for (const listed of lists.filter((_, index) => index % 3 === 0)) {
        const later = (await kit.changesAfter(listed.mark)).map((change) => change.revision);
        const seen = [...kit.mine(listed).map((item) => item.revision), ...later].sort(compare);
        same(
          seen.filter((revision) => made.some((one) => one.revision === revision)),
          made.map((one) => one.revision).sort(compare),
          `what the list at ${listed.mark} and the watch after it have`,
        );
      }
    },
    60_000,
  ),
];

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** Reads a collection to its end: a store may end a call before. */
async function whole(kit: Kit, options: { readonly namespace?: string }): Promise<Listed> {
  const pages = await kit.pages(options);
  const last = pages.at(-1);
  hold(last !== undefined, "there is no page");
  return { ...last, items: pages.flatMap((page) => page.items) };
}

async function many(kit: Kit, count: number): Promise<number> {
  let made = 0;
  const work = async () => {
    while (made < count) {
      made += 1;
      await kit.make(made);
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  return made;
}

/** Lists while twelve writers write; gives what they wrote. */
async function underWrites(kit: Kit, rounds: number, read: () => Promise<void>): Promise<readonly Made[]> {
  const made: Made[] = [];
  let isOver = false;
  const reader = (async () => {
    while (!isOver) await read();
  })();
  const writers = Array.from({ length: 12 }, async (_, writer) => {
    for (let round = 0; round < rounds; round++) made.push(await kit.make({ writer, round }));
  });
  const written = Promise.all(writers).finally(() => {
    isOver = true;
  });
  await Promise.all([written, reader]);
  await read();
  return made;
}

async function labelled(kit: Kit, color: string): Promise<bigint> {
  const key = kit.key();
  const value = kit.subject.value(key, "u", color) as { metadata: object };
  const labels: Record<string, string> | undefined = color === "" ? undefined : { color };
  const json = Buffer.from(JSON.stringify({ ...value, metadata: { ...value.metadata, labels } }));
  const { object } = await kit.store.create({
    context: kit.context(),
    resource: kit.subject.ref,
    object: { key, uid: "u", json, labels: labels ?? {} },
  });
  return object?.revision ?? 0n;
}

function labelSelector(operator: SelectorOperator, key: string, values: string[]) {
  return create(SelectorSchema, { labels: [{ key, operator, values }] });
}
