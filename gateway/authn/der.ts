/**
 * Reads DER, the binary form of certificates, as far as certificates need it.
 *
 * Only definite lengths and one-byte tags, as X.509 uses them; every length is checked against the
 * bytes that are there. Source: ITU-T X.690; Go crypto/x509/parser.go (strings).
 */

/** One value: its tag byte, its content, and all its bytes with tag and length. */
export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

/** Tag bytes that certificates use. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
} as const;

/**
 * Gives the values that lie one after the other in `bytes`.
 * @throws Error if a length is not one that DER allows, or reaches beyond the bytes.
 */
export function readDer(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { start, end } = contentRange(bytes, at);
    values.push({ tag: bytes[at] ?? 0, content: bytes.subarray(start, end), raw: bytes.subarray(at, end) });
    at = end;
  }
  return values;
}

/**
 * Gives the values inside `value`.
 * @throws Error if it does not have that tag.
 */
export function readInside(value: DerValue | undefined, tag: number): DerValue[] {
  if (value?.tag !== tag) throw new Error(`x509: malformed certificate: no value with tag ${tag}`);
  return readDer(value.content);
}

/** Gives an object identifier in dots, `2.5.4.3`. */
export function formatOid(content: Buffer): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const first = arcs[0] ?? 0n;
  const top = first < 40n ? 0n : first < 80n ? 1n : 2n;
  return [top, first - top * 40n, ...arcs.slice(1)].join(".");
}

/**
 * Gives a string of any of the six ASN.1 types that names use.
 * @throws Error if its bytes are not of its type, or the type is none of them.
 */
export function readDerString(value: DerValue): string {
  const bytes = value.content;
  switch (value.tag) {
    case 0x0c:
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    case 0x13:
      return matching(bytes, /^[A-Za-z0-9'()+,\-./ :=?*&]*$/, "PrintableString");
    case 0x14:
      return bytes.toString("latin1");
    case 0x16:
      return matching(bytes, /^[\x00-\x7f]*$/, "IA5String");
    case 0x12:
      return matching(bytes, /^[0-9 ]*$/, "NumericString");
    case 0x1e:
      return bmpString(bytes);
    default:
      throw new Error(`x509: unsupported string type: ${value.tag}`);
  }
}

function contentRange(bytes: Buffer, at: number): { start: number; end: number } {
  const short = bytes[at + 1];
  if (short === undefined || ((bytes[at] ?? 0) & 0x1f) === 0x1f) throw new Error("x509: malformed DER");
  let start = at + 2;
  let length = short;
  if (short >= 0x80) {
    const size = short & 0x7f;
    // Four bytes of length are more than any message that TLS carries.
    if (size === 0 || size > 4 || start + size > bytes.length) throw new Error("x509: malformed DER length");
    length = bytes.readUIntBE(start, size);
    start += size;
  }
  if (start + length > bytes.length) throw new Error("x509: DER value reaches beyond its bytes");
  return { start, end: start + length };
}

function matching(bytes: Buffer, form: RegExp, type: string): string {
  const text = bytes.toString("latin1");
  if (!form.test(text)) throw new Error(`x509: invalid ${type}`);
  return text;
}

/** Two bytes a character; a closing NUL is dropped, surrogates and noncharacters are refused. */
function bmpString(bytes: Buffer): string {
  if (bytes.length % 2 !== 0) throw new Error("x509: invalid BMPString");
  const text = Buffer.from(bytes).swap16().toString("utf16le");
  const kept = text.endsWith("\0") ? text.slice(0, -1) : text;
  if (/[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]/.test(kept)) throw new Error("x509: invalid BMPString");
  return kept;
}
