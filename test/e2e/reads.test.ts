/** Reads from the gateway's copy: as fresh as from the store, and without it. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Capability, Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { type ResourceDescription, type Store, unavailable } from "../../stores/sdk/sdk.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";

const base = `/apis/${resource.group}/${resource.version}`;
const things = `${base}/namespaces/ns/things`;
const everyVerb = [Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE];
const others = (left: readonly Capability[]) => memoryCapabilities.filter((one) => !left.includes(one));
type List = {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly resourceVersion: string } }[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue: string;
    readonly remainingItemCount?: number;
  };
};

describe("a gateway's reads", () => {
  const calls = { get: 0, list: 0, head: 0 };
  let isAway = false;
  let gateway: TestGateway;
  const resources = contractResources(memoryCapabilities);
  const memory = createMemoryStore(resources.map((one) => ({ ...one, verbs: everyVerb })));
  const store = {
    ...memory,
    get: (call: Parameters<NonNullable<typeof memory.get>>[0]) => {
      calls.get++;
      return memory.get?.(call) as ReturnType<NonNullable<typeof memory.get>>;
    },
    list: (call: Parameters<NonNullable<typeof memory.list>>[0]) => {
      calls.list++;
      return memory.list?.(call) as ReturnType<NonNullable<typeof memory.list>>;
    },
    async currentRevision(call: Parameters<NonNullable<typeof memory.currentRevision>>[0]) {
      calls.head++;
      if (isAway) throw unavailable("on holiday");
      return (await memory.currentRevision?.(call)) as { revision: bigint };
    },
  };
  const get = async (path: string) => await gateway.ask(path);
  const list = async (query = "") => (await get(`${things}${query}`)).json() as unknown as List;
  const create = async (name: string) => {
    const body = { apiVersion: `${resource.group}/v1`, kind: "Thing", metadata: { name } };
    const made = await gateway.ask(things, { method: "POST", body });
    assert.equal(made.status, 201, made.text);
    return String(made.json().metadata?.["resourceVersion"]);
  };
  const names = (found: List) => found.items.map((item) => item.metadata.name);

  before(async () => {
    gateway = await startTestGateway({ stores: { memory: store } });
    for (const name of ["a", "b", "c", "d", "e"]) await create(name);
    // The first read fills the copy.
    await get(`${things}?watch=true&timeoutSeconds=1&resourceVersion=0`);
  });
  after(async () => {
    await gateway.stop();
  });
  beforeEach(() => Object.assign(calls, { get: 0, list: 0, head: 0 }));

  test("ask the store for nothing but its head, and for that once for all who ask at once", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(`${things}/a`)));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.deepEqual(names(await list()), ["a", "b", "c", "d", "e"]);
    assert.equal((await get(`${things}/missing`)).status, 404);
    assert.deepEqual([calls.get, calls.list], [0, 0]);
    assert.ok(calls.head < 30, `${calls.head} calls for 52 reads`);
    calls.head = 0;
    assert.deepEqual(names(await list("?resourceVersion=0")), ["a", "b", "c", "d", "e"]);
    assert.equal((await get(`${things}/a?resourceVersion=0`)).status, 200);
    assert.equal(calls.head, 0);
  });

  test("show every write that was acknowledged before them", async () => {
    for (let count = 0; count < 100; count++) {
      const revision = await create(`w${count}`);
      const [one, all] = await Promise.all([get(`${things}/w${count}`), list()]);
      assert.equal(one.json().metadata?.["resourceVersion"], revision);
      assert.ok(names(all).includes(`w${count}`));
      assert.ok(BigInt(all.metadata.resourceVersion) >= BigInt(revision));
    }
    assert.equal(calls.list, 0);
  });

  test("of a revision, and page after page, show one state while writes go on", async () => {
    const first = await list("?limit=2");
    const { resourceVersion } = first.metadata;
    const whole = await list();
    await create("aa");
    const exact = await list(`?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`);
    assert.deepEqual(names(exact), names(whole));
    assert.equal(exact.metadata.resourceVersion, resourceVersion);
    assert.equal(first.metadata.remainingItemCount, names(whole).length - 2);
    const found = [...names(first)];
    for (let page = first; page.metadata.continue !== ""; ) {
      page = await list(`?limit=40&continue=${page.metadata.continue}`);
      assert.equal(page.metadata.resourceVersion, resourceVersion);
      found.push(...names(page));
    }
    assert.deepEqual(found, names(whole));
    assert.equal(calls.list, 0);
  });

  test("that may be old are answered while the store is away, and those that may not say so", async () => {
    const { resourceVersion } = (await list()).metadata;
    isAway = true;
    try {
      for (const query of ["?resourceVersion=0", `?resourceVersion=${resourceVersion}`]) {
        assert.equal((await get(`${things}/a${query}`)).status, 200);
        assert.ok(names(await list(query)).length > 5);
      }
      const latest = await get(`${things}/a`);
      assert.equal(latest.status, 503);
      assert.equal(latest.headers["retry-after"], "1");
    } finally {
      isAway = false;
    }
  });

  test("wait for a revision that is on its way, and say of one in the future that it is", async () => {
    const revision = await create("late");
    assert.equal((await get(`${things}/late?resourceVersion=${revision}`)).status, 200);
    const future = await get(`${things}/late?resourceVersion=${BigInt(revision) + 1_000_000n}`);
    assert.equal(future.status, 504);
    assert.match(String(future.json().message), /^Timeout: Too large resource version: \d+, current: \d+$/);
  });
});

/** Gives a gateway's ways to be asked about things. */
function thingsOf(gateway: TestGateway) {
  const get = (query: string) => gateway.ask(`${things}${query}`);
  return {
    get,
    list: async (query: string) => {
      const { status, text } = await get(query);
      assert.equal(status, 200, text);
      return JSON.parse(text) as List;
    },
    create: async (name: string) => {
      const body = { apiVersion: `${resource.group}/v1`, kind: "Thing", metadata: { name } };
      const made = await gateway.ask(things, { method: "POST", body });
      assert.equal(made.status, 201, made.text);
      return BigInt(made.json().metadata?.["resourceVersion"] as string);
    },
    /** From now on reads are answered from the copy, which has an object. */
    async fill() {
      const stop = new AbortController();
      const onText = () => stop.abort();
      await gateway.ask(`${things}?watch=true&resourceVersion=0`, { signal: stop.signal, onText });
    },
  };
}

const namesIn = (found: List) => found.items.map((item) => item.metadata.name);

function memoryOf(options: Partial<ResourceDescription>, kept?: number): Store {
  const resources = contractResources(memoryCapabilities, { verbs: everyVerb, ...options });
  return createMemoryStore(resources, 1n, kept);
}

function polledStore(): Store {
  const verbs = everyVerb.filter((verb) => verb !== Verb.WATCH);
  const { watch: _, ...store } = memoryOf({ verbs, capabilities: [], polledWatchIntervalMs: 100 });
  return store;
}

/** Stores of which a gateway that starts later can't have the state of a first page, once something was written. */
const forgetful: Readonly<Record<string, () => Store>> = {
  "has forgotten it": () => memoryOf({}, 3),
  "is polled": polledStore,
  "reads no earlier state": () => memoryOf({ capabilities: others([Capability.EXACT_READ]) }),
  "reads no earlier state and pages nothing": () =>
    memoryOf({ capabilities: others([Capability.EXACT_READ, Capability.SNAPSHOT_LIST]) }),
};

/** Pages of two go on from a continue token; something is written before each. */
async function restOf({ list, create }: ReturnType<typeof thingsOf>, token: string, written: string): Promise<List> {
  const first = await list(`?limit=2&continue=${token}`);
  const items = [...first.items];
  for (let page = first; page.metadata.continue !== ""; ) {
    await create(`${written}-${items.length}`);
    page = await list(`?limit=2&continue=${page.metadata.continue}`);
    assert.equal(page.metadata.resourceVersion, first.metadata.resourceVersion);
    items.push(...page.items);
  }
  return { ...first, items };
}

describe("a state that another gateway has shown", () => {
  for (const [which, make] of Object.entries(forgetful)) {
    test(`is shown, and once it is gone a page says how to go on, where the store ${which}`, async (t) => {
      const store = make();
      const start = async () => {
        const gateway = await startTestGateway({ stores: { memory: store } });
        t.after(() => gateway.stop());
        return { ...thingsOf(gateway), gateway };
      };
      const first = await start();
      for (const name of ["a", "b", "c", "d", "e"]) await first.create(name);
      await first.fill();
      const page = await first.list("?limit=2");
      assert.deepEqual(namesIn(page), ["a", "b"]);

      const { resourceVersion } = page.metadata;
      const exactly = `?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
      const goOn = `?limit=40&continue=${page.metadata.continue}`;
      const second = await start();
      for (const query of [exactly, goOn]) {
        const shown = await second.list(query);
        assert.deepEqual(namesIn(shown), query === goOn ? ["c", "d", "e"] : ["a", "b", "c", "d", "e"]);
        assert.equal(shown.metadata.resourceVersion, resourceVersion);
      }

      const third = await start();
      for (const name of ["aa", "bb", "f", "g"]) await third.create(name);
      // Without a copy, or nearly so, and with one that began too late.
      for (const written of ["y", "z"]) {
        const gone = await third.get(exactly);
        assert.equal(gone.status, 410, gone.text);
        assert.equal(gone.json().message, "The resourceVersion for the provided list is too old.");
        const refused = await third.get(goOn);
        assert.equal(refused.status, 410, refused.text);
        const { metadata, ...status } = refused.json();
        assert.deepEqual(status, {
          kind: "Status",
          apiVersion: "v1",
          status: "Failure",
          message:
            "The provided continue parameter is too old to display a consistent list result. You can start a new list " +
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of " +
            "the results. Continuing with the provided token results in an inconsistent list - objects that were " +
            "created, modified, or deleted between the time the first chunk was returned and now may show up in the " +
            "list.",
          reason: "Expired",
          code: 410,
        });
        assert.deepEqual(Object.keys(metadata ?? {}), ["continue"]);
        // The pages that follow are of one state again.
        const rest = await restOf(third, String(metadata?.["continue"]), written);
        const found = namesIn(rest).filter((name) => !/^[yz]/.test(name));
        assert.deepEqual(found, ["bb", "c", "d", "e", "f", "g"]);
        assert.ok(!namesIn(rest).some((name) => name.startsWith(written)));
        await third.fill();
      }
      assert.ok(!third.gateway.logged.some((line) => line.includes("does not implement")));
    });
  }

  test("is paged by its store, where that reads no earlier state and nobody has a copy", async (t) => {
    const store = memoryOf({ capabilities: others([Capability.EXACT_READ]), perUserReads: true });
    const first = await startTestGateway({ stores: { memory: store } });
    const before = thingsOf(first);
    for (const name of ["a", "b", "c", "d", "e"]) await before.create(name);
    const page = await before.list("?limit=2");
    await before.create("aa");
    await before.create("f");
    await first.stop();
    const gateway = await startTestGateway({ stores: { memory: store } });
    t.after(() => gateway.stop());
    const rest = await restOf(thingsOf(gateway), page.metadata.continue, "z");
    assert.deepEqual([...namesIn(page), ...namesIn(rest)], ["a", "b", "c", "d", "e"]);
    assert.equal(rest.metadata.resourceVersion, page.metadata.resourceVersion);
  });
});

describe("a copy that is late", () => {
  let release = () => {};
  let until = Promise.resolve();
  let gateway: TestGateway;
  const hold = () => {
    ({ promise: until, resolve: release } = Promise.withResolvers<void>());
  };
  /** A sample of the gateway's metrics, by its name and its labels. */
  const sample = async (name: string, labels = `group="${resource.group}",resource="things"`) => {
    const line = (await gateway.ask("/metrics")).text.split("\n").find((one) => one.startsWith(`${name}{${labels}} `));
    return Number(line?.split(" ").at(-1) ?? 0);
  };

  before(async () => {
    const store = memoryOf({ capabilities: others([Capability.EXACT_READ]) });
    const late: Store = {
      ...store,
      async *watch(call) {
        for await (const frame of store.watch?.(call) ?? []) {
          await until;
          yield frame;
        }
      },
    };
    gateway = await startTestGateway({ stores: { memory: late } });
    await thingsOf(gateway).create("a");
    await thingsOf(gateway).fill();
  });
  after(async () => {
    release();
    await gateway.stop();
  });

  test("is waited for a second by who reads the latest state, who is then answered by the store", async () => {
    const { create, get, list } = thingsOf(gateway);
    const reads = async () => {
      const labels = `fallback="true",group="${resource.group}",resource="things",success="false"`;
      const wait = "apiserver_watch_cache_read_wait_seconds";
      return {
        fallbacks: await sample("apiserver_watch_cache_consistent_read_total", labels),
        waits: await sample(`${wait}_count`),
        waitedSeconds: await sample(`${wait}_sum`),
      };
    };
    const before = await reads();
    hold();
    await create("b");
    const began = performance.now();
    const [one, all] = await Promise.all([get("/b"), list("")]);
    const seconds = (performance.now() - began) / 1000;
    assert.equal(one.status, 200, one.text);
    assert.deepEqual(namesIn(all), ["a", "b"]);
    assert.ok(seconds > 0.9 && seconds < 2.5, `${seconds} s`);
    const after = await reads();
    assert.deepEqual([after.fallbacks - before.fallbacks, after.waits - before.waits], [2, 2]);
    assert.ok(after.waitedSeconds - before.waitedSeconds > 1.8, `${after.waitedSeconds} s`);
    release();
    await eventually(async () => namesIn(await list("?resourceVersion=0")).includes("b"), "the copy is there");
    await list("");
    assert.equal((await reads()).fallbacks, after.fallbacks);
  });

  test("is waited for by who reads a state that its store doesn't keep", async () => {
    const { create, get, list } = thingsOf(gateway);
    const exactly = (revision: bigint) => `?resourceVersion=${revision}&resourceVersionMatch=Exact`;
    hold();
    const revision = await create("c");
    await create("d");
    const asked = list(exactly(revision));
    const isAsked = async () => (await sample("apiserver_current_inflight_requests", 'request_kind="readOnly"')) > 1;
    await Promise.race([asked, eventually(isAsked, "it is asked")]);
    release();
    assert.deepEqual(namesIn(await asked), ["a", "b", "c"]);
    const future = await get(exactly(revision + 1_000_000n));
    assert.equal(future.status, 504, future.text);
    assert.match(String(future.json().message), /^Timeout: Too large resource version: \d+, current: \d+$/);
  });
});
