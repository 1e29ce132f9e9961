/**
 * Certificates for the local loop and for tests: an authority of our own, and what it issues.
 *
 * ECDSA P-256 throughout. Production brings its own certificates; nothing here is for that.
 */
import "reflect-metadata";
import { createPrivateKey, randomBytes, type webcrypto, X509Certificate } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonAttributeAndObjectValue,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509Certificate as X509CertificateText,
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
  /** Undefined: the certificate says none. */
  readonly uid?: string;
}

/** Kubernetes' attribute type for a user's uid. Source: apiserver pkg/authentication/request/x509. */
const uidAttribute = "1.3.6.1.4.1.57683.2";
const algorithm = { name: "ECDSA", namedCurve: "P-256" };
const signing = { name: "ECDSA", hash: "SHA-256" };
/** Issued for a year; clocks may differ by an hour. */
const lifetimeMs = 365 * 24 * 3600 * 1000;
const authorityLifetimeMs = 10 * lifetimeMs;
const clockSkewMs = 3600 * 1000;

/** Makes an authority, under another one or by itself. */
export async function createAuthority(name: string, under?: Issued): Promise<Issued> {
  return await issue({
    subject: [{ CN: [literal(name)] }],
    ...(under === undefined ? {} : { authority: under }),
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
    subject: [{ CN: [literal(names[0] ?? ips[0] ?? "annex")] }],
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
export async function issueClientCertificate(authority: Issued, { name, groups, uid }: ClientName): Promise<Issued> {
  return await issue({
    subject: [
      ...groups.map((group) => ({ O: [literal(group)] })),
      ...(uid === undefined ? [] : [{ [uidAttribute]: [literal(uid)] }]),
      { CN: [literal(name)] },
    ],
    authority,
    lifetimeMs,
    extensions: leafExtensions(ExtendedKeyUsage.clientAuth),
  });
}

/** Tells if a certificate is good for that much longer, fits its key, and was issued by the authority. */
export function isFresh(issued: Issued, authority: Issued, forMs: number, now: Date): boolean {
  try {
    const certificate = new X509Certificate(issued.cert);
    const signer = new X509Certificate(authority.cert);
    if (!certificate.checkIssued(signer) || !certificate.verify(signer.publicKey)) return false;
    if (!certificate.checkPrivateKey(createPrivateKey(issued.key))) return false;
    return certificate.validToDate.getTime() > now.getTime() + forMs;
  } catch {
    // Text that is no certificate or no key: a file cut short, or written by something else.
    return false;
  }
}

/** Writes a file that only its owner may read, whatever its mode was before. */
export function writePrivate(path: string, content: string): void {
  writeFileSync(path, content, { mode: 0o600 });
  chmodSync(path, 0o600);
}

/** A value of a name as it is. The library reads quotes and a leading number sign in plain strings as syntax. */
function literal(value: string): { utf8String: string } {
  return { utf8String: value };
}

function leafExtensions(usage: string): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([usage]),
  ];
}

async function issue(request: {
  readonly subject: JsonAttributeAndObjectValue[];
  readonly authority?: Issued;
  readonly lifetimeMs: number;
  readonly extensions: Extension[];
}): Promise<Issued> {
  const { authority, subject, lifetimeMs } = request;
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const signer = authority === undefined ? undefined : new X509CertificateText(authority.cert);
  const now = Date.now();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: new Name(subject),
    issuer: signer === undefined ? new Name(subject) : signer.subjectName,
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + lifetimeMs),
    publicKey: keys.publicKey,
    signingKey: authority === undefined ? keys.privateKey : await importKey(authority.key),
    signingAlgorithm: signing,
    extensions: [
      ...request.extensions,
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(signer === undefined ? keys.publicKey : signer.publicKey),
    ],
  });
  const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: `${certificate.toString("pem")}\n`, key: pem("PRIVATE KEY", Buffer.from(key)) };
}

/** 64 random bits, positive in DER. */
function serialNumber(): string {
  const bytes = randomBytes(8);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

async function importKey(key: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(key).export({ type: "pkcs8", format: "der" });
  return await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
