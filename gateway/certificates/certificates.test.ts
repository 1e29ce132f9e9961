import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  createAuthority,
  isFresh,
  issueClientCertificate,
  issueServerCertificate,
  writePrivate,
} from "./certificates.ts";

const dayMs = 24 * 3600 * 1000;
/** A name that is written as syntax in most tools' texts. */
const awkward = '#dev="ops", \\x+ü';

function inFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "annex-certificates-"));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("issueServerCertificate() names what it was asked to", async () => {
  const authority = await createAuthority("test-ca");
  const { cert, key } = await issueServerCertificate(authority, { names: ["localhost", "a.example"], ips: ["::1"] });
  const certificate = new X509Certificate(cert);
  assert.equal(certificate.subject, "CN=localhost");
  assert.equal(certificate.subjectAltName, "DNS:localhost, DNS:a.example, IP Address:0:0:0:0:0:0:0:1");
  assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  assert.equal(certificate.ca, false);
  assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/);
});

test("issueClientCertificate() keeps every character of name, groups and uid", async () => {
  const authority = await createAuthority(awkward);
  const { cert } = await issueClientCertificate(authority, { name: awkward, groups: ["one", awkward], uid: "u-1" });
  const subject = new X509Certificate(cert).toLegacyObject().subject as unknown as Record<string, unknown>;
  assert.deepEqual({ ...subject }, { O: ["one", awkward], CN: awkward, "1.3.6.1.4.1.57683.2": "u-1" });
  assert.ok(new X509Certificate(cert).checkIssued(new X509Certificate(authority.cert)));
});

test("isFresh() holds for its own authority, its own key and long enough", async () => {
  const [authority, other] = [await createAuthority("one"), await createAuthority("one")];
  const issued = await issueServerCertificate(authority, { names: ["localhost"], ips: [] });
  const now = new Date();
  assert.equal(isFresh(issued, authority, 7 * dayMs, now), true);
  assert.equal(isFresh(issued, authority, 366 * dayMs, now), false);
  assert.equal(isFresh(issued, other, 7 * dayMs, now), false);
  assert.equal(isFresh({ ...issued, key: other.key }, authority, 7 * dayMs, now), false);
  assert.equal(isFresh({ ...issued, cert: issued.cert.slice(0, 200) }, authority, 7 * dayMs, now), false);
});

test("writePrivate() leaves a file to its owner alone, even one that was open", () => {
  inFolder((folder) => {
    const path = join(folder, "key");
    writeFileSync(path, "old");
    chmodSync(path, 0o644);
    writePrivate(path, "new");
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });
});

test("a chain stands before OpenSSL's strict eyes", async (t) => {
  if (spawnSync("openssl", ["version"]).status !== 0) return t.skip("openssl is not on the PATH");
  const authority = await createAuthority("test-ca");
  const server = await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1"] });
  const client = await issueClientCertificate(authority, { name: "jane", groups: ["a", "b"] });
  inFolder((folder) => {
    writeFileSync(join(folder, "ca.crt"), authority.cert);
    writeFileSync(join(folder, "server.crt"), server.cert);
    writeFileSync(join(folder, "client.crt"), client.cert);
    const verify = (purpose: string, file: string) =>
      execFileSync("openssl", ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.crt", file], {
        cwd: folder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    assert.equal(verify("sslserver", "server.crt"), "server.crt: OK\n");
    assert.equal(verify("sslclient", "client.crt"), "client.crt: OK\n");
    assert.throws(() => verify("sslserver", "client.crt"));
  });
});
