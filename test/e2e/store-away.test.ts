/**
 * A store that is away. One that hangs: what needs it is refused at once, what doesn't goes on, an open
 * watch follows when the store does, and the gateway lives through the death of its connection. One that
 * is down when the gateway starts: its resources are known from before.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { annexBin, root } from "../support/checkout.ts";
import { createClient, credentialsOf } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { startStoreProcess } from "../support/store-process.ts";

const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const post = (name: string) => ({
  method: "POST",
  path: widgets,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    apiVersion: "example.annex.dev/v1",
    kind: "Widget",
    metadata: { name },
    spec: { color: "red" },
  }),
});
/** A connection to a store is given up when it answers no ping for 20 s. */
const untilConnectionDies = 22_000;

/** Who is answered within this has not waited for the store, of which it takes ten seconds to find that it is away. */
const atOnceMs = 5_000;

const serves = ["widgets.example.annex.dev"];

function startStore(folder: string) {
  const listen = `unix:${join(folder, "store.sock")}`;
  return startStoreProcess({
    command: process.execPath,
    args: [annexBin, "store", "memory", "--listen", listen, "--crds", join(root, "stores/sql/examples")],
    cwd: root,
  });
}

test("a gateway that starts while a store is down serves its discovery, and its objects once it is there", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-kept-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = { descriptions: { folder: join(folder, "kept") } };
  const before = await startStore(folder);
  const stores = [{ name: "memory", address: before.address }];
  const first = await startGatewayProcess({ stores, serves, config });
  await eventually(() => existsSync(join(folder, "kept/memory.binpb")), "the description is kept");
  assert.equal(await first.stop(), 0);
  await before.stop();

  const gateway = await startGatewayProcess({ stores, serves, config });
  t.after(async () => assert.equal(await gateway.stop(), 0));
  const client = createClient({ url: gateway.url, credentials: credentialsOf(gateway.kubeconfig) });
  t.after(() => client.close());
  const list = await client.ask({ path: widgets });
  assert.deepEqual([list.status, list.headers["retry-after"]], [503, "1"]);
  // With it an informer goes on where it was.
  const watch = await client.ask({ path: `${widgets}?watch=true&resourceVersion=1` });
  assert.deepEqual([watch.status, watch.headers["retry-after"]], [429, "1"]);
  assert.deepEqual(JSON.parse(watch.body), {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: 'the store "memory" of widgets is not available',
    reason: "TooManyRequests",
    details: { retryAfterSeconds: 1 },
    code: 429,
  });
  assert.equal((await client.ask({ path: "/openapi/v3/apis/example.annex.dev/v1" })).status, 200);
  const after = await startStore(folder);
  t.after(async () => void (await after.stop()));
  await eventually(async () => (await client.ask(post("a"))).status === 201, "the store is used");
});

test("a store that hangs hurts only what needs it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-hung-"));
  const store = await startStore(folder);
  const gateway = await startGatewayProcess({
    stores: [{ name: "memory", address: store.address }],
    serves,
  });
  const client = createClient({ url: gateway.url, credentials: credentialsOf(gateway.kubeconfig) });
  t.after(async () => {
    process.kill(store.pid, "SIGCONT");
    client.close();
    assert.equal(await gateway.stop(), 0);
    await store.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  assert.equal((await client.ask(post("before"))).status, 201);
  assert.equal((await client.ask({ path: widgets })).status, 200);
  const watch = await client.open({ path: `${widgets}?watch=true&resourceVersion=0` });
  let seen = "";
  watch.body.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
  });
  await eventually(() => seen.includes('"before"'), "the watch begins");

  process.kill(store.pid, "SIGSTOP");
  const stoppedAt = performance.now();
  const first = await client.ask({ path: `${widgets}/before` });
  assert.deepEqual([first.status, first.headers["retry-after"]], [503, "1"]);
  assert.match(first.body, /the store \\"memory\\" of widgets is not available/);
  // From now on nobody waits for it.
  for (const asked of [{ path: `${widgets}/before` }, { path: widgets }, post("meanwhile")]) {
    const { status, ms } = await client.ask(asked);
    assert.equal(status, 503);
    assert.ok(ms < atOnceMs, `${ms} ms`);
  }
  for (const path of [`${widgets}/before?resourceVersion=0`, "/apis/example.annex.dev/v1", "/openapi/v3", "/readyz"]) {
    const { status, ms } = await client.ask({ path });
    assert.equal(status, 200, path);
    assert.ok(ms < atOnceMs, `${path}: ${ms} ms`);
  }
  await new Promise<void>((resolve) => setTimeout(resolve, stoppedAt + untilConnectionDies - performance.now()));

  process.kill(store.pid, "SIGCONT");
  const works = async () => (await client.ask({ path: `${widgets}/before` })).status === 200;
  await eventually(works, "the store is used again");
  assert.equal((await client.ask(post("after"))).status, 201);
  await eventually(() => seen.includes('"after"'), "the watch goes on");
  assert.ok(!seen.includes('"ERROR"'));
  watch.cancel();
});
