import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { bindPort, type PortShare } from "./port.ts";

async function bound(t: TestContext, port: number, share?: PortShare): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.destroy());
  await bindPort(server, { host: "127.0.0.1", port, share });
  t.after(() => server.close());
  return { server, port: (server.address() as AddressInfo).port };
}

const taken = { code: "EADDRINUSE" };

test("bindPort() lets those that share a port listen there, and each has connections", async (t) => {
  const first = await bound(t, 0, "first");
  const more = await bound(t, first.port, "more");
  const counts = [0, 0];
  for (const [index, { server }] of [first, more].entries())
    server.on("connection", () => {
      counts[index] = (counts[index] ?? 0) + 1;
    });
  for (let n = 0; n < 60; n++)
    await once(
      connect(first.port, "127.0.0.1").on("error", () => {}),
      "close",
    );
  assert.ok(Math.min(...counts) > 0, counts.join());
});

test("bindPort() refuses a port that somebody else has, shared or not", async (t) => {
  const alone = await bound(t, 0);
  for (const share of [undefined, "first", "more"] as const) await assert.rejects(bound(t, alone.port, share), taken);
  const others = await bound(t, 0, "first");
  for (const share of [undefined, "first"] as const) await assert.rejects(bound(t, others.port, share), taken);
});
