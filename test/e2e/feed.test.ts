/** The gateway's copy of a resource: what it knows when it starts, and what it makes of a store that lies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Verb } from "../../gen/annex/store/v1/catalog_pb.js";
import { createMemoryStore, memoryCapabilities } from "../../stores/memory/store.ts";
import type { Store } from "../../stores/sdk/sdk.ts";
import { contractResources, resource } from "../contract/contract.testing.ts";
import { eventually } from "../support/eventually.ts";
import { startTestGateway, type TestGateway } from "../support/gateway.ts";

const things = `/apis/${resource.group}/${resource.version}/namespaces/ns/things`;
const everyVerb = [Verb.GET, Verb.LIST, Verb.WATCH, Verb.CREATE, Verb.UPDATE, Verb.PATCH, Verb.DELETE];

function memoryStore(keptEvents?: number): Store {
  const resources = contractResources(memoryCapabilities);
  return createMemoryStore(
    resources.map((one) => ({ ...one, verbs: everyVerb })),
    1n,
    keptEvents,
  );
}

async function create(gateway: TestGateway, name: string): Promise<string> {
  const body = { apiVersion: `${resource.group}/v1`, kind: "Thing", metadata: { name } };
  const made = await gateway.ask(things, { method: "POST", body });
  assert.equal(made.status, 201, made.text);
  return String(made.json().metadata?.["resourceVersion"]);
}

/** The types and names of a watch's events, once there are so many. */
async function watched(gateway: TestGateway, query: string, count: number): Promise<string[]> {
  const stop = new AbortController();
  let text = "";
  const onText = (piece: string) => {
    text += piece;
  };
  const watching = gateway.ask(`${things}?watch=true&${query}`, { signal: stop.signal, onText });
  await eventually(() => text.split("\n").length > count, `${count} events come`);
  stop.abort();
  await watching;
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .map(({ type, object }) => `${type} ${object.metadata.name ?? object.code}`);
}

test("a gateway that was restarted resumes watches from before its start", async (t) => {
  const store = memoryStore();
  const first = await startTestGateway({ stores: { memory: store } });
  const from = await create(first, "a");
  await create(first, "b");
  const removed = await first.ask(`${things}/a`, { method: "DELETE" });
  assert.equal(removed.status, 200);
  await first.stop();
  const second = await startTestGateway({ stores: { memory: store } });
  t.after(() => second.stop());
  assert.deepEqual(await watched(second, `resourceVersion=${from}`, 2), ["ADDED b", "DELETED a"]);
});

test("a watch from before all that is known is an ERROR event of an answer 200, and ends", async (t) => {
  const store = memoryStore(2);
  const first = await startTestGateway({ stores: { memory: store } });
  const [a, b] = [await create(first, "a"), await create(first, "b")];
  for (const name of ["c", "d"]) await create(first, name);
  await first.stop();
  const second = await startTestGateway({ stores: { memory: store } });
  t.after(() => second.stop());
  const { status, text } = await second.ask(`${things}?watch=true&resourceVersion=${a}`);
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text), {
    type: "ERROR",
    object: {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: `too old resource version: ${a} (${b})`,
      reason: "Expired",
      code: 410,
    },
  });
  assert.deepEqual(await watched(second, `resourceVersion=${b}`, 2), ["ADDED c", "ADDED d"]);
});

test("a gateway that was restarted resumes watches of a quiet resource, however busy its store was with others", async (t) => {
  const store = memoryStore(100_000);
  const first = await startTestGateway({ stores: { memory: store } });
  const from = await create(first, "a");
  await create(first, "b");
  await first.stop();
  const call = { requestId: "", user: undefined, signal: new AbortController().signal, dryRun: false };
  const json = Buffer.from("{}");
  for (let at = 0; at < 25_000; at++) {
    const key = { namespace: "", name: `n${at}` };
    await store.create?.({ ...call, resource: { ...resource, plural: "others" }, key, uid: `${at}`, json });
  }
  const second = await startTestGateway({ stores: { memory: store } });
  t.after(() => second.stop());
  assert.deepEqual(await watched(second, `resourceVersion=${from}`, 1), ["ADDED b"]);
});

test("a store that lies of its revisions ends watches with 410, and its copy is right again", async (t) => {
  const store = memoryStore();
  let isLying = false;
  const lying: Store = {
    ...store,
    async *watch(call) {
      for await (const frame of store.watch?.(call) ?? []) {
        yield frame;
        // What was said is said again.
        if (isLying && frame.frame === "events") yield frame;
      }
    },
  };
  const gateway = await startTestGateway({ stores: { memory: lying } });
  t.after(() => gateway.stop());
  const from = await create(gateway, "a");
  let seen = "";
  const watching = gateway.ask(`${things}?watch=true&timeoutSeconds=20&resourceVersion=${from}`, {
    onText: (text) => {
      seen += text;
    },
  });
  await create(gateway, "b");
  await eventually(() => seen.includes('"b"'), "the watch follows");
  isLying = true;
  await create(gateway, "c");
  await watching;
  isLying = false;
  assert.match(seen, /"type":"ERROR".*"reason":"Expired".*"code":410/);
  assert.ok(gateway.logged.some((line) => line.includes("the store told what can't be true")));
  await eventually(async () => {
    const list = await gateway.ask(`${things}?resourceVersion=0`);
    return list.text.includes('"name":"c"');
  }, "the copy is filled again");
  assert.deepEqual(await watched(gateway, "resourceVersion=0", 3), ["ADDED a", "ADDED b", "ADDED c"]);
});
