/**
 * A store of the zoo behind a gateway, written to without it: objects come, change and go, and history is forgotten.
 */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Call, ListCall, StoredObject, WatchCall, WatchFrame } from "../../stores/sdk/sdk.ts";
import { resource } from "../contract/contract.testing.ts";
import type { WholeStore } from "../contract/zoo/honest.ts";
import type { TestGateway } from "../support/gateway.ts";

/** Makes it. @param make gives the store as it begins. @param objects that stay. */
export function createZoo(make: () => WholeStore, objects: number) {
  let store = make();
  let watches = new Set<() => void>();
  let isBusy = true;
  let disturbing: Promise<void> = Promise.resolve();
  const call = { resource, namespace: "", signal: new AbortController().signal } as unknown as Call & {
    readonly namespace: string;
  };
  const key = (name: string) => ({ namespace: "ns", name });
  const write = (name: string, value: number) => ({
    ...call,
    key: key(name),
    uid: `uid-${name}`,
    json: jsonOf(name, value),
    dryRun: false,
  });
  const create = async (name: string, into = store) => await into.create(write(name, 0));
  async function conditionOf(name: string, into: WholeStore) {
    const found = await into.get({ ...call, key: key(name), atRevision: undefined });
    return { preconditions: { revision: found?.revision } };
  }
  async function update(name: string, value: number): Promise<void> {
    const into = store;
    await into.update({ ...write(name, value), ...(await conditionOf(name, into)) });
  }
  async function remove(name: string): Promise<void> {
    const into = store;
    await into.delete({ ...call, key: key(name), dryRun: false, ...(await conditionOf(name, into)) });
  }
  /** Somebody writes the last object while a list is read, and between its pages; one after the other. */
  async function disturb({ continueToken }: ListCall): Promise<void> {
    if (!isBusy || objects <= 500) return;
    const write = () => {
      disturbing = disturbing.then(() => update("z", 1));
      return disturbing;
    };
    if (continueToken.length > 0) await write();
    else setImmediate(() => void write());
  }
  /** A watch whose history can be forgotten while it runs. */
  async function* watch(inner: WholeStore["watch"], call: WatchCall): AsyncIterable<WatchFrame> {
    const forgotten = new AbortController();
    const forget = () => forgotten.abort();
    watches.add(forget);
    try {
      yield* inner({ ...call, signal: AbortSignal.any([call.signal, forgotten.signal]) });
      if (!call.signal.aborted) yield { frame: "expired", oldestResumable: 0n, revision: 0n, reason: "compacted" };
    } finally {
      watches.delete(forget);
    }
  }

  return {
    /** Begins, or begins anew, with the objects that stay. */
    async begin() {
      const next = make();
      for (let at = 1; at < objects; at++) await create(`kept-${at}`, next);
      if (objects > 0) await create("z", next);
      store = next;
      watches = new Set();
    },
    served(): WholeStore {
      const inner = store;
      const list = async (call: ListCall) => {
        await disturb(call);
        return await inner.list(call);
      };
      if (inner.watch === undefined) return { ...inner, list };
      return { ...inner, list, watch: (call) => watch(inner.watch, call) };
    },
    /** Objects come, change, are refused to change, and go. */
    async write(round: number, paceMs: number) {
      const names = ["a", "b", "c"].map((name) => `${name}-${round}`);
      const [first = "", ...others] = names;
      await Promise.all(names.map((name) => create(name)));
      await update(first, round);
      await assert.rejects(store.update({ ...write(first, -1), preconditions: { revision: 1n } }));
      await pause(paceMs);
      await remove(first);
      await pause(paceMs);
      for (const name of others) await remove(name);
    },
    forget() {
      for (const one of [...watches]) one();
    },
    /** One last write; nothing happens any more. */
    async rest() {
      isBusy = false;
      await create("last");
    },
    async list() {
      const items: StoredObject[] = [];
      let continueToken: Uint8Array | undefined = new Uint8Array();
      while (continueToken !== undefined && (items.length === 0 || continueToken.length > 0)) {
        const page = await store.list({ ...call, limit: 0, continueToken, atRevision: undefined });
        items.push(...page.items);
        ({ continueToken } = page);
      }
      return items;
    },
  };
}

function jsonOf(name: string, value: number): Uint8Array {
  const { group, version } = resource;
  const metadata = { namespace: "ns", name, uid: `uid-${name}`, creationTimestamp: "2024-01-01T00:00:00Z" };
  return Buffer.from(JSON.stringify({ apiVersion: `${group}/${version}`, kind: "Thing", metadata, value }));
}

/** Gives what the guard has said of a gateway's stores. */
export function reasonsIn({ logged }: TestGateway): string[] {
  return logged
    .map((line) => JSON.parse(line) as { readonly msg: string; readonly error: string })
    .filter(({ msg }) => msg.startsWith("the store told what can't be true"))
    .map(({ error }) => error);
}

/** Gives a state as text: `namespace/name revision` a line. */
export const textOf = (entries: readonly (readonly [string, string])[] | string[][]) =>
  entries
    .map((entry) => entry.join(" "))
    .sort()
    .join("\n");

/** Gives the state that a store lists. */
export const stateOf = (items: readonly StoredObject[]) =>
  textOf(items.map(({ namespace, name, revision }) => [`${namespace}/${name}`, String(revision)]));
