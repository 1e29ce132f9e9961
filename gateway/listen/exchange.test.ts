import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createMountedHandler } from "./listen.ts";

test("what comes in one turn of the event loop is handled after all of it was taken", async () => {
  const seen: string[] = [];
  const mounted = createMountedHandler({
    handle({ path }) {
      seen.push(`handled ${path}`);
      return { status: 200, headers: {}, body: Buffer.from(path) };
    },
    log: { info() {}, warn() {}, error() {} },
  });
  const waiting: (readonly [IncomingMessage, ServerResponse])[] = [];
  const server = createServer((raw, reply) => {
    if (waiting.push([raw, reply]) < 2) return;
    for (const [request, answer] of waiting) {
      mounted.handle(request, answer, "");
      seen.push("taken");
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ask = async (path: string) => {
    const [answer] = await once(get({ port, path, agent: false }), "response");
    answer.resume();
    await once(answer, "end");
  };
  await Promise.all([ask("/a"), ask("/b")]);
  assert.deepEqual(seen.slice(0, 2), ["taken", "taken"]);
  assert.deepEqual(seen.slice(2).sort(), ["handled /a", "handled /b"]);
  mounted.close();
  server.close();
});
