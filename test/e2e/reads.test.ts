/** Reads from the gateway's copy: as fresh as from the store, and without it. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import { unavailable } from "../../stores/sdk/sdk.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";

const base = `/apis/${resource.group}/${resource.version}`;
const things = `${base}/namespaces/ns/things`;
const everyVerb = [Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE];
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
