/**
 * A certificate as authentication needs it: names, validity, and what it may be used for.
 *
 * The subject is read from the DER bytes: a text form of a name can't be split again without
 * mistaking a comma or a quote in a value for a border between two.
 * Source: RFC 5280; Go crypto/x509/parser.go.
 */
import { type KeyObject, X509Certificate } from "node:crypto";
import { type DerValue, derTag, formatOid, readDer, readDerString, readInside } from "./der.ts";

/** One attribute of a name, in the order of the certificate: `2.5.4.3` is CN, `2.5.4.10` is O. */
export interface NameAttribute {
  readonly oid: string;
  readonly value: string;
}

/** What is read from one certificate. */
export interface Certificate {
  readonly raw: Buffer;
  /** Bytes of subject and issuer, which are what chains are built by. */
  readonly rawSubject: Buffer;
  readonly rawIssuer: Buffer;
  readonly subject: readonly NameAttribute[];
  /** Decimal. */
  readonly serialNumber: string;
  /** Milliseconds since 1970, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** 1 to 3. */
  readonly version: number;
  /** OID of the algorithm that it is signed with. */
  readonly signatureAlgorithm: string;
  /** Undefined: the extension is missing. */
  readonly basicConstraints: { readonly isCa: boolean; readonly maxPathLength: number | undefined } | undefined;
  /** Whether it may sign certificates; true if it has no keyUsage extension. */
  readonly maySign: boolean;
  /** OIDs; empty: the extension is missing. */
  readonly extendedKeyUsage: readonly string[];
  readonly hasNameConstraints: boolean;
  readonly hasAlternativeNames: boolean;
  /** OIDs of critical extensions that nobody here knows: a reason to refuse it. */
  readonly unknownCritical: readonly string[];
  /** Whether it was signed by the holder of `key`. */
  isSignedBy(key: KeyObject): boolean;
  publicKey(): KeyObject;
}

/**
 * Reads a certificate from DER.
 * @throws Error if it is malformed.
 */
export function parseCertificate(raw: Buffer): Certificate {
  const x509 = new X509Certificate(raw);
  const outer = readInside(readDer(raw)[0], derTag.sequence);
  const fields = readInside(outer[0], derTag.sequence);
  const hasVersion = fields[0]?.tag === derTag.version;
  const [serial, , issuer, , subject] = hasVersion ? fields.slice(1) : fields;
  if (serial === undefined || issuer === undefined || subject === undefined) {
    throw new Error("x509: malformed certificate");
  }
  return {
    raw,
    rawSubject: subject.raw,
    rawIssuer: issuer.raw,
    subject: readName(subject),
    serialNumber: BigInt(`0x${serial.content.toString("hex") || "0"}`).toString(),
    notBefore: x509.validFromDate.getTime(),
    notAfter: x509.validToDate.getTime(),
    version: hasVersion ? (readInside(fields[0], derTag.version)[0]?.content[0] ?? 0) + 1 : 1,
    signatureAlgorithm: formatOid(readInside(outer[1], derTag.sequence)[0]?.content ?? Buffer.alloc(0)),
    ...readExtensions(fields.find((field) => field.tag === derTag.extensions)),
    isSignedBy: (key) => x509.verify(key),
    publicKey: () => x509.publicKey,
  };
}

/**
 * Gives the certificates of a PEM bundle, in order; text between them is skipped.
 * @throws Error if one of them is malformed.
 */
export function parseCertificates(pem: string): Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => parseCertificate(Buffer.from(block.replace(/-----[^-]+-----/g, ""), "base64")));
}

function readName(name: DerValue): NameAttribute[] {
  return readInside(name, derTag.sequence).flatMap((set) =>
    readInside(set, derTag.set).map((attribute) => {
      const [type, value] = readInside(attribute, derTag.sequence);
      if (type === undefined || value === undefined) throw new Error("x509: invalid RDNSequence");
      return { oid: formatOid(type.content), value: readDerString(value) };
    }),
  );
}

/** Extensions whose meaning is either checked here or has no bearing on a client's chain. */
const knownExtensions = new Set([
  "2.5.29.14",
  "2.5.29.15",
  "2.5.29.17",
  "2.5.29.19",
  "2.5.29.30",
  "2.5.29.31",
  "2.5.29.32",
  "2.5.29.35",
  "2.5.29.37",
]);

type ExtensionFields = Pick<
  Certificate,
  "basicConstraints" | "maySign" | "extendedKeyUsage" | "hasNameConstraints" | "hasAlternativeNames" | "unknownCritical"
>;

function readExtensions(wrapper: DerValue | undefined): ExtensionFields {
  const list = wrapper === undefined ? [] : readInside(readDer(wrapper.content)[0], derTag.sequence);
  const byOid = new Map<string, Buffer>();
  const unknownCritical: string[] = [];
  for (const extension of list) {
    const parts = readInside(extension, derTag.sequence);
    const oid = formatOid(parts[0]?.content ?? Buffer.alloc(0));
    const isCritical = parts[1]?.tag === derTag.boolean && parts[1].content[0] !== 0;
    if (byOid.has(oid)) throw new Error("x509: certificate contains duplicate extensions");
    byOid.set(oid, parts.at(-1)?.content ?? Buffer.alloc(0));
    if (isCritical && !knownExtensions.has(oid)) unknownCritical.push(oid);
  }
  const usages = byOid.get("2.5.29.37");
  return {
    basicConstraints: readBasicConstraints(byOid.get("2.5.29.19")),
    maySign: readMaySign(byOid.get("2.5.29.15")),
    extendedKeyUsage:
      usages === undefined ? [] : readInside(readDer(usages)[0], derTag.sequence).map((one) => formatOid(one.content)),
    hasNameConstraints: byOid.has("2.5.29.30"),
    hasAlternativeNames: byOid.has("2.5.29.17"),
    unknownCritical,
  };
}

function readBasicConstraints(bytes: Buffer | undefined): Certificate["basicConstraints"] {
  if (bytes === undefined) return undefined;
  const parts = readInside(readDer(bytes)[0], derTag.sequence);
  const length = parts.find((part) => part.tag === derTag.integer)?.content;
  return {
    isCa: parts[0]?.tag === derTag.boolean && parts[0].content[0] !== 0,
    maxPathLength: length === undefined ? undefined : Number(`0x${length.toString("hex") || "0"}`),
  };
}

/** Bit 5 of keyUsage is keyCertSign; an extension without any bit counts as missing. */
function readMaySign(bytes: Buffer | undefined): boolean {
  if (bytes === undefined) return true;
  const bits = readDer(bytes)[0]?.content.subarray(1) ?? Buffer.alloc(0);
  return bits.every((byte) => byte === 0) || ((bits[0] ?? 0) & 0x04) !== 0;
}
