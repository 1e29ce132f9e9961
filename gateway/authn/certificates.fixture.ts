/**
 * Certificates for this room's tests, made when they run: nothing expires in the repository.
 *
 * Names are built from DER by hand, so that a test can write what a polite tool wouldn't.
 */
import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { HttpRequest } from "../apimachinery/http.ts";
import type { PeerCertificate } from "../apimachinery/user.ts";

/** All certificates hold from here, unless a test says otherwise. */
export const start = new Date("2026-01-01T00:00:00Z");
/** Until when they hold. */
export const end = new Date("2026-01-02T00:00:00Z");
/** When they do. */
export const midday = new Date("2026-01-01T12:00:00Z");

/** The extended usage of clients. */
export const clientAuth = "1.3.6.1.5.5.7.3.2";
/** That of servers. */
export const serverAuth = "1.3.6.1.5.5.7.3.1";

/** A name's attribute: its type as DER content bytes, the tag of its string, its bytes. */
export interface Attribute {
  readonly oid: Buffer;
  readonly tag: number;
  readonly value: Buffer;
}

const oidCn = Buffer.from("550403", "hex");
const oidO = Buffer.from("55040a", "hex");
const oidUid = Buffer.from("2b0601040183c25302", "hex");

/** A common name, as a UTF-8 string. */
export const cn = (text: string): Attribute => ({ oid: oidCn, tag: 0x0c, value: Buffer.from(text) });
/** An organization. */
export const org = (text: string): Attribute => ({ oid: oidO, tag: 0x0c, value: Buffer.from(text) });
/** A user id. */
export const uid = (text: string): Attribute => ({ oid: oidUid, tag: 0x0c, value: Buffer.from(text) });

/** Gives one DER value. */
export function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content]);
}

/** Gives a name as DER, each attribute a set of its own. */
export function nameDer(attributes: readonly Attribute[]): Buffer {
  const sets = attributes.map(({ oid, tag, value }) => der(0x31, der(0x30, der(0x06, oid), der(tag, value))));
  return der(0x30, ...sets);
}

/** A certificate with its key, to sign others with. */
export interface Issued {
  readonly raw: Buffer;
  readonly pem: string;
  readonly subject: readonly Attribute[];
  readonly keys: webcrypto.CryptoKeyPair;
}

/** What a certificate says; only the subject must be given. */
export interface IssueOptions {
  readonly subject: readonly Attribute[];
  /** Default: itself. */
  readonly by?: Issued;
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly usages?: readonly string[];
  readonly keyUsage?: KeyUsageFlags;
  readonly more?: readonly Extension[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly hash?: string;
  readonly keys?: webcrypto.CryptoKeyPair;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256" };

/** Makes a certificate. */
export async function issue(options: IssueOptions): Promise<Issued> {
  const { subject, by, ca, usages } = options;
  const keys = options.keys ?? (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]));
  const extensions: Extension[] = [...(options.more ?? [])];
  if (ca !== undefined) extensions.push(new BasicConstraintsExtension(ca, options.pathLength, true));
  if (options.keyUsage !== undefined) extensions.push(new KeyUsagesExtension(options.keyUsage, true));
  if (usages !== undefined) extensions.push(new ExtendedKeyUsageExtension([...usages]));
  const certificate = await X509CertificateGenerator.create({
    subject: new Name(nameDer(subject)),
    issuer: new Name(nameDer(by?.subject ?? subject)),
    notBefore: options.notBefore ?? start,
    notAfter: options.notAfter ?? end,
    publicKey: keys.publicKey,
    signingKey: (by?.keys ?? keys).privateKey,
    signingAlgorithm: { name: "ECDSA", hash: options.hash ?? "SHA-256" },
    extensions,
  });
  return { raw: Buffer.from(certificate.rawData), pem: certificate.toString("pem"), subject, keys };
}

/** The key usage that signs certificates. */
export const signing: KeyUsageFlags = KeyUsageFlags.keyCertSign;
/** One that signs nothing. */
export const encipherment: KeyUsageFlags = KeyUsageFlags.keyEncipherment;

/** Gives an extension of any kind; `hex` is its value's DER. */
export const extension = (oid: string, critical: boolean, hex: string): Extension =>
  new Extension(oid, critical, Buffer.from(hex, "hex"));

/** Gives the extension that names a host. */
export const host = (name: string): Extension => new SubjectAlternativeNameExtension([{ type: "dns", value: name }]);

/** Gives a chain as a handshake has it, leaf first. */
export function peer(...chain: readonly Issued[]): PeerCertificate | undefined {
  let issuer: PeerCertificate | undefined;
  for (const { raw } of chain.toReversed()) issuer = { raw, issuer };
  return issuer;
}

/** Gives a request with these headers, names as listen gives them, and certificates, and nothing else. */
export function request(
  headers: Readonly<Record<string, string | readonly string[]>>,
  certificate?: PeerCertificate,
): HttpRequest {
  const rawHeaders = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => [name.toLowerCase(), value] as const),
  );
  return {
    method: "GET",
    uri: "/",
    path: "/",
    query: "",
    httpVersion: "1.1",
    header: (name) => rawHeaders.find(([key]) => key === name)?.[1],
    headers: (name) => rawHeaders.filter(([key]) => key === name).map(([, value]) => value),
    rawHeaders,
    remoteAddress: "192.0.2.1",
    peerCertificate: () => certificate,
    signal: new AbortController().signal,
    body: async () => Buffer.alloc(0),
  };
}
