/**
 * What one client does must not be felt by others: thousands of watches opened and cancelled in a
 * burst, and large lists that nobody reads, over both protocols.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, type TestContext, test } from "node:test";
import { askBeside, type Seen } from "../support/beside.ts";
import { type Client, createClient, credentialsOf, type OpenAnswer } from "../support/client.ts";
import { type Dev, startDev } from "../support/dev.ts";

const widgets = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const burst = 5_000;
/** Objects of a list, and the bytes of each: 20 MB together. */
const listed = 20;
const objectBytes = 1_000_000;
/** Clients that ask for the list and read nothing. */
const deafClients = 10;
/**
 * Below a client's patience (32 s in client-go's discovery). The burst alone is 5,000 TLS handshakes over HTTP/1.1,
 * 4 s of a core that is shared with whoever makes them.
 */
const promptMs = 20_000;
/** The gateway's size at rest is some 150 MiB. */
const maxGrowthMiB = 600;

for (const http2 of [false, true]) {
  describe(`over HTTP/${http2 ? "2" : "1.1"}`, () => {
    let dev: Dev;
    /** Of HTTP/2 it has one connection for all that it does. */
    let client: Client;
    let somebody: Parameters<typeof createClient>[0];
    before(async () => {
      dev = await startDev({ store: "memory", args: http2 ? ["--http2"] : [] });
      somebody = { url: dev.url, credentials: credentialsOf(dev.kubeconfig), http2 };
      client = createClient(somebody);
    });
    after(async () => {
      client.close();
      await dev.stop();
    });

    test(`${burst} watches opened and cancelled in a burst leave others unharmed`, { timeout: 240_000 }, async (t) => {
      const atRest = residentMiB(dev.pid);
      const beside = askBeside({ ...somebody, path: `${widgets}?labelSelector=no=such` });
      const began = performance.now();
      const watches = await Promise.all(
        Array.from({ length: burst }, () => client.open({ path: `${widgets}?watch=true&resourceVersion=0` })),
      );
      for (const watch of watches) assert.equal(watch.status, 200);
      for (const watch of watches) watch.cancel();
      const tookMs = performance.now() - began;
      await beside.more(20);
      // Where others keep the machine busy the burst takes minutes, and nobody waits for its end.
      assertUnharmed(t, await beside.stop(), Math.max(promptMs, tookMs / 2));
      assert.ok(residentMiB(dev.pid) - atRest < maxGrowthMiB, `grew to ${residentMiB(dev.pid)} MiB`);
    });

    test(`${deafClients} clients that stop reading a 20 MB list leave others unharmed`, async (t) => {
      const text = "x".repeat(objectBytes);
      for (let n = 0; n < listed; n++) {
        const metadata = { name: `large-${n}` };
        const spec = { color: "red", options: { text } };
        const body = JSON.stringify({ apiVersion: "example.annex.dev/v1", kind: "Widget", metadata, spec });
        const made = await client.ask({ method: "POST", path: widgets, headers: { "content-type": json }, body });
        assert.equal(made.status, 201, made.body.slice(0, 500));
      }
      const atRest = residentMiB(dev.pid);
      const beside = askBeside({ ...somebody, path: `${widgets}?labelSelector=no=such` });
      const deaf: OpenAnswer[] = [];
      for (let n = 0; n < deafClients; n++) deaf.push(await client.open({ path: widgets }));
      await beside.more(20);
      assertUnharmed(t, await beside.stop());
      assert.ok(residentMiB(dev.pid) - atRest < maxGrowthMiB, `grew to ${residentMiB(dev.pid)} MiB`);
      for (const answer of deaf) answer.cancel();
      const whole = await client.ask({ path: widgets });
      assert.equal(JSON.parse(whole.body).items.length, listed);
    });
  });
}

const json = "application/json";

function assertUnharmed(t: TestContext, { outcomes, maxMs }: Seen, soonMs = promptMs): void {
  t.diagnostic(
    `beside: ${[...outcomes].map(([outcome, count]) => `${count} × ${outcome}`)}, the slowest ${maxMs.toFixed(0)} ms`,
  );
  assert.deepEqual([...outcomes.keys()], ["200"], [...outcomes].join("; "));
  assert.ok(maxMs < soonMs, `one took ${maxMs} ms`);
}

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
