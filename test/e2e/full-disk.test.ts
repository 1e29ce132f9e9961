/** A disk that fills up: clients are told, nothing that was acknowledged is lost, and room heals it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createClient, credentialsOf } from "../support/client.ts";
import { startDev } from "../support/dev.ts";

const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const objectBytes = 1_000_000;

test("a full disk answers 429 with a reason, keeps what was acknowledged, and recovers", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "annex-full-"));
  const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=7m", "tmpfs", folder], { encoding: "utf8" });
  if (mount.status !== 0) {
    rmSync(folder, { recursive: true });
    return t.skip(`no small disk can be mounted here: ${mount.stderr ?? mount.error?.message}`);
  }
  const dev = await startDev({ data: join(folder, "data") });
  const client = createClient({ url: dev.url, credentials: credentialsOf(dev.kubeconfig) });
  t.after(async () => {
    client.close();
    await dev.stop();
    spawnSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  const create = (name: string) => {
    const spec = { color: "red", options: { text: "x".repeat(objectBytes) } };
    const body = JSON.stringify({ apiVersion: "example.annex.dev/v1", kind: "Widget", metadata: { name }, spec });
    return client.ask({ method: "POST", path: widgets, headers: { "content-type": "application/json" }, body });
  };
  const kept: string[] = [];
  let refused: Awaited<ReturnType<typeof create>> | undefined;
  for (let count = 0; count < 20 && refused === undefined; count++) {
    const answer = await create(`w${count}`);
    if (answer.status === 201) kept.push(`w${count}`);
    else refused = answer;
  }
  assert.equal(refused?.status, 429);
  assert.equal(refused.headers["retry-after"], "10");
  const { reason, message } = JSON.parse(refused.body);
  assert.deepEqual([reason, message], ["TooManyRequests", "the store has no room left: database or disk is full"]);
  assert.ok(kept.length > 0);
  const names = async () =>
    JSON.parse((await client.ask({ path: widgets })).body).items.map(
      (item: { metadata: { name: string } }) => item.metadata.name,
    );
  assert.deepEqual(await names(), kept.toSorted());
  assert.equal(spawnSync("mount", ["-o", "remount,size=60m", folder]).status, 0);
  assert.equal((await create("after")).status, 201);
  assert.deepEqual(await names(), [...kept, "after"].toSorted());
});
