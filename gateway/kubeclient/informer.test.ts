import assert from "node:assert/strict";
import { test } from "node:test";
import { createInformer, type InformerChange, type KubeObject } from "./informer.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeRequest } from "./kubeclient.ts";

const object = (name: string, resourceVersion: string, namespace?: string): KubeObject => ({
  metadata: { name, resourceVersion, ...(namespace === undefined ? {} : { namespace }) },
});
const page = (resourceVersion: string, items: readonly KubeObject[], next = "") => ({
  metadata: { resourceVersion, continue: next },
  items,
});
const event = (type: string, about: object) => JSON.stringify({ type, object: about });

/** A host whose answers are a script, one a call; after the last it is silent until it is closed. */
function script(...answers: (object | Error | readonly string[])[]) {
  const asked: string[] = [];
  const pauses: number[] = [];
  const ended = Promise.withResolvers<void>();
  function next({ path, query = {} }: KubeRequest, signal: AbortSignal | undefined) {
    const { timeoutSeconds: _, allowWatchBookmarks: __, ...shown } = query;
    asked.push(`${path}?${new URLSearchParams(shown)}`);
    const answer = answers.shift();
    if (answers.length === 0 && answer === undefined) ended.resolve();
    if (answer instanceof Error) throw answer;
    return answer ?? new Promise<never>((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  }
  return {
    asked,
    pauses,
    ended: ended.promise,
    client: {
      request: async (request: KubeRequest) => (await next(request, request.signal)) as never,
      async *lines(request: KubeRequest) {
        yield* (await next(request, request.signal)) as readonly string[];
      },
    },
    pause: async (ms: number) => void pauses.push(ms),
  };
}

/** Follows to the script's end. */
async function follow(...answers: Parameters<typeof script>) {
  return await followWith({}, ...answers);
}

async function followWith(options: { readonly relistMs?: number }, ...answers: Parameters<typeof script>) {
  const host = script(...answers);
  const told: string[] = [];
  const lines: string[] = [];
  const informer = createInformer({
    client: host.client,
    path: "/things",
    random: () => 0,
    log: { info() {}, warn: (fields) => lines.push((fields as { error: string }).error) },
    onChange: (changes) => told.push(changes.map(formatChange).join(" ")),
    pause: host.pause,
    ...options,
  });
  await host.ended;
  return { ...host, informer, told, lines };
}

function formatChange({ key, before, after }: InformerChange): string {
  return `${key}:${before?.metadata.resourceVersion ?? ""}>${after?.metadata.resourceVersion ?? ""}`;
}

test("createInformer() lists in pages, then watches from the list's mark", async () => {
  const { informer, told, asked } = await follow(
    page("9", [object("a", "1", "n")], "more"),
    page("10", [object("b", "2")]),
    [event("MODIFIED", object("b", "11")), event("ADDED", object("c", "12")), event("DELETED", object("a", "13", "n"))],
  );
  assert.deepEqual(told, ["n/a:>1 b:>2", "b:2>11", "c:>12", "n/a:1>"]);
  assert.deepEqual([...informer.objects.keys()], ["b", "c"]);
  assert.deepEqual(asked, [
    "/things?limit=500",
    "/things?limit=500&continue=more",
    "/things?watch=true&resourceVersion=10",
    "/things?watch=true&resourceVersion=13",
  ]);
  await informer.synced();
  informer.close();
});

test("createInformer() resumes where it was, by a bookmark too, when a watch ends or breaks", async () => {
  const { informer, told, asked, lines, pauses } = await follow(
    page("1", []),
    [event("BOOKMARK", object("", "5"))],
    new KubeError("cut", 0),
    new KubeError("cut again", 0),
    [event("ADDED", object("a", "7"))],
    [],
  );
  assert.deepEqual(told, ["", "a:>7"]);
  assert.deepEqual(
    asked.map((uri) => new URLSearchParams(uri.split("?")[1]).get("resourceVersion")),
    [null, "1", "5", "5", "5", "7", "7"],
  );
  assert.deepEqual(lines, ["cut", "cut again", "GET /things: the watch ended at once"]);
  assert.deepEqual(pauses, [800, 1600, 800], "they grow, and start over after an event");
  informer.close();
});

test("createInformer() lists anew after 410, and tells what it missed", async () => {
  const expired = event("ERROR", { kind: "Status", code: 410, reason: "Expired", message: "too old" });
  const { informer, told, lines } = await follow(
    page("5", [object("a", "1"), object("b", "2"), object("c", "3")]),
    [expired],
    page("9", [object("b", "2"), object("c", "8"), object("d", "9")]),
    new KubeError("gone", 410),
    page("9", [object("b", "2"), object("c", "8"), object("d", "9")]),
  );
  assert.deepEqual(told, ["a:>1 b:>2 c:>3", "a:1> c:3>8 d:>9", ""]);
  assert.deepEqual(lines, ["the watch ended: too old", "gone"]);
  informer.close();
});

test("createInformer() lists anew in time, where asked to, and so finds what no watch told", async () => {
  const { informer, told, asked } = await followWith(
    { relistMs: 0 },
    page("5", [object("a", "1")]),
    [event("BOOKMARK", object("", "6"))],
    page("9", [object("a", "8")]),
    [event("ADDED", object("b", "10"))],
    page("10", [object("a", "8"), object("b", "10")]),
  );
  assert.deepEqual(told, ["a:>1", "a:1>8", "b:>10", ""]);
  const isWatch = asked.map((uri) => uri.includes("watch=true"));
  assert.deepEqual(isWatch, [false, true, false, true, false, true]);
  informer.close();
});

test("createInformer() waits as long as the host asks, and is not synced before", async () => {
  const { informer, pauses } = await follow(
    new KubeError("busy", 429, { retryAfterMs: 7000 }),
    new KubeError("no", 403),
  );
  assert.deepEqual(pauses, [7000, 1600]);
  assert.equal(informer.isSynced, false);
  informer.close();
  await assert.rejects(informer.synced(), { message: "/things is no longer followed" });
});
