/** Certificates for tests with real TLS: made at start, gone with the test. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  createAuthority,
  type Issued,
  issueClientCertificate,
  issueServerCertificate,
} from "../../gateway/certificates/certificates.ts";

/** A folder with `tls.crt` and `tls.key` for localhost and both loopback addresses. */
export interface ServingFolder {
  readonly folder: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly authority: Issued;
}

/** Makes a serving pair and the authority that issued it. */
export async function createServingFolder(t: TestContext): Promise<ServingFolder> {
  const folder = mkdtempSync(join(tmpdir(), "annex-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const authority = await createAuthority("test-ca");
  const pair = await issueServing(authority);
  const [certFile, keyFile] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  writeFileSync(certFile, pair.cert);
  writeFileSync(keyFile, pair.key, { mode: 0o600 });
  return { folder, certFile, keyFile, authority };
}

/** Issues another pair for the same names. */
export async function issueServing(authority: Issued): Promise<Issued> {
  return await issueServerCertificate(authority, { names: ["localhost"], ips: ["127.0.0.1", "::1"] });
}

/** Issues a client's pair. */
export async function issueClient(authority: Issued, name: string): Promise<Issued> {
  return await issueClientCertificate(authority, { name, groups: [] });
}

/** Makes an authority that nobody knows, or one under another. */
export async function issueAuthority(name: string, under?: Issued): Promise<Issued> {
  return await createAuthority(name, under);
}
