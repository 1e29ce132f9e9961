import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { createServingFolder, issueClient } from "../../test/support/certificates.ts";
import { createKubeClient, type KubeEndpoint, KubeError, review } from "./kubeclient.ts";

type Answer = (request: IncomingMessage, reply: ServerResponse, body: string) => void;

/** A host that answers as it is told, and a client of it. */
async function serve(t: TestContext, answer: Answer, endpoint: Partial<KubeEndpoint> = {}) {
  const { authority, certFile, keyFile, folder } = await createServingFolder(t);
  const options = {
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    requestCert: true,
    rejectUnauthorized: false,
  };
  const server = createServer(options, async (request, reply) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    answer(request, reply, body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const client = createKubeClient(
    {
      server: new URL(`https://localhost:${(server.address() as AddressInfo).port}/prefix/`),
      serverName: undefined,
      ca: { text: authority.cert },
      skipVerify: false,
      clientCertificate: undefined,
      clientKey: undefined,
      token: undefined,
      ...endpoint,
    },
    { userAgent: "annex/test" },
  );
  t.after(() => client.close());
  return { client, authority, folder };
}

const sayJson = (reply: ServerResponse, code: number, value: object, headers: Record<string, string> = {}) => {
  reply.writeHead(code, { "Content-Type": "application/json", ...headers });
  reply.end(JSON.stringify(value));
};

test("request() sends method, path, query, body and token, and gives the answer", async (t) => {
  const { client } = await serve(
    t,
    (request, reply, body) => {
      const { authorization, accept, "user-agent": agent, "content-type": type } = request.headers;
      sayJson(reply, 201, {
        method: request.method,
        url: request.url,
        authorization,
        accept,
        agent,
        type,
        body: JSON.parse(body),
      });
    },
    { token: { text: "s3cret\n" } },
  );
  assert.deepEqual(await client.request({ method: "POST", path: "/a", query: { b: "c d" }, body: { e: 1 } }), {
    method: "POST",
    url: "/prefix/a?b=c+d",
    authorization: "Bearer s3cret",
    accept: "application/json",
    agent: "annex/test",
    type: "application/json",
    body: { e: 1 },
  });
});

test("request() shows the client certificate", async (t) => {
  const files = { clientCertificate: { file: "" }, clientKey: { file: "" } };
  const subjectOf: Answer = (request, reply) =>
    sayJson(reply, 200, { name: (request.socket as TLSSocket).getPeerCertificate().subject?.CN ?? "" });
  const { client, authority, folder } = await serve(t, subjectOf, files);
  const { cert, key } = await issueClient(authority, "annex");
  Object.assign(files.clientCertificate, { file: join(folder, "client.crt") });
  Object.assign(files.clientKey, { file: join(folder, "client.key") });
  writeFileSync(join(folder, "client.crt"), cert);
  writeFileSync(join(folder, "client.key"), key);
  assert.deepEqual(await client.request({ method: "GET", path: "/" }), { name: "annex" });
});

test("request() gives a Status's message and reason, and when to come back", async (t) => {
  const { client } = await serve(t, (request, reply) => {
    if (request.url === "/prefix/text") reply.writeHead(503).end("no backend\n");
    else if (request.url === "/prefix/moved") reply.writeHead(302, { Location: "https://elsewhere/" }).end();
    else if (request.url === "/prefix/list") reply.end("[]");
    else {
      const status = { kind: "Status", message: "slow down", reason: "TooManyRequests" };
      sayJson(reply, 429, status, { "Retry-After": "3" });
    }
  });
  const get = (path: string) => client.request({ method: "GET", path });
  const busy = {
    code: 429,
    reason: "TooManyRequests",
    retryAfterMs: 3000,
    message: "the answer was 429: slow down",
  };
  await assert.rejects(get("/"), busy);
  await assert.rejects(get("/text"), { code: 503, message: "the answer was 503: no backend" });
  await assert.rejects(get("/moved"), { code: 302 });
  await assert.rejects(get("/list"), { code: 0, message: "GET /list: the answer is no JSON object" });
});

test("request() ends at its deadline, also in the middle of an answer, and when the client is closed", async (t) => {
  const { client } = await serve(t, (request, reply) => {
    if (request.url === "/prefix/half") reply.write("{");
  });
  const late = { code: 0, message: /The operation was aborted due to timeout$/ };
  await assert.rejects(client.request({ method: "GET", path: "/none", timeoutMs: 30 }), late);
  await assert.rejects(client.request({ method: "GET", path: "/half", timeoutMs: 29.5 }), late);
  const open = client.request({ method: "GET", path: "/none" });
  setImmediate(() => client.close());
  await assert.rejects(open, { message: "the client of the host cluster is closed" });
});

test("request() talks to nobody but the server that the authority names", async (t) => {
  const { client } = await serve(t, (_, reply) => reply.end("{}"), { serverName: "elsewhere" });
  await assert.rejects(client.request({ method: "GET", path: "/" }), { code: 0, message: /altnames: Host: elsewhere/ });
});

test("lines() gives lines as they come, whatever the packets, and the loop's end ends the request", async (t) => {
  const gone = Promise.withResolvers<void>();
  const { client } = await serve(t, (_, reply) => {
    reply.once("close", gone.resolve);
    const euro = Buffer.from("€");
    reply.write(Buffer.concat([Buffer.from('"a"\n"'), euro.subarray(0, 1)]));
    setImmediate(() => reply.write(Buffer.concat([euro.subarray(1), Buffer.from('"\n\n"c"\n')])));
  });
  const lines: string[] = [];
  for await (const line of client.lines({ method: "GET", path: "/" })) {
    lines.push(line);
    if (lines.length === 3) break;
  }
  assert.deepEqual(lines, ['"a"', '"€"', '"c"']);
  await gone.promise;
});

test("review() asks again what may have been a hiccup, within its time, and nothing else", async () => {
  async function ask(timeoutMs: number, ...answers: readonly KubeError[]) {
    const left = [...answers];
    const pauses: number[] = [];
    const request = async () => {
      const answer = left.shift();
      if (answer !== undefined) throw answer;
      return { status: {} };
    };
    const pause = async (ms: number) => void pauses.push(ms);
    const outcome = await review({
      client: { request },
      path: "/",
      body: {},
      random: () => 0.5,
      timeoutMs,
      pause,
    }).catch((error: KubeError) => error.code);
    return { outcome, pauses: pauses.map(Math.round) };
  }
  const no = (code: number, retryAfterMs?: number) => new KubeError("no", code, { retryAfterMs });
  const cut = new KubeError("cut", 0, { cause: Object.assign(new Error("cut"), { code: "ECONNRESET" }) });
  assert.deepEqual(await ask(10_000, no(500), cut, no(503, 2000)), {
    outcome: { status: {} },
    pauses: [550, 825, 2000],
  });
  assert.deepEqual(await ask(10_000, no(403)), { outcome: 403, pauses: [] });
  assert.deepEqual(await ask(10_000, no(0)), { outcome: 0, pauses: [] });
  assert.deepEqual(await ask(400, no(500)), { outcome: 500, pauses: [] });
  const busy = [no(429), no(429), no(429), no(429), no(504)];
  assert.deepEqual(await ask(10_000, ...busy), { outcome: 504, pauses: [550, 825, 1238, 1856] });
});
