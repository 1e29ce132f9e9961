/** The front proxy's word over real sockets, and who else would like to have it; over HTTP/1.1 and HTTP/2. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { clientAuth, cn, type Issued, issue, serverAuth } from "../../gateway/authn/certificates.fixture.ts";
import { createAuthority, issueServerCertificate } from "../../gateway/certificates/certificates.ts";
import { createAuthentication, createAuthorizer, createGateway, type RunningGateway } from "../../gateway/main.ts";
import { eventually } from "../support/eventually.ts";

const path = "/apis/example.annex.dev/v1/namespaces/default/widgets";
const at = (ms: number) => new Date(Date.now() + ms);
const lasting = { notBefore: at(-60_000), notAfter: at(3_600_000) };

/** One connection. `as` gives the user that the gateway takes a request for, by its refusal; else the status. */
interface Connection {
  as(headers?: OutgoingHttpHeaders): Promise<string | number>;
  /** Whether it is the first one still. */
  isKept(): boolean;
  close(): void;
}

for (const protocol of ["HTTP/1.1", "HTTP/2"] as const) {
  describe(`a front proxy over ${protocol}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "annex-front-proxy-"));
    const file = (name: string, content: string) => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    };
    let gateway: RunningGateway;
    let ca: string;
    let proxyCa: Issued;
    let clientCa: Issued;
    const connections: Connection[] = [];
    /** How far the gateway's clock is ahead. */
    let aheadMs = 0;

    const open = async (certificate?: Issued): Promise<Connection> => {
      const pair = certificate === undefined ? {} : { cert: certificate.pem, key: await keyOf(certificate) };
      const connection = await (protocol === "HTTP/2" ? openHttp2 : openHttp1)(gateway.url, { ca, ...pair });
      connections.push(connection);
      return connection;
    };
    const client = (by: Issued, name: string, more: Partial<Parameters<typeof issue>[0]> = {}) =>
      issue({ subject: [cn(name)], by, usages: [clientAuth], ...lasting, ...more });

    before(async () => {
      const authority = await createAuthority("serving-ca");
      ca = authority.cert;
      proxyCa = await issue({ subject: [cn("front-proxy-ca")], ca: true, ...lasting });
      clientCa = await issue({ subject: [cn("client-ca")], ca: true, ...lasting });
      const serving = await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1"] });
      const log = { info() {}, warn() {}, error() {} };
      gateway = await createGateway({
        stores: [],
        authenticator: createAuthentication({
          requestHeader: {
            clientCaFile: file("front-proxy-ca.crt", proxyCa.pem),
            allowedNames: ["front-proxy"],
            usernameHeaders: ["X-Remote-User"],
            uidHeaders: ["X-Remote-Uid"],
            groupHeaders: ["X-Remote-Group"],
            extraHeaderPrefixes: ["X-Remote-Extra-"],
          },
          clientCaFile: file("client-ca.crt", clientCa.pem),
          anonymous: true,
          clock: () => at(aheadMs),
          log,
        }),
        authorizer: createAuthorizer({}),
        listener: {
          ...{ host: "127.0.0.1", port: 0, http2: protocol === "HTTP/2" },
          ...{ certFile: file("tls.crt", serving.cert), keyFile: file("tls.key", serving.key) },
        },
        log,
      });
    });
    after(async () => {
      for (const connection of connections) connection.close();
      await gateway.drain();
      rmSync(folder, { recursive: true, force: true });
    });

    test("is believed, the first of a doubled name counts, in any case", async () => {
      const connection = await open(await client(proxyCa, "front-proxy"));
      assert.equal(await connection.as({ "x-remote-user": "ann" }), "ann");
      const doubled = protocol === "HTTP/2" ? { "x-remote-user": ["ann", "eve"] } : { "X-REMOTE-user": ["ann", "eve"] };
      assert.equal(await connection.as(doubled), "ann");
      assert.equal(await connection.as({ "x-remote-user": "", "x-remote-group": "system:masters" }), 401);
      assert.equal(await connection.as(), 401);
      assert.ok(connection.isKept());
    });

    test("nobody else is", async () => {
      const headers = { "x-remote-user": "admin", "x-remote-group": "system:masters", "x-remote-uid": "0" };
      const other = await issue({ subject: [cn("other-ca")], ca: true, ...lasting });
      for (const [certificate, known] of [
        [undefined, "system:anonymous"],
        [await client(clientCa, "front-proxy"), "front-proxy"],
        [await client(other, "front-proxy"), 401],
        [await client(proxyCa, "somebody"), 401],
        [await client(proxyCa, "front-proxy", { usages: [serverAuth] }), 401],
        [await client(proxyCa, "front-proxy", { notAfter: at(-1_000) }), 401],
      ] as const) {
        assert.equal(await (await open(certificate)).as(headers), known);
      }
    });

    test("is believed no more once its certificate has expired, on the connection that it keeps", async () => {
      const connection = await open(await client(proxyCa, "front-proxy", { notAfter: at(600_000) }));
      assert.equal(await connection.as({ "x-remote-user": "ann" }), "ann");
      aheadMs = 601_000;
      const expired = await connection.as({ "x-remote-user": "ann" });
      aheadMs = 0;
      assert.equal(expired, 401);
      assert.ok(connection.isKept());
    });

    test("is believed no more once its authority is replaced, and the next one's is", async () => {
      const next = await issue({ subject: [cn("front-proxy-ca-2")], ca: true, ...lasting });
      const [old, renewed] = [
        await open(await client(proxyCa, "front-proxy")),
        await open(await client(next, "front-proxy")),
      ];
      assert.deepEqual(
        [await old.as({ "x-remote-user": "ann" }), await renewed.as({ "x-remote-user": "ann" })],
        ["ann", 401],
      );
      file("front-proxy-ca.crt", next.pem);
      await eventually(async () => (await renewed.as({ "x-remote-user": "ann" })) === "ann", "the new one counts");
      assert.equal(await old.as({ "x-remote-user": "ann" }), 401);
      assert.ok(old.isKept() && renewed.isKept());
    });

    test("a connection without a certificate and without a user ends over HTTP/2 alone", async () => {
      const connection = await open();
      assert.equal(await connection.as(), "system:anonymous");
      if (protocol === "HTTP/2") await eventually(() => !connection.isKept(), "the session ends");
      else assert.equal(await connection.as(), "system:anonymous");
      assert.equal(connection.isKept(), protocol === "HTTP/1.1");
    });
  });
}

interface Tls {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

async function openHttp1(url: string, tls: Tls): Promise<Connection> {
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  return {
    async as(headers = {}) {
      const asked = request(`${url}${path}`, { agent, headers });
      asked.once("socket", (socket) => sockets.add(socket));
      asked.end();
      const [reply] = await once(asked, "response");
      return knownBy(reply.statusCode, await text(reply));
    },
    isKept: () => sockets.size === 1,
    close: () => agent.destroy(),
  };
}

async function openHttp2(url: string, tls: Tls): Promise<Connection> {
  const session = connectHttp2(url, tls);
  await once(session, "connect");
  return {
    async as(headers = {}) {
      const stream = session.request({ ...headers, ":path": path });
      const [head] = await once(stream, "response");
      return knownBy(head[":status"], await text(stream));
    },
    isKept: () => !session.closed && !session.destroyed,
    close: () => session.destroy(),
  };
}

function knownBy(status: number, body: string): string | number {
  return status === 403 ? (/User "(.*?)" cannot list/.exec(JSON.parse(body).message)?.[1] ?? body) : status;
}

async function keyOf({ keys }: Issued): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
}
