/** A store whose revisions are other numbers than the honest one's, everywhere alike. */
import type { Store, StoredObject, WatchFrame } from "../../../stores/sdk/sdk.ts";
import type { WholeStore } from "./honest.ts";

/** Gives each revision of a store the number that `mint` gives when it is first seen. */
export function renumbered(honest: WholeStore, mint: (honest: bigint) => bigint): Partial<Store> {
  const shown = new Map<bigint, bigint>();
  const known: { readonly inner: bigint; readonly outer: bigint }[] = [];

  function outer(inner: bigint): bigint {
    const before = shown.get(inner);
    if (before !== undefined) return before;
    const number = mint(inner);
    shown.set(inner, number);
    known.push({ inner, outer: number });
    return number;
  }

  /** The last revision at or below a number; above all numbers, one that isn't reached. */
  function inner(number: bigint): bigint {
    const exact = known.findLast((one) => one.outer === number);
    if (exact !== undefined) return exact.inner;
    const last = known.at(-1);
    if (last === undefined || number > last.outer) return (last?.inner ?? 0n) + 1_000n;
    return known.findLast((one) => one.outer < number)?.inner ?? 0n;
  }

  const innerOf = (revision: bigint | undefined) => (revision === undefined ? undefined : inner(revision));
  const object = (one: StoredObject): StoredObject => ({ ...one, revision: outer(one.revision) });
  const frame = (one: WatchFrame): WatchFrame => {
    if (one.frame !== "events") return { ...one, revision: outer(one.revision), ...oldest(one) };
    const events = one.events.map((event) => ({
      ...event,
      object: object(event.object),
      ...(event.previous === undefined ? {} : { previous: object(event.previous) }),
    }));
    return { frame: "events", events };
  };
  const oldest = (one: WatchFrame) => ("oldestResumable" in one ? { oldestResumable: outer(one.oldestResumable) } : {});
  const preconditions = <T extends { readonly preconditions: { readonly revision?: bigint | undefined } }>(
    call: T,
  ): T => ({
    ...call,
    preconditions: { ...call.preconditions, revision: innerOf(call.preconditions.revision) },
  });
  const written = <T extends { readonly revision: bigint }>(one: T): T => ({ ...one, revision: outer(one.revision) });

  return {
    async get(call) {
      const found = await honest.get({ ...call, atRevision: innerOf(call.atRevision) });
      return found === undefined ? undefined : object(found);
    },
    async list(call) {
      const page = await honest.list({ ...call, atRevision: innerOf(call.atRevision) });
      return { ...page, items: page.items.map(object), revision: outer(page.revision) };
    },
    async *watch(call) {
      for await (const one of honest.watch({ ...call, after: innerOf(call.after) })) yield frame(one);
    },
    create: async (call) => written(await honest.create(call)),
    update: async (call) => written(await honest.update(preconditions(call))),
    delete: async (call) => object(await honest.delete(preconditions(call))),
    async currentRevision(call) {
      const { revision, lastChange } = await honest.currentRevision(call);
      return { revision: outer(revision), ...(lastChange === undefined ? {} : { lastChange: outer(lastChange) }) };
    },
  };
}
