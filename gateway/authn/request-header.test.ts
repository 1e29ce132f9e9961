/** Headers that name a user, and everything that must not be believed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type AuthenticationOptions, createAuthentication, type RequestHeaderOptions } from "./authn.ts";
import {
  clientAuth,
  cn,
  end,
  type Issued,
  issue,
  midday,
  org,
  peer,
  request,
  serverAuth,
} from "./certificates.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "annex-request-header-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const proxyCa = await issue({ subject: [cn("front-proxy-ca")], ca: true });
const clientCa = await issue({ subject: [cn("client-ca")], ca: true });
const proxy = await issue({ subject: [cn("front-proxy-client")], by: proxyCa, usages: [clientAuth] });
const admin = await issue({ subject: [org("system:masters"), cn("admin")], by: clientCa, usages: [clientAuth] });
const files = { proxy: file("proxy.crt", proxyCa.pem), client: file("client.crt", clientCa.pem) };
const tokenFile = file("tokens", "t1,ann,7");

function create(rules: Partial<RequestHeaderOptions> = {}, options: Partial<AuthenticationOptions> = {}) {
  const lines: string[] = [];
  const changed = new Map<string, () => void>();
  const authentication = createAuthentication({
    requestHeader: {
      clientCaFile: files.proxy,
      allowedNames: ["front-proxy-client"],
      usernameHeaders: ["X-Remote-User"],
      uidHeaders: ["X-Remote-Uid"],
      groupHeaders: ["X-Remote-Group"],
      extraHeaderPrefixes: ["X-Remote-Extra-"],
      ...rules,
    },
    clientCaFile: files.client,
    tokenFile,
    anonymous: true,
    clock: () => midday,
    log: { info() {}, warn: (fields) => lines.push((fields as { error: string }).error), error() {} },
    watchFile: (path, onChange) => {
      changed.set(path, onChange);
      return { close() {} };
    },
    ...options,
  });
  const asked = async (headers: Parameters<typeof request>[0], ...chain: Issued[]) =>
    await authentication.authenticate(request(headers, peer(...chain)));
  return { ...authentication, asked, lines, changed };
}

const headers = { "X-Remote-User": "ann", "X-Remote-Group": ["dev", "", "ops"], "X-Remote-Uid": "7" };
const unauthorized = { name: "StatusError", status: { code: 401, reason: "Unauthorized", message: "Unauthorized" } };

test("authenticate() believes the front proxy about name, uid, groups and extra", async () => {
  const { asked } = create();
  const { user } = await asked(
    {
      ...headers,
      "X-Remote-Extra-Example.org%2fScope": ["a", "b"],
      "x-remote-extra-__proto__": "c",
      "x-remote-extra-50%": "d",
      "X-Remote-Extra-Name": Buffer.from("ä").toString("latin1"),
    },
    proxy,
  );
  assert.deepEqual([user.name, user.uid], ["ann", "7"]);
  assert.deepEqual(user.groups, ["dev", "ops", "system:authenticated"]);
  assert.deepEqual(Object.entries(user.extra), [
    ["example.org/scope", ["a", "b"]],
    ["__proto__", ["c"]],
    ["50%", ["d"]],
    ["name", ["ä"]],
  ]);
});

test("authenticate() takes the first user and uid that have a value, in the order of the headers' names", async () => {
  const { asked } = create({ usernameHeaders: ["X-First", "X-Remote-User"], groupHeaders: ["X-B", "X-A"] });
  const of = async (more: Record<string, string | string[]>) => (await asked({ ...headers, ...more }, proxy)).user;
  assert.equal((await of({ "X-First": "" })).name, "ann");
  assert.equal((await of({ "X-First": "eve" })).name, "eve");
  assert.equal((await of({ "X-Remote-User": ["one", "two"] })).name, "one");
  const { groups } = await of({ "X-A": ["1", "2"], "x-b": "3" });
  assert.deepEqual(groups, ["3", "1", "2", "system:authenticated"]);
});

test("authenticate() takes no uid unless a header for it is named", async () => {
  assert.equal((await create({ uidHeaders: [] }).asked(headers, proxy)).user.uid, "");
});

test("authenticate() doesn't look at the headers of anybody else", async () => {
  const { asked } = create();
  assert.equal((await asked(headers)).user.name, "system:anonymous");
  assert.equal((await asked(headers, admin)).user.name, "admin");
  assert.equal((await asked({ ...headers, Authorization: "Bearer t1" })).user.name, "ann");
  const other = await issue({ subject: [cn("front-proxy-client")], by: clientCa, usages: [clientAuth] });
  assert.equal((await asked({ ...headers, "X-Remote-User": "root" }, other)).user.name, "front-proxy-client");
});

test("authenticate() refuses whoever poses as the front proxy", async () => {
  const { asked, lines } = create();
  const named = [cn("front-proxy-client")];
  for (const certificate of [
    await issue({ subject: named, usages: [clientAuth] }),
    await issue({ subject: named, by: proxyCa, usages: [serverAuth] }),
    await issue({ subject: named, by: proxyCa, usages: [clientAuth], notAfter: new Date(midday.getTime() - 1000) }),
    await issue({ subject: [cn("somebody")], by: proxyCa, usages: [clientAuth] }),
    await issue({ subject: [org("front-proxy-client")], by: proxyCa, usages: [clientAuth] }),
  ]) {
    await assert.rejects(asked(headers, certificate), unauthorized);
  }
  const whys = lines.map((line) => line.split(", verifying")[0]?.replace(/^.*failed: /, ""));
  assert.deepEqual(whys, [
    "x509: certificate signed by unknown authority",
    "x509: certificate specifies an incompatible key usage",
    "x509: certificate has expired or is not yet valid: current time 2026-01-01T12:00:00Z is after 2026-01-01T11:59:59Z",
    "x509: subject with cn=somebody is not in the allowed list",
    "x509: subject with cn= is not in the allowed list",
  ]);
});

test("authenticate() doesn't make the front proxy itself a user", async () => {
  const { asked } = create();
  await assert.rejects(asked({}, proxy), unauthorized);
  await assert.rejects(asked({ "X-Remote-User": "" }, proxy), unauthorized);
  assert.equal((await asked({ authorization: "Bearer t1" }, proxy)).user.name, "ann");
});

test("authenticate() lets any certificate of that authority be the front proxy if no names are given", async () => {
  const any = await issue({ subject: [cn("any")], by: proxyCa, usages: [clientAuth] });
  assert.equal((await create({ allowedNames: [] }).asked(headers, any)).user.name, "ann");
});

test("authenticate() prefers the front proxy's word to a token that comes along", async () => {
  const { user } = await create().asked({ ...headers, "X-Remote-User": "eve", authorization: "Bearer t1" }, proxy);
  assert.equal(user.name, "eve");
});

test("authenticate() looks at time and authority with each request of a connection that stays open", async () => {
  let now = midday;
  const told = Promise.withResolvers<void>();
  const path = file("rotating.crt", proxyCa.pem);
  const { authenticate, changed, clientCas, onClientCas } = create({ clientCaFile: path }, { clock: () => now });
  onClientCas(told.resolve);
  const connection = peer(proxy);
  const ask = async () => (await authenticate(request(headers, connection))).user.name;
  assert.equal(await ask(), "ann");
  now = new Date(end.getTime() + 1);
  await assert.rejects(ask(), unauthorized);
  now = midday;
  assert.equal(await ask(), "ann");
  const next = await issue({ subject: [cn("front-proxy-ca-2")], ca: true });
  writeFileSync(path, next.pem);
  changed.get(path)?.();
  await told.promise;
  await assert.rejects(ask(), unauthorized);
  assert.ok(clientCas().includes(next.pem.trim()) && clientCas().includes(clientCa.pem.trim()));
  assert.ok(!clientCas().includes(proxyCa.pem.trim()));
});

test("authenticate() passes the request on without what said who asks", async () => {
  const { asked } = create({ usernameHeaders: ["X-Who"] });
  const sent = {
    "X-Who": "ann",
    "X-REMOTE-USER": ["a", "b"],
    "x-remote-uid": "1",
    "X-Remote-Group": "g",
    "X-Remote-Extra-Key": "e",
    Authorization: ["Bearer t1", "Basic x"],
    Accept: "text/plain",
    "X-Remote-Users": "kept",
  };
  for (const chain of [[proxy], [admin], []]) {
    const { request: passed } = await asked(sent, ...chain);
    const kept = [
      ["accept", "text/plain"],
      ["x-remote-users", "kept"],
    ];
    assert.deepEqual(passed.rawHeaders, kept);
    assert.equal(passed.header("x-remote-user"), undefined);
    assert.deepEqual(passed.headers("x-remote-group"), []);
    assert.equal(passed.header("accept"), "text/plain");
    assert.equal(passed.signal.aborted, false);
    assert.equal((await passed.body()).length, 0);
  }
});

test("createAuthentication() refuses to make every client a front proxy", () => {
  const both = file("both.crt", `${proxyCa.pem}\n${clientCa.pem}`);
  const why = /^the front proxy's authority and the clients' share a certificate; /;
  assert.throws(() => create({ clientCaFile: both, allowedNames: [] }), { message: why });
  create({ clientCaFile: both });
});
