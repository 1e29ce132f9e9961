import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type AuthenticationOptions, createAuthentication } from "./authn.ts";
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
  uid,
} from "./certificates.fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "annex-authn-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
function file(text: string): string {
  const path = join(folder, `${files++}`);
  writeFileSync(path, text);
  return path;
}

const root = await issue({ subject: [cn("root")], ca: true });
const admin = await issue({ subject: [org("system:masters"), cn("admin")], by: root, usages: [clientAuth] });

/** An authentication with its log's lines, and a way to say that a file changed. */
function create(options: Partial<AuthenticationOptions> = {}) {
  const lines: string[] = [];
  const changed = new Map<string, () => void>();
  const say = (level: string) => (fields: object, text: string) =>
    lines.push(`${level} ${text} ${JSON.stringify(fields)}`);
  const authentication = createAuthentication({
    anonymous: true,
    clock: () => midday,
    log: { info: say("info"), warn: say("warn"), error: say("error") },
    watchFile: (path, onChange) => {
      changed.set(path, onChange);
      return { close: () => changed.delete(path) };
    },
    ...options,
  });
  return { ...authentication, lines, changed };
}

const bearer = (value: string) => request({ authorization: value });
const unauthorized = { name: "StatusError", status: { code: 401, reason: "Unauthorized", message: "Unauthorized" } };
const tokens = file('t1,ann,7,"dev,ops, ""x"""\nt2,bob,8\n');
const clientCaFile = file(root.pem);

test("authenticate() knows a client certificate by CN and O", async () => {
  const { authenticate } = create({ clientCaFile });
  const fingerprint = createHash("sha256").update(admin.raw).digest("hex");
  const { user, warnings } = await authenticate(request({}, peer(admin)));
  assert.deepEqual(user, {
    name: "admin",
    uid: "",
    groups: ["system:masters", "system:authenticated"],
    extra: { "authentication.kubernetes.io/credential-id": [`X509SHA256=${fingerprint}`] },
  });
  assert.deepEqual(warnings, []);
});

test("authenticate() reads odd subjects as they are", async () => {
  const { authenticate } = create({ clientCaFile });
  const userOf = async (certificate: Issued) => (await authenticate(request({}, peer(certificate)))).user;
  const odd = [cn("first"), org('dev=ops, "x"'), org("a\\,b+c"), org("ä\nCN=root"), uid("u-1"), cn("last/CN=x")];
  const user = await userOf(await issue({ subject: odd, by: root }));
  assert.equal(user.name, "last/CN=x");
  assert.equal(user.uid, "u-1");
  assert.deepEqual(user.groups, ['dev=ops, "x"', "a\\,b+c", "ä\nCN=root", "system:authenticated"]);
  const bmp = { oid: Buffer.from("550403", "hex"), tag: 0x1e, value: Buffer.from("00e4", "hex") };
  assert.equal((await userOf(await issue({ subject: [bmp], by: root }))).name, "ä");
});

test("authenticate() takes a certificate without CN for no credentials", async () => {
  const nameless = await issue({ subject: [org("system:masters")], by: root });
  const { user } = await create({ clientCaFile }).authenticate(request({}, peer(nameless)));
  assert.deepEqual(user, { name: "system:anonymous", uid: "", groups: ["system:unauthenticated"], extra: {} });
});

test("authenticate() refuses certificates that don't verify, and tells only the log why", async () => {
  const { authenticate, lines } = create({ clientCaFile });
  const refuse = (...chain: Issued[]) => assert.rejects(authenticate(request({}, peer(...chain))), unauthorized);
  await refuse(await issue({ subject: [cn("x")] }));
  await refuse(await issue({ subject: [cn("x")], by: root, usages: [serverAuth] }));
  await refuse(await issue({ subject: [cn("x"), uid("1"), uid("2")], by: root }));
  await refuse(await issue({ subject: [cn("x"), uid("")], by: root }));
  const reasons = lines.map((line) => /"error":"(?:verifying certificate SN=\d+ failed: )?([^"]*)/.exec(line)?.[1]);
  assert.deepEqual(reasons, [
    "x509: certificate signed by unknown authority",
    "x509: certificate specifies an incompatible key usage",
    "expected 1 UID, but found multiple: [1 2]",
    "UID cannot be an empty string",
  ]);
});

test("authenticate() looks at the time again for a chain that it knows", async () => {
  let now = midday;
  const { authenticate } = create({ clientCaFile, clock: () => now });
  assert.equal((await authenticate(request({}, peer(admin)))).user.name, "admin");
  now = new Date(end.getTime() + 1);
  await assert.rejects(authenticate(request({}, peer(admin))), unauthorized);
  now = midday;
  assert.equal((await authenticate(request({}, peer(admin)))).user.name, "admin");
});

test("authenticate() knows a bearer token, in whatever case its scheme is", async () => {
  const { authenticate } = create({ tokenFile: tokens });
  const { user } = await authenticate(bearer(" bEaReR t1 and more "));
  assert.deepEqual(user, { name: "ann", uid: "7", groups: ["dev", "ops", ' "x"', "system:authenticated"], extra: {} });
  assert.deepEqual((await authenticate(bearer("Bearer t2"))).user.groups, ["system:authenticated"]);
});

test("authenticate() refuses a token that nobody has, and doesn't log it", async () => {
  const { authenticate, lines } = create({ tokenFile: tokens });
  await assert.rejects(authenticate(bearer("Bearer s3cret")), unauthorized);
  assert.deepEqual(lines, [
    'warn unable to authenticate a request {"error":"invalid bearer token","remoteAddress":"192.0.2.1"}',
  ]);
});

test("authenticate() ignores other schemes and empty tokens, and warns of two spaces", async () => {
  const { authenticate } = create({ tokenFile: tokens });
  for (const header of ["Basic t1", "Bearer", "Bearer ", "t1", ""]) {
    const { user, warnings } = await authenticate(bearer(header));
    assert.deepEqual([user.name, warnings], ["system:anonymous", []], header);
  }
  assert.deepEqual((await authenticate(bearer("Bearer  t1"))).warnings, [
    "the provided Authorization header contains extra space before the bearer token, and is ignored",
  ]);
});

test("authenticate() tries all: one that knows the user outweighs one that fails", async () => {
  const { authenticate } = create({ clientCaFile, tokenFile: tokens });
  const stranger = peer(await issue({ subject: [cn("x")] }));
  const { user } = await authenticate(request({ authorization: "Bearer t1" }, stranger));
  assert.equal(user.name, "ann");
  const first = await authenticate(request({ authorization: "Bearer wrong" }, peer(admin)));
  assert.equal(first.user.name, "admin");
});

test("authenticate() never makes wrong credentials anonymous", async () => {
  const { authenticate } = create({ clientCaFile, tokenFile: tokens });
  const stranger = peer(await issue({ subject: [cn("x")] }));
  await assert.rejects(authenticate(request({}, stranger)), unauthorized);
});

test("authenticate() refuses missing credentials where nobody may be anonymous", async () => {
  await assert.rejects(create({ anonymous: false }).authenticate(request({})), unauthorized);
});

test("authenticate() asks further authenticators last, and adds no group twice", async () => {
  const user = (name: string, ...groups: string[]) => ({ name, uid: "", groups, extra: {} });
  const groupsOf = async (name: string, ...groups: string[]) =>
    (await create({ more: [() => user(name, ...groups)] }).authenticate(request({}))).user.groups;
  assert.deepEqual(await groupsOf("u", "a"), ["a", "system:authenticated"]);
  assert.deepEqual(await groupsOf("u", "system:authenticated"), ["system:authenticated"]);
  assert.deepEqual(await groupsOf("u", "system:unauthenticated"), ["system:unauthenticated"]);
  assert.deepEqual(await groupsOf("system:anonymous"), []);
});

test("createAuthentication() takes new authorities when the file changes, and tells TLS", async () => {
  const path = file(root.pem);
  const other = await issue({ subject: [cn("other")], ca: true });
  const theirs = await issue({ subject: [cn("them")], by: other });
  const told = Promise.withResolvers<string>();
  const { authenticate, changed, clientCas, onClientCas, close } = create({ clientCaFile: path });
  onClientCas(() => told.resolve(clientCas()));
  assert.equal(clientCas(), root.pem);
  assert.equal((await authenticate(request({}, peer(admin)))).user.name, "admin");
  writeFileSync(path, other.pem);
  changed.get(path)?.();
  assert.equal(await told.promise, other.pem);
  assert.equal((await authenticate(request({}, peer(theirs)))).user.name, "them");
  await assert.rejects(authenticate(request({}, peer(admin))), unauthorized);
  close();
  assert.equal(changed.size, 0);
});

test("createAuthentication() keeps the last good content of a file", async () => {
  const path = file("t,u,1");
  const refused = Promise.withResolvers<string>();
  const { authenticate, changed } = create({
    tokenFile: path,
    log: { info() {}, warn() {}, error: (fields) => refused.resolve(JSON.stringify(fields)) },
  });
  writeFileSync(path, 't,"u');
  changed.get(path)?.();
  const why = { file: path, error: `${path}:1: a quote in the wrong place, or one that is missing` };
  assert.equal(await refused.promise, JSON.stringify(why));
  assert.equal((await authenticate(bearer("Bearer t"))).user.name, "u");
});

test("createAuthentication() says which file it can't take", () => {
  const none = join(folder, "none");
  assert.throws(() => create({ tokenFile: none }), { message: new RegExp(`^could not read ${none}: ENOENT`) });
  const empty = file("no certificate here");
  assert.throws(() => create({ clientCaFile: empty }), {
    message: `client CA file ${empty}: it holds no PEM block of type CERTIFICATE`,
  });
  const short = file("\nt,u\n");
  assert.throws(() => create({ tokenFile: short }), {
    message: `${short}:2: token file must have at least 3 columns (token, user name, user uid), found 2`,
  });
});
