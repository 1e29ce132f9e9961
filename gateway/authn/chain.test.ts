import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCertificate } from "./certificate.ts";
import {
  clientAuth,
  cn,
  encipherment,
  end,
  extension,
  host,
  type Issued,
  issue,
  midday,
  serverAuth,
  signing,
  start,
} from "./certificates.fixture.ts";
import { verifyChain } from "./chain.ts";

const root = await issue({ subject: [cn("root")], ca: true, keyUsage: signing });
const leaf = await issue({ subject: [cn("leaf")], by: root, usages: [clientAuth] });

const verify = (chain: readonly Issued[], now = midday, roots: readonly Issued[] = [root]) => {
  const [first = leaf, ...rest] = chain;
  const certificates = (list: readonly Issued[]) => list.map((one) => parseCertificate(one.raw));
  const options = { roots: certificates(roots), intermediates: certificates(rest), now };
  return verifyChain(parseCertificate(first.raw), options);
};
const length = (...args: Parameters<typeof verify>) => verify(...args).certificates.length;
const refuses = (args: Parameters<typeof verify>, message: string) => assert.throws(() => verify(...args), { message });
const unknown = (why: string) => `x509: certificate signed by unknown authority (possibly because of "${why}")`;

test("verifyChain() takes a leaf of the root, and says how long it holds", async () => {
  const short = await issue({ subject: [cn("x")], by: root, notAfter: midday });
  const { notBefore, notAfter, certificates } = verify([short]);
  assert.deepEqual([notBefore, notAfter, certificates.length], [start.getTime(), midday.getTime(), 2]);
});

test("verifyChain() takes a leaf without extended usage, and one for any", async () => {
  assert.equal(length([await issue({ subject: [cn("x")], by: root })]), 2);
  assert.equal(length([await issue({ subject: [cn("x")], by: root, usages: ["2.5.29.37.0"] })]), 2);
});

test("verifyChain() refuses before and after its time, at either end", async () => {
  const text = "x509: certificate has expired or is not yet valid: current time";
  const second = 1000;
  assert.equal(length([leaf], start), 2);
  assert.equal(length([leaf], end), 2);
  const early = new Date(start.getTime() - second);
  refuses([[leaf], early], `${text} 2025-12-31T23:59:59Z is before 2026-01-01T00:00:00Z`);
  refuses([[leaf], new Date(end.getTime() + second)], `${text} 2026-01-02T00:00:01Z is after 2026-01-02T00:00:00Z`);
  const old = await issue({ subject: [cn("old")], ca: true, notAfter: new Date(start.getTime() + second) });
  const fresh = await issue({ subject: [cn("x")], by: old });
  refuses([[fresh], midday, [old]], unknown(`${text} 2026-01-01T12:00:00Z is after 2026-01-01T00:00:01Z`));
});

test("verifyChain() refuses an authority that it doesn't know", async () => {
  const other = await issue({ subject: [cn("other")], ca: true });
  refuses([[await issue({ subject: [cn("x")], by: other })]], "x509: certificate signed by unknown authority");
  refuses([[other]], "x509: certificate signed by unknown authority");
});

test("verifyChain() refuses an authority that only has the root's name", async () => {
  const fake = await issue({ subject: [cn("root")], ca: true });
  refuses([[await issue({ subject: [cn("x")], by: fake })]], unknown("x509: invalid signature"));
});

test("verifyChain() refuses a certificate that is not for clients, here or above", async () => {
  const message = "x509: certificate specifies an incompatible key usage";
  refuses([[await issue({ subject: [cn("x")], by: root, usages: [serverAuth] })]], message);
  const servers = await issue({ subject: [cn("servers")], ca: true, usages: [serverAuth] });
  const below = await issue({ subject: [cn("x")], by: servers, usages: [clientAuth] });
  refuses([[below], midday, [servers]], message);
});

test("verifyChain() goes through intermediates, in whatever order they come", async () => {
  const first = await issue({ subject: [cn("first")], by: root, ca: true });
  const second = await issue({ subject: [cn("second")], by: first, ca: true });
  const user = await issue({ subject: [cn("x")], by: second });
  assert.equal(length([user, first, root, second]), 4);
  refuses([[user, first]], "x509: certificate signed by unknown authority");
});

test("verifyChain() refuses an intermediate that may not sign", async () => {
  const cannot = "x509: invalid signature: parent certificate cannot sign this kind of certificate";
  const user = await issue({ subject: [cn("user")], by: root });
  refuses([[await issue({ subject: [cn("x")], by: user }), user]], unknown(cannot));
  const notCa = await issue({ subject: [cn("no")], by: root, ca: false });
  refuses([[await issue({ subject: [cn("x")], by: notCa }), notCa]], unknown(cannot));
  const noSigner = await issue({ subject: [cn("enc")], by: root, ca: true, keyUsage: encipherment });
  refuses([[await issue({ subject: [cn("x")], by: noSigner }), noSigner]], unknown(cannot));
});

test("verifyChain() counts intermediates against the path length", async () => {
  const only = await issue({ subject: [cn("only")], ca: true, pathLength: 0 });
  const below = await issue({ subject: [cn("below")], by: only, ca: true });
  const user = await issue({ subject: [cn("x")], by: below });
  refuses([[user, below], midday, [only]], unknown("x509: too many intermediates for path length constraint"));
  assert.equal(length([await issue({ subject: [cn("x")], by: only })], midday, [only]), 2);
});

test("verifyChain() refuses SHA-1", async () => {
  const weak = await issue({ subject: [cn("x")], by: root, hash: "SHA-1" });
  refuses([[weak]], unknown("x509: cannot verify signature: insecure or unknown algorithm"));
});

test("verifyChain() refuses critical extensions that it doesn't know", async () => {
  const odd = (critical: boolean) => extension("1.2.3.4", critical, "0500");
  const critical = await issue({ subject: [cn("x")], by: root, more: [odd(true)] });
  refuses([[critical]], "x509: unhandled critical extension");
  assert.equal(length([await issue({ subject: [cn("x")], by: root, more: [odd(false)] })]), 2);
});

test("verifyChain() refuses names below an authority that is constrained in them", async () => {
  // permittedSubtrees with the DNS name `a.test`.
  const constraints = extension("2.5.29.30", true, "300ca00a30088206612e74657374");
  const narrow = await issue({ subject: [cn("narrow")], ca: true, more: [constraints] });
  const named = await issue({ subject: [cn("x")], by: narrow, more: [host("b.test")] });
  refuses(
    [[named], midday, [narrow]],
    "x509: a root or intermediate certificate is not authorized to sign for this name",
  );
  assert.equal(length([await issue({ subject: [cn("x")], by: narrow })], midday, [narrow]), 2);
});

test("verifyChain() takes a leaf that is itself in the bundle", () => {
  assert.equal(length([leaf], midday, [leaf]), 1);
});

test("verifyChain() ends where authorities sign each other, within its limit", async () => {
  const keys = root.keys;
  const ring: Issued[] = [];
  const subject = [cn("ring")];
  for (let at = 0; at < 12; at++) ring.push(await issue({ subject, ca: true, keys }));
  const user = await issue({ subject: [cn("x")], by: { ...root, subject } });
  refuses([[user, ...ring]], "x509: signature check attempts limit reached while verifying certificate chain");
});
