import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import type { ByteSink, HttpAnswer, HttpRequest } from "../apimachinery/http.ts";
import { bare, type Client, client, start, textAnswer, untilEnd } from "./listen.testing.ts";

const quiet = { quietMs: 50 };

describe("drain()", () => {
  test("loses no request of clients that go on asking", async (t) => {
    const started = await start(t, async (request) => textAnswer(String(await request.body())), { times: quiet });
    const failures: unknown[] = [];
    let answered = 0;
    let refusals = 0;
    const begun = Promise.withResolvers<void>();
    /** Posts over one kept connection after the other until nobody listens. */
    const post = async (name: number) => {
      const { ask, close } = await client(started, "1.1");
      for (let count = 0; ; count++) {
        try {
          const text = `${name} ${count}`;
          const { body } = await ask({ method: "POST", body: Buffer.from(text) });
          assert.equal(body, text);
          if (++answered === 200) begun.resolve();
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") refusals++;
          else failures.push(error);
          close();
          return;
        }
      }
    };
    const clients = Array.from({ length: 8 }, (_, index) => post(index));
    await begun.promise;
    await started.listener.drain({ deadlineMs: 10_000 });
    await Promise.all(clients);
    assert.deepEqual(failures, []);
    assert.equal(refusals, 8);
  });

  test("takes in the connections that wait to be accepted", async (t) => {
    const started = await start(t, () => textAnswer("x"), { times: { quietMs: 10_000 } });
    const clients = Array.from({ length: 20 }, async () => {
      const { ask, close } = await client(started, "1.1");
      const { body } = await ask();
      close();
      return body;
    });
    // They have asked the kernel for a connection, and nobody has seen them yet.
    await Promise.resolve();
    await started.listener.drain({ deadlineMs: 10_000 });
    assert.deepEqual(await Promise.all(clients), new Array(20).fill("x"));
  });

  test("answers with Connection: close from its first moment on, on connections that were idle too", async (t) => {
    const started = await start(t, () => textAnswer("x"), { times: { quietMs: 1000 } });
    const { ask, close } = await client(started, "1.1");
    assert.equal((await ask()).headers.connection, "keep-alive");
    const drained = started.listener.drain({ deadlineMs: 10_000 });
    const last = await ask();
    assert.deepEqual([last.body, last.headers.connection], ["x", "close"]);
    close();
    await drained;
  });

  test("lets an HTTP/2 session ask on until it is quiet, then ends it", async (t) => {
    const started = await start(t, () => textAnswer("x"), { http2: true, times: quiet });
    const { ask } = await client(started, "2.0");
    await ask();
    const drained = started.listener.drain({ deadlineMs: 10_000 });
    for (let count = 0; count < 20; count++) assert.equal((await ask()).body, "x");
    await drained;
    await assert.rejects(ask());
  });

  for (const protocol of ["1.1", "2.0"] as const) {
    test(`waits for what is in flight and ends streams over HTTP/${protocol}`, async (t) => {
      const waiting = Promise.withResolvers<HttpAnswer>();
      const asked = Promise.withResolvers<void>();
      const sinks: ByteSink[] = [];
      const started = await start(
        t,
        async (request): Promise<HttpAnswer> => {
          if (request.path === "/stream") {
            return { status: 200, headers: {}, body: { start: (sink) => void sinks.push(sink) } };
          }
          asked.resolve();
          return await waiting.promise;
        },
        { http2: protocol === "2.0", times: quiet },
      );
      const clients: Client[] = [await client(started, protocol), await client(started, protocol)];
      const slow = clients[0]?.ask();
      const stream = clients[1]?.ask({ path: "/stream" });
      await asked.promise;
      while (sinks.length === 0) await new Promise((resolve) => setImmediate(resolve));
      let isDrained = false;
      const drained = started.listener.drain({ deadlineMs: 10_000 }).then(() => {
        isDrained = true;
      });
      assert.deepEqual([(await stream)?.status, (await stream)?.body, sinks[0]?.closed], [200, "", true]);
      assert.equal(isDrained, false);
      waiting.resolve(textAnswer("slow"));
      assert.equal((await slow)?.body, "slow");
      await drained;
      for (const one of clients) one.close();
    });

    test(`sends a stream that comes late to another server over HTTP/${protocol}, and lets a young one live for a second`, async (t) => {
      const begun = Promise.withResolvers<void>();
      const stream: HttpAnswer = { status: 200, headers: {}, body: { start: () => begun.resolve() } };
      const handle = (request: HttpRequest) => (request.path === "/stream" ? stream : textAnswer(""));
      const started = await start(t, handle, { http2: protocol === "2.0", times: { quietMs: 1000 } });
      const clients = [await client(started, protocol), await client(started, protocol)] as const;
      await clients[1].ask();
      const since = performance.now();
      const young = clients[0].ask({ path: "/stream" });
      await begun.promise;
      const drained = started.listener.drain({ deadlineMs: 10_000 });
      const late = await clients[1].ask({ path: "/stream" });
      assert.deepEqual([late.status, late.headers["retry-after"]], [429, "1"]);
      assert.match(late.body, /"message":"The apiserver is shutting down, please try again later\."/);
      assert.equal(late.headers.connection, protocol === "1.1" ? "close" : undefined);
      assert.equal((await young).status, 200);
      assert.ok(performance.now() - since > 1_000);
      await drained;
      for (const one of clients) one.close();
    });

    test(`cuts at its deadline what never ends over HTTP/${protocol}`, async (t) => {
      const asked = Promise.withResolvers<void>();
      const never = new Promise<HttpAnswer>(() => {});
      const started = await start(
        t,
        () => {
          asked.resolve();
          return never;
        },
        { http2: protocol === "2.0", times: quiet },
      );
      const { ask, close } = await client(started, protocol);
      const failed = assert.rejects(ask());
      await asked.promise;
      await started.listener.drain({ deadlineMs: 100 });
      await failed;
      close();
    });
  }

  test("doesn't wait for connections that never say anything", async (t) => {
    const started = await start(t, () => textAnswer(""), { times: quiet });
    const silent = connect(started.listener.port, "127.0.0.1").on("error", () => {});
    await once(silent, "connect");
    const greeted = await bare(started);
    const ended = untilEnd(greeted);
    await started.listener.drain({ deadlineMs: 60_000 });
    assert.equal(await ended, "");
    silent.destroy();
  });

  test("is one, however often it is asked for", async (t) => {
    const started = await start(t, () => textAnswer(""), { times: quiet });
    await Promise.all([started.listener.drain({ deadlineMs: 1000 }), started.listener.close()]);
    await started.listener.close();
  });
});
