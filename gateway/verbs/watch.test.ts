import assert from "node:assert/strict";
import { test } from "node:test";
import { type ByteSink, isStreamBody } from "../apimachinery/http.ts";
import { encodeJsonBytes } from "../apimachinery/json.ts";
import type { ListOptions } from "../apimachinery/options.ts";
import { definitionWith, versionWith } from "../apimachinery/resource.fixture.ts";
import { compileTable } from "../render/render.ts";
import type { CachedObject, FeedEvent, Subscriber, WatchSource } from "../watchcache/watchcache.ts";
import type { VerbRequest, VerbTools } from "./verb-request.ts";
import { watch } from "./watch.ts";

const options: ListOptions = {
  ...{ labelSelector: "", fieldSelector: "", watch: true, allowWatchBookmarks: true, resourceVersion: "0" },
  ...{ resourceVersionMatch: "", timeoutSeconds: undefined, limit: 0, continue: "", sendInitialEvents: undefined },
};

function cached(name: string, json?: Buffer): CachedObject {
  const value = { metadata: { name, namespace: "ns", resourceVersion: "7" } };
  const view = { value, json: json ?? encodeJsonBytes(value) };
  return { stored: { name, namespace: "ns" }, view: () => view } as unknown as CachedObject;
}

/** An object's creation. */
function created(revision: bigint, after: CachedObject): FeedEvent {
  return { revision, at: 0, cost: 1, before: undefined, after, gone: after };
}

/** A sink that has taken nothing until `drain`. */
function slowSink() {
  const types: string[] = [];
  let bytesWritten = 0;
  const aborted: number[] = [];
  const drainers: (() => void)[] = [];
  const sink: ByteSink & { queuedBytes: number } = {
    queuedBytes: 0,
    closed: false,
    write(frames) {
      const bytes = Buffer.concat(frames);
      sink.queuedBytes += bytes.length;
      bytesWritten += bytes.length;
      for (const line of bytes.toString().trimEnd().split("\n")) types.push(JSON.parse(line).type);
      return false;
    },
    onDrain: (callback) => void drainers.push(callback),
    onClose: () => {},
    end: () => {},
    abort: () => void aborted.push(sink.queuedBytes),
  };
  const drain = () => {
    sink.queuedBytes = 0;
    for (const drainer of drainers.splice(0)) drainer();
  };
  return { sink, types, aborted, drain, bytesWritten: () => bytesWritten };
}

/** A sink that takes all at once, and keeps each of its writes. */
function openSink() {
  const writes: (readonly Uint8Array[])[] = [];
  const sink: ByteSink = {
    ...{ queuedBytes: 0, closed: false, onDrain: setImmediate, onClose: () => {}, end: () => {}, abort: () => {} },
    write(frames) {
      if (frames.length > 0) writes.push(frames);
      return true;
    },
  };
  return { sink, writes };
}

/** What a watch asks for. */
type Asked = Partial<ListOptions> & { readonly sink: ByteSink; readonly as?: "" | "Table" };

/** Watches of these objects at revision 7, who listens to their feed, and what was counted. A Table's rows never come. */
async function startWatch(objects: readonly CachedObject[], ...asked: readonly Asked[]) {
  const subscribers: Subscriber[] = [];
  const counted: (number | "terminated")[] = [];
  const feed = {
    revision: 7n,
    initial: () => ({ revision: 7n, objects: objects.values() }),
    subscribe: (_after: bigint, subscriber: Subscriber) => {
      subscribers.push(subscriber);
      return () => {};
    },
  } as unknown as WatchSource;
  const definition = definitionWith();
  const resource = {
    definition: { ...definition, capabilities: { ...definition.capabilities, hookTabulate: true } },
    version: versionWith(),
  };
  const tabulate = async () => await Promise.withResolvers().promise;
  const tools = {
    watchcache: { source: async () => ({ feed, release: () => {} }) },
    registry: { client: () => ({ hooks: { tabulate } }) },
    columnsOf: () => compileTable([]),
    random: () => 0,
    bookmarkEveryMs: 60_000,
    observeWatch: () => ({
      event: (bytes: number) => void counted.push(bytes),
      terminated: () => void counted.push("terminated"),
    }),
  };
  for (const { sink, as = "", ...more } of asked) {
    const form = { as, asVersion: "v1", mediaType: "application/json" };
    const request = { info: { namespace: "ns", name: "" }, resource, form } as unknown as VerbRequest;
    const { body } = await watch(request, tools as unknown as VerbTools, { ...options, ...more });
    if (isStreamBody(body)) body.start(sink);
  }
  return { subscribers, counted };
}

test("watch() sends no bookmark until the last of the initial objects is on its way", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { sink, types, drain, bytesWritten } = slowSink();
  const objects = Array.from({ length: 150 }, (_, at) => cached(`w${at}`));
  const { subscribers, counted } = await startWatch(objects, { sink });
  t.mock.timers.tick(60_000);
  assert.deepEqual([types, subscribers.length], [Array(100).fill("ADDED"), 0]);
  drain();
  drain();
  assert.deepEqual([types, subscribers.length], [Array(150).fill("ADDED"), 1]);
  t.mock.timers.tick(60_000);
  assert.deepEqual(types.slice(150), ["BOOKMARK"]);
  assert.equal(counted.length, 151, "each frame is counted");
  assert.equal(
    counted.reduce<number>((sum, bytes) => sum + Number(bytes), 0),
    bytesWritten(),
  );
});

test("watch() hands over 256 KiB of large initial objects, and more when they are taken", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { sink, types, drain } = slowSink();
  const json = Buffer.from(JSON.stringify({ text: "x".repeat(100 * 1024) }));
  const objects = Array.from({ length: 5 }, (_, at) => cached(`w${at}`, json));
  await startWatch(objects, { sink });
  assert.equal(types.length, 3);
  drain();
  assert.equal(types.length, 5);
});

test("watch() cuts off a Table whose rows the store doesn't make, once more than 8 MiB wait", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { sink, types, aborted } = slowSink();
  const { subscribers, counted } = await startWatch([], { sink, as: "Table" });
  const [subscriber] = subscribers;
  const json = Buffer.alloc(1024 * 1024);
  for (let revision = 8n; revision < 16n; revision++) {
    subscriber?.events([created(revision, cached(`w${revision}`, json))]);
  }
  assert.deepEqual([types, aborted], [[], []]);
  subscriber?.events([created(16n, cached("w16", json))]);
  assert.deepEqual([types, aborted, counted], [[], [0], ["terminated"]]);
});

test("watch() hands what a feed tells at once to each watcher in one write, in the same buffers", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const sinks = [openSink(), openSink(), openSink()] as const;
  const [one, other, choosy] = sinks;
  // The last one is shown less, of the same.
  const fieldSelector = "metadata.name!=w8";
  const { subscribers } = await startWatch([], one, other, { ...choosy, fieldSelector });
  const events = [8n, 9n, 10n, 11n, 12n].map((revision) => created(revision, cached(`w${revision}`)));
  for (const subscriber of subscribers) subscriber.events(events);
  assert.deepEqual(
    sinks.map(({ writes }) => writes.map((frames) => frames.length)),
    [[5], [5], [4]],
  );
  const frames = one.writes.flat();
  assert.ok(other.writes.flat().every((frame, at) => frame === frames[at]));
  assert.ok(choosy.writes.flat().every((frame, at) => frame === frames[at + 1]));
});

test("watch() sends a last bookmark two seconds before its deadline, of the revision that it has come to", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { sink, writes } = openSink();
  let ends = 0;
  const { subscribers } = await startWatch([], { sink: { ...sink, end: () => void ends++ }, timeoutSeconds: 10 });
  subscribers[0]?.progress(9n);
  t.mock.timers.tick(7_999);
  assert.deepEqual(writes, []);
  t.mock.timers.tick(1);
  const bookmarks = writes.flat().map((frame) => JSON.parse(Buffer.from(frame).toString()));
  assert.deepEqual(
    bookmarks.map(({ type, object }) => [type, object.metadata.resourceVersion, ends]),
    [["BOOKMARK", "9", 0]],
  );
  t.mock.timers.tick(2_000);
  assert.deepEqual([writes.length, ends], [1, 1]);
});
