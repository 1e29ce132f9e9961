import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2";
import { request as requestHttps } from "node:https";
import { describe, type TestContext, test } from "node:test";
import type { ByteSink, HttpAnswer, HttpRequest } from "../apimachinery/http.ts";
import { type Started, start, textAnswer } from "./listen.testing.ts";

const stream = (begin: (sink: ByteSink) => void): HttpAnswer => ({
  status: 200,
  headers: { "Content-Type": "application/json" },
  body: { start: begin },
});

/** An answer that is being read. */
type Incoming = IncomingMessage | ClientHttp2Stream;

/** Opens a GET and gives its answer's body as it comes, unread. */
async function open(t: TestContext, { listener, files }: Started, protocol: string, path = "/"): Promise<Incoming> {
  const ca = files.authority.cert;
  if (protocol === "1.1") {
    const asking = requestHttps({ host: "127.0.0.1", port: listener.port, path, ca, agent: false }).end();
    asking.on("error", () => {});
    const [incoming] = (await once(asking, "response")) as [IncomingMessage];
    incoming.on("error", () => {});
    t.after(() => asking.destroy());
    return incoming;
  }
  const session: ClientHttp2Session = connectHttp2(`https://127.0.0.1:${listener.port}`, { ca });
  session.on("error", () => {});
  t.after(() => session.destroy());
  const asked = session.request({ ":path": path }).on("error", () => {});
  await once(asked, "response");
  return asked;
}

function leave(incoming: Incoming): void {
  if ("close" in incoming) incoming.close(constants.NGHTTP2_CANCEL);
  else incoming.destroy();
}

for (const protocol of ["1.1", "2.0"] as const) {
  const options = { http2: protocol === "2.0" };

  describe(`a stream over HTTP/${protocol}`, () => {
    test("sends its head at once, then what is written, and ends cleanly", async (t) => {
      const sinks: ByteSink[] = [];
      const started = await start(t, () => stream((sink) => sinks.push(sink)), options);
      const incoming = await open(t, started, protocol);
      const [sink] = sinks as [ByteSink];
      let closes = 0;
      sink.onClose(() => closes++);
      assert.equal(sink.write([Buffer.from("one\n")]), true);
      assert.equal(String((await once(incoming, "data"))[0]), "one\n");
      sink.end();
      sink.end();
      assert.equal(sink.write([Buffer.from("late")]), true);
      await once(incoming, "end");
      assert.deepEqual([sink.closed, closes], [true, 1]);
    });

    test("gives each client all of what is written to many, and nothing for nothing", async (t) => {
      const sinks: ByteSink[] = [];
      const started = await start(t, () => stream((sink) => sinks.push(sink)), options);
      const streams = [await open(t, started, protocol), await open(t, started, protocol)];
      const texts = streams.map(async (incoming) => {
        let text = "";
        for await (const piece of incoming) text += piece;
        return text;
      });
      const shared = Buffer.from("seen by both\n");
      for (const sink of sinks) {
        for (const frames of [[shared], [], [Buffer.alloc(0)], [shared, shared], [shared]]) sink.write(frames);
        sink.end();
      }
      const whole = "seen by both\n".repeat(4);
      assert.deepEqual(await Promise.all(texts), [whole, whole]);
    });

    test("is known to be cut short when it is aborted", async (t) => {
      const sinks: ByteSink[] = [];
      const started = await start(t, () => stream((sink) => sinks.push(sink)), options);
      const incoming = await open(t, started, protocol);
      const failed = once(incoming, "error").catch((error: unknown) => [error]);
      incoming.resume();
      sinks[0]?.abort();
      assert.ok((await failed)[0] instanceof Error);
      assert.equal(sinks[0]?.closed, true);
    });

    test("closes and aborts its request's signal when the client leaves", async (t) => {
      let signal: AbortSignal | undefined;
      const closed = Promise.withResolvers<void>();
      const started = await start(
        t,
        (request) => {
          signal = request.signal;
          return stream((sink) => sink.onClose(closed.resolve));
        },
        options,
      );
      leave(await open(t, started, protocol));
      await closed.promise;
      assert.equal(signal?.aborted, true);
    });

    test("tells back-pressure, drains, and is cut when its client takes nothing", async (t) => {
      const sinks: ByteSink[] = [];
      const started = await start(t, () => stream((sink) => sinks.push(sink)), {
        ...options,
        // Long enough for a busy machine to read 16 MB in.
        times: { stalledMs: 2_000 },
      });
      const incoming = await open(t, started, protocol);
      const [sink] = sinks as [ByteSink];
      const large = Buffer.alloc(16 * 1024 * 1024);
      assert.equal(sink.write([large]), false);
      assert.ok(sink.queuedBytes > 0);
      const drained = new Promise<void>((resolve) => sink.onDrain(resolve));
      incoming.resume();
      await drained;
      incoming.pause();
      const closed = new Promise<void>((resolve) => sink.onClose(resolve));
      sink.write([large]);
      await closed;
    });
  });

  describe(`a large answer over HTTP/${protocol}`, () => {
    const kilobyte = 1024;
    const count = 20 * 1024;

    /** A list of 20 MB as kept buffers that tells which is handed over. */
    function largeAnswer(): { readonly answer: HttpAnswer; taken(): number } {
      let taken = 0;
      const kept = Array.from({ length: count }, () => Buffer.alloc(kilobyte, "x"));
      const body = new Proxy(kept, {
        get(target, name) {
          if (typeof name === "string" && /^\d+$/.test(name)) taken = Number(name);
          return Reflect.get(target, name);
        },
      });
      return { answer: { status: 200, headers: {}, body }, taken: () => taken };
    }

    test("arrives whole", async (t) => {
      const { answer } = largeAnswer();
      const started = await start(t, () => answer, options);
      const incoming = await open(t, started, protocol);
      let bytes = 0;
      for await (const chunk of incoming) bytes += (chunk as Buffer).length;
      assert.equal(bytes, count * kilobyte);
    });

    test("holds no more than sockets do for a client that stops reading, and cuts it off", async (t) => {
      const { answer, taken } = largeAnswer();
      const gone = Promise.withResolvers<void>();
      const handle = (request: HttpRequest) => {
        if (request.path === "/small") return textAnswer("small");
        request.signal.addEventListener("abort", () => gone.resolve());
        return answer;
      };
      const started = await start(t, handle, { ...options, times: { stalledMs: 300 } });
      const incoming = await open(t, started, protocol);
      incoming.pause();
      const other = await open(t, started, protocol, "/small");
      assert.equal(String((await once(other, "data"))[0]), "small");
      await gone.promise;
      // Loopback sockets take a few MB; the rest was never handed over.
      assert.ok(taken() < count / 2, `${taken()} KB were handed over`);
    });
  });
}

test("an HTTP/2 session lives through bursts of thousands of cancelled streams", async (t) => {
  let open = 0;
  const started = await start(
    t,
    (request) => {
      if (request.path === "/") return textAnswer("x");
      return stream((sink) => {
        open++;
        sink.onClose(() => open--);
      });
    },
    { http2: true },
  );
  const session = connectHttp2(`https://127.0.0.1:${started.listener.port}`, { ca: started.files.authority.cert });
  t.after(() => session.destroy());
  session.setMaxListeners(0);
  await once(session, "remoteSettings");
  for (let burst = 0; burst < 3; burst++) {
    const asked = Array.from({ length: 2500 }, () => session.request({ ":path": "/watch" }).on("error", () => {}));
    await Promise.all(asked.map((one) => once(one, "response")));
    assert.equal(open, 2500);
    const closed = Promise.all(asked.map((one) => once(one, "close")));
    for (const one of asked) one.close(constants.NGHTTP2_CANCEL);
    await closed;
    const other = session.request({ ":path": "/" });
    assert.equal(String((await once(other, "data"))[0]), "x");
    assert.equal(open, 0);
  }
});

test("createListener() cuts an answer whose stream fails to start", async (t) => {
  const started = await start(t, () =>
    stream(() => {
      throw new Error("no");
    }),
  );
  await assert.rejects(async () => {
    for await (const chunk of await open(t, started, "1.1")) assert.fail(String(chunk));
  });
  assert.equal(started.logged[0]?.message, "a stream failed to start");
});
