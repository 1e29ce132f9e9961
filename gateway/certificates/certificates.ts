/**
 * Certificates for the local loop and for tests: an authority of our own, and what it issues.
 *
 * ECDSA P-256 throughout. Production brings its own certificates; nothing here is for that.
 */
import "reflect-metadata";
import { createPrivateKey, randomBytes, type webcrypto, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A certificate and its key, PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** What a server is known by. */
export interface ServerNames {
  readonly names: readonly string[];
  readonly ips: readonly string[];
}

/** Who a client is to be. */
export interface ClientName {
  readonly name: string;
  readonly groups: readonly string[];
}

const algorithm = { name: "ECDSA", namedCurve: "P-256" };
const signing = { name: "ECDSA", hash: "SHA-256" };
/** Issued for a year; clocks may differ by an hour. */
const lifetimeMs = 365 * 24 * 3600 * 1000;
const authorityLifetimeMs = 10 * lifetimeMs;
const clockSkewMs = 3600 * 1000;

/** Makes an authority. */
export async function createAuthority(name: string): Promise<Issued> {
  return await issue({
    subject: [{ CN: [name] }],
    lifetimeMs: authorityLifetimeMs,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature, true),
    ],
  });
}

/** Issues a serving certificate. */
export async function issueServerCertificate(authority: Issued, { names, ips }: ServerNames): Promise<Issued> {
  return await issue({
    subject: [{ CN: [names[0] ?? ips[0] ?? "annex"] }],
    authority,
    lifetimeMs,
    extensions: [
      ...leafExtensions(ExtendedKeyUsage.serverAuth),
      new SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: "dns" as const, value })),
        ...ips.map((value) => ({ type: "ip" as const, value })),
      ]),
    ],
  });
}

/** Issues a client certificate: the common name is the user, each organization a group. */
export async function issueClientCertificate(authority: Issued, { name, groups }: ClientName): Promise<Issued> {
  return await issue({
    subject: [...groups.map((group) => ({ O: [group] })), { CN: [name] }],
    authority,
    lifetimeMs,
    extensions: leafExtensions(ExtendedKeyUsage.clientAuth),
  });
}

/** Whether a certificate is good for that much longer, and was issued by the authority. */
export function isFresh(issued: Issued, authority: Issued, forMs: number, now: Date): boolean {
  const certificate = new X509Certificate(issued.cert);
  const signer = new X509Certificate(authority.cert);
  if (!certificate.checkIssued(signer) || !certificate.verify(signer.publicKey)) return false;
  if (!certificate.checkPrivateKey(createPrivateKey(issued.key))) return false;
  return new Date(certificate.validTo).getTime() > now.getTime() + forMs;
}

/** Writes a file that only its owner may read. */
export function writePrivate(path: string, content: string): void {
  writeFileSync(path, content, { mode: 0o600 });
}

function leafExtensions(usage: string): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([usage]),
  ];
}

async function issue(request: {
  readonly subject: JsonName;
  readonly authority?: Issued;
  readonly lifetimeMs: number;
  readonly extensions: Extension[];
}): Promise<Issued> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const { authority } = request;
  const now = Date.now();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomBytes(8)
      .toString("hex")
      .replace(/^[89a-f]/, "1"),
    subject: new Name(request.subject),
    issuer: authority === undefined ? new Name(request.subject) : new Name(subjectOf(authority)),
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + request.lifetimeMs),
    publicKey: keys.publicKey,
    signingKey: authority === undefined ? keys.privateKey : await importKey(authority.key),
    signingAlgorithm: signing,
    extensions: request.extensions,
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: `${certificate.toString("pem")}\n`, key: pem("PRIVATE KEY", Buffer.from(key)) };
}

/** An authority's name is one that was made here: a single CN, of no special characters. */
function subjectOf(authority: Issued): JsonName {
  const subject = new X509Certificate(authority.cert).subject;
  return [{ CN: [subject.replace(/^CN=/, "")] }];
}

async function importKey(key: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(key).export({ type: "pkcs8", format: "der" });
  return await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
