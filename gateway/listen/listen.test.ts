import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { issueAuthority, issueClient } from "../../test/support/certificates.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { HttpRequest } from "../apimachinery/http.ts";
import { badRequest } from "../apimachinery/status.ts";
import { bare, client, exchange, start, textAnswer, untilEnd } from "./listen.testing.ts";
import { createListener } from "./listen.ts";

const protocols = ["1.1", "2.0"] as const;
const tooLarge =
  '{"apiVersion":"v1","code":413,"kind":"Status","message":"Request entity too large: limit is 1000",' +
  '"metadata":{},"reason":"RequestEntityTooLarge","status":"Failure"}';

/** The subjects of a request's client certificates, leaf first. */
function subjectsOf(request: HttpRequest): string[] {
  const subjects: string[] = [];
  for (let at = request.peerCertificate(); at !== undefined; at = at.issuer) {
    subjects.push(new X509Certificate(at.raw).subject);
  }
  return subjects;
}

test("an answer that ends its connection says so over HTTP/1.1, and ends an HTTP/2 session behind its streams", async (t) => {
  const slow = Promise.withResolvers<void>();
  const started = await start(
    t,
    async ({ path }) => {
      if (path === "/slow") await slow.promise;
      return { ...textAnswer(path), endsConnection: path === "/last" };
    },
    { http2: true },
  );
  const http1 = await client(started, "1.1");
  assert.equal((await http1.ask({ path: "/last" })).headers.connection, "close");
  assert.equal((await http1.ask({ path: "/more" })).headers.connection, "keep-alive");
  http1.close();
  const session = connectHttp2(`https://127.0.0.1:${started.listener.port}`, { ca: started.files.authority.cert });
  const ask = (path: string) => text(session.request({ ":path": path }));
  const pending = ask("/slow");
  const ended = once(session, "goaway");
  assert.equal(await ask("/last"), "/last");
  await ended;
  slow.resolve();
  assert.equal(await pending, "/slow");
  await once(session, "close");
});

for (const protocol of protocols) {
  const options = { http2: protocol === "2.0" };

  describe(`createListener() over HTTP/${protocol}`, () => {
    test("hands over the request as it was sent and writes the answer whole", async (t) => {
      const seen: HttpRequest[] = [];
      const started = await start(
        t,
        async (request) => {
          seen.push(request);
          return textAnswer(`${request.method} ${String(await request.body())}`, { "X-Two": ["a", "b"] });
        },
        options,
      );
      const { ask, close } = await client(started, protocol);
      const answer = await ask({
        method: "POST",
        path: "/a%2Fb//%zz?x=1&x=%20",
        headers: { "X-Many": ["one", "two"], "content-type": ";;;" },
        body: Buffer.from("body"),
      });
      assert.equal(answer.body, "POST body");
      assert.equal(answer.headers["content-length"], "9");
      assert.equal(answer.headers["x-two"], "a, b");
      assert.ok(answer.headers.date);
      const [request] = seen;
      assert.deepEqual(
        [request?.uri, request?.path, request?.query, request?.httpVersion],
        ["/a%2Fb//%zz?x=1&x=%20", "/a%2Fb//%zz", "x=1&x=%20", protocol],
      );
      assert.deepEqual(request?.headers("x-many"), ["one", "two"]);
      assert.equal(request?.header("x-many"), "one");
      assert.equal(request?.header("nothing"), undefined);
      assert.equal(request?.remoteAddress, "127.0.0.1");
      close();
    });

    test("hands over methods that no framework routes", async (t) => {
      const started = await start(t, (request) => textAnswer(request.method), options);
      const { ask, close } = await client(started, protocol);
      const methods = ["OPTIONS", "TRACE", "PROPFIND", "QUERY", ...(protocol === "2.0" ? ["BREW"] : [])];
      for (const method of methods) assert.equal((await ask({ method })).body, method);
      close();
    });

    test("answers HEAD with the headers of GET alone", async (t) => {
      const started = await start(t, () => textAnswer("four"), options);
      const { ask, close } = await client(started, protocol);
      const { body, headers } = await ask({ method: "HEAD" });
      assert.deepEqual([body, headers["content-length"]], ["", "4"]);
      close();
    });

    test("writes header values as Go does: UTF-8, line ends as spaces", async (t) => {
      const started = await start(
        t,
        () => textAnswer("", { Warning: ['299 - "ü€\n\u0000x"', "299 - plain"] }),
        options,
      );
      const { ask, close } = await client(started, protocol);
      const { warning } = (await ask()).headers;
      assert.equal(Buffer.from(String(warning), "latin1").toString(), '299 - "ü€  x", 299 - plain');
      close();
    });

    test("refuses a body over the limit, told or found, and goes on for others", async (t) => {
      const started = await start(t, async (request) => textAnswer(`${(await request.body()).length}`), {
        ...options,
        maxBodyBytes: 1000,
      });
      const { ask, close } = await client(started, protocol);
      const body = Buffer.alloc(8 * 1024 * 1024);
      for (const headers of [{ "Content-Length": body.length }, {}]) {
        const answer = await ask({ method: "POST", body, headers });
        assert.deepEqual([answer.status, answer.body], [413, tooLarge]);
      }
      const small = await ask({ method: "POST", body: body.subarray(0, 1000) });
      assert.deepEqual([small.status, small.body], [200, "1000"]);
      close();
    });

    test("turns an escaped StatusError into its Status and anything else into a panic's text", async (t) => {
      const started = await start(
        t,
        (request) => {
          throw request.path === "/bad" ? badRequest("no") : new Error("secret");
        },
        options,
      );
      const { ask, close } = await client(started, protocol);
      assert.equal((await ask({ path: "/bad" })).status, 400);
      assert.equal(started.logged.length, 0);
      const panic = await ask({ path: "/x?token=y" });
      assert.deepEqual(
        [panic.status, panic.headers["content-type"], panic.body],
        [500, "text/plain; charset=utf-8", "This request caused apiserver to panic. Look in the logs for details.\n"],
      );
      const { err, uri } = started.logged[0]?.fields ?? {};
      assert.deepEqual([(err as Error).message, uri], ["secret", "/x"]);
      close();
    });

    test("goes on after an answer that can't be written", async (t) => {
      const started = await start(
        t,
        (request) => textAnswer("", request.path === "/bad" ? { "not a name": "x" } : {}),
        options,
      );
      const { ask, close } = await client(started, protocol);
      const failed = ask({ path: "/bad" });
      await assert.rejects(failed);
      assert.equal(started.logged[0]?.message, "an answer can't be written");
      assert.equal((await ask()).status, 200);
      close();
    });

    test("gives a connection's certificate chain, the same value each time", async (t) => {
      const seen: unknown[] = [];
      const started = await start(
        t,
        (request) => {
          seen.push(request.peerCertificate());
          return textAnswer("");
        },
        options,
      );
      const issued = await issueClient(started.files.authority, "jane");
      const shown = await client(started, protocol, { cert: issued.cert, key: issued.key });
      await shown.ask();
      await shown.ask();
      const silent = await client(started, protocol);
      await silent.ask();
      const [first, again, none] = seen as { raw: Buffer }[];
      assert.ok(first?.raw.equals(new X509Certificate(issued.cert).raw));
      assert.equal(first, again);
      assert.equal(none, undefined);
      shown.close();
      silent.close();
    });
  });
}

test("createListener() hands over the intermediates that a client showed, and names the CAs it knows", async (t) => {
  const started = await start(t, (request) => textAnswer(subjectsOf(request).join(" < ")));
  const { authority } = started.files;
  const middle = await issueAuthority("middle", authority);
  const { cert, key } = await issueClient(middle, "jane");
  let session: Buffer | undefined;
  // The second connection offers what it has of the first.
  for (let count = 0; count < 2; count++) {
    const socket = await bare(started, { cert: cert + middle.cert, key, ...(session && { session }) });
    socket.on("session", (fresh: Buffer) => {
      session = fresh;
    });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.equal((await untilEnd(socket)).split("\r\n\r\n")[1], "CN=jane < CN=middle < CN=test-ca");
  }
  // A client that has only a certificate of somebody else's is still served.
  const other = await issueAuthority("other");
  const foreign = await client(started, "1.1", await issueClient(other, "joe"));
  assert.equal((await foreign.ask()).body, "CN=joe");
  foreign.close();
});

test("createListener() asks for a body that is kept back only once somebody reads it", async (t) => {
  const started = await start(t, async (request) =>
    request.path === "/read" ? textAnswer(String(await request.body())) : textAnswer("unread"),
  );
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`;
  const socket = await bare(started);
  socket.write(head("/read"));
  const [go] = (await once(socket, "data")) as [Buffer];
  assert.equal(String(go), "HTTP/1.1 100 Continue\r\n\r\n");
  socket.write("body");
  assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nbody$/);
  socket.write(head("/unread"));
  assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nunread$/);
  socket.destroy();
});

test("createListener() answers a client that sends on, then ends its connection", async (t) => {
  const started = await start(t, () => textAnswer("no"), { times: { lingerMs: 30 } });
  const head = (bytes: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`;
  assert.match(await exchange(started, head(1_000_000)), /\r\nConnection: close\r\n[\s\S]*\r\n\r\nno$/);
  // A short rest is read, and the connection kept.
  const socket = await bare(started);
  socket.write(head(4));
  await once(socket, "data");
  socket.write(`body${head(0)}`);
  assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 200 OK\r\n/);
  socket.destroy();
});

test("createListener() takes a large body that comes while the answer before it drains", async (t) => {
  const large = Buffer.alloc(1024 * 1024, "x");
  const started = await start(t, async (request) =>
    textAnswer(request.method === "GET" ? large.toString() : `took ${(await request.body()).length}\n`),
  );
  const socket = await bare(started);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "readable");
  // The answer fills every buffer on its way; what comes now meets a socket that must drain first.
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${large.length}\r\n\r\n`);
  socket.write(large);
  assert.match(await untilEnd(socket), /took 1048576\n$/);
});

test("createListener() goes on with a connection whose next request came while an answer drained", async (t) => {
  const large = "x".repeat(4 * 1024 * 1024);
  const started = await start(t, ({ path }) => textAnswer(path === "/large" ? large : `answer to ${path}\n`));
  const socket = await bare(started);
  const get = (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  get("/large");
  await once(socket, "readable");
  // The answer fills every buffer on its way.
  get("/second");
  await new Promise<void>((resolve) => setTimeout(resolve, 100));
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  for (const [asked, next] of [
    ["/second", "/third"],
    ["/third", "/fourth"],
    ["/fourth", undefined],
  ] as const) {
    await eventually(() => text.endsWith(`answer to ${asked}\n`), `${asked} is answered`);
    if (next !== undefined) get(next);
  }
  socket.destroy();
});

test("createListener() answers what is no HTTP with a line of text", async (t) => {
  const started = await start(t, () => textAnswer(""));
  const answer = (line: string) =>
    `HTTP/1.1 ${line}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${line}`;
  assert.equal(await exchange(started, "nonsense\r\n\r\n"), answer("400 Bad Request"));
  assert.equal(await exchange(started, "BREW / HTTP/1.1\r\n\r\n"), answer("400 Bad Request"));
  assert.equal(await exchange(started, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), answer("405 Method Not Allowed"));
  const long = `GET / HTTP/1.1\r\nX: ${"x".repeat(1024 * 1024)}\r\n\r\n`;
  assert.equal(await exchange(started, long), answer("431 Request Header Fields Too Large"));
});

for (const protocol of ["1.1", "2"]) {
  test(`createListener() over HTTP/${protocol} cuts clients that are slow to ask`, async (t) => {
    const started = await start(t, async (request) => textAnswer(String(await request.body())), {
      http2: protocol === "2",
      // Long enough for who asks to have said its part on a busy machine: an answer that crosses it would be lost.
      times: { headersMs: 1_000, requestMs: 1_000, checkMs: 50 },
    });
    const answers = [
      exchange(started, "GET / HTTP/1.1\r\nHost:"),
      exchange(started, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo"),
      untilEnd(await bare(started)),
    ];
    const [inHead = "", inBody = "", silent] = await Promise.all(answers);
    assert.match(inHead, /^HTTP\/1\.1 408 Request Timeout\r\n/);
    assert.match(inBody, /^HTTP\/1\.1 408 Request Timeout\r\n/);
    assert.equal(
      silent,
      "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n408 Request Timeout",
    );
  });
}

test("createListener() says in a sentence that a port is taken", async (t) => {
  const { files } = await start(t, () => textAnswer(""));
  const taken = createServer().listen(0, "127.0.0.1");
  t.after(() => taken.close());
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const options = { ...files, host: "127.0.0.1", port, clientCas: () => "", http2: false };
  const log = { info() {}, warn() {}, error() {} };
  await assert.rejects(createListener({ ...options, handle: () => textAnswer(""), log }), {
    message: `127.0.0.1:${port} is in use by another process`,
  });
});

test("figures() tells connections, handshakes that failed, and until when the certificate is good", async (t) => {
  const started = await start(t, () => textAnswer("ok"));
  const { listener, files } = started;
  const kept = await client(started, "1.1");
  await kept.ask();
  assert.deepEqual([listener.figures().connections, listener.figures().failedHandshakes], [1, 0]);
  const plain = connect({ host: "127.0.0.1", port: listener.port }, () => plain.write("GET / HTTP/1.1\r\n\r\n"));
  plain.on("error", () => {});
  plain.resume();
  await once(plain, "close");
  kept.close();
  await eventually(() => listener.figures().connections === 0, "both connections are gone");
  assert.equal(listener.figures().failedHandshakes, 1);
  const { validToDate } = new X509Certificate(readFileSync(files.certFile));
  assert.deepEqual(listener.figures().certificateEnd, validToDate);
});
