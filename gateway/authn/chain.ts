/**
 * Verifies that a client's certificate leads to one of our certificate authorities.
 *
 * Chains are built from the certificates that the client sent; each link is checked for names,
 * signature, validity and the right to sign, the whole for the use as a client. Where Go would look
 * into name constraints we refuse: a client certificate seldom has names that they speak of.
 * Absent on purpose: revocation lists, as in kube-apiserver.
 * Source: Go crypto/x509/verify.go.
 */
import type { Certificate } from "./certificate.ts";

/** What a chain is verified against. */
export interface VerifyOptions {
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly now: Date;
}

/** A chain with what is left of its time. */
export interface VerifiedChain {
  /** Leaf first, root last. */
  readonly certificates: readonly Certificate[];
  /** Milliseconds since 1970, inclusive: until then, and from then on, the chain holds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Bounds the work that one handshake can ask of us; Go's own limit. */
const maxSignatureChecks = 100;

const clientAuth = "1.3.6.1.5.5.7.3.2";
const anyUsage = "2.5.29.37.0";

/** RSA (PKCS #1 and PSS) and ECDSA with SHA-2, and Ed25519: what Go verifies. No SHA-1, no MD5. */
const signatureAlgorithms = new Set([
  "1.2.840.113549.1.1.10",
  "1.2.840.113549.1.1.11",
  "1.2.840.113549.1.1.12",
  "1.2.840.113549.1.1.13",
  "1.2.840.10045.4.3.2",
  "1.2.840.10045.4.3.3",
  "1.2.840.10045.4.3.4",
  "1.3.101.112",
]);

/**
 * Gives the first chain that holds.
 * @throws Error with Go's text if there is none.
 */
export function verifyChain(leaf: Certificate, options: VerifyOptions): VerifiedChain {
  checkUsable(leaf, options.now);
  if (options.roots.some((root) => root.raw.equals(leaf.raw))) return verified([leaf]);
  const search: Search = { options, checks: 0, hint: undefined, unusable: undefined };
  const chain = findChain(search, [leaf]);
  if (chain !== undefined) return verified(chain);
  if (search.unusable !== undefined) throw new Error(search.unusable);
  if (search.checks > maxSignatureChecks) {
    throw new Error("x509: signature check attempts limit reached while verifying certificate chain");
  }
  const hint = search.hint === undefined ? "" : ` (possibly because of "${search.hint}")`;
  throw new Error(`x509: certificate signed by unknown authority${hint}`);
}

interface Search {
  readonly options: VerifyOptions;
  checks: number;
  /** Why the first candidate was no parent. */
  hint: string | undefined;
  /** Why a chain that reached a root was refused. */
  unusable: string | undefined;
}

/** Recursion is bounded by the count of signature checks. */
function findChain(search: Search, chain: readonly Certificate[]): readonly Certificate[] | undefined {
  const child = chain.at(-1);
  if (child === undefined) return undefined;
  for (const root of search.options.roots) {
    if (!isParent(search, chain, child, root, true)) continue;
    const complete = [...chain, root];
    const why = unusableBecause(complete);
    if (why === undefined) return complete;
    search.unusable ??= why;
  }
  for (const intermediate of search.options.intermediates) {
    if (!isParent(search, chain, child, intermediate, false)) continue;
    const complete = findChain(search, [...chain, intermediate]);
    if (complete !== undefined) return complete;
  }
  return undefined;
}

function isParent(
  search: Search,
  chain: readonly Certificate[],
  child: Certificate,
  parent: Certificate,
  isRoot: boolean,
): boolean {
  if (!child.rawIssuer.equals(parent.rawSubject)) return false;
  search.checks++;
  if (search.checks > maxSignatureChecks) return false;
  if (chain.some((one) => one.raw.equals(parent.raw))) return false;
  try {
    checkSigned(child, parent);
    checkUsable(parent, search.options.now);
    checkAuthority(parent, chain.length - 1, isRoot);
    return true;
  } catch (error) {
    search.hint ??= (error as Error).message;
    return false;
  }
}

function checkSigned(child: Certificate, parent: Certificate): void {
  const isAuthority = parent.basicConstraints?.isCa ?? parent.version < 3;
  if (!isAuthority || !parent.maySign) {
    throw new Error("x509: invalid signature: parent certificate cannot sign this kind of certificate");
  }
  if (!signatureAlgorithms.has(child.signatureAlgorithm)) {
    throw new Error("x509: cannot verify signature: insecure or unknown algorithm");
  }
  if (!child.isSignedBy(parent.publicKey())) throw new Error("x509: invalid signature");
}

function checkUsable(certificate: Certificate, now: Date): void {
  if (certificate.unknownCritical.length > 0) throw new Error("x509: unhandled critical extension");
  const time = now.getTime();
  const expired = "x509: certificate has expired or is not yet valid: current time";
  if (time < certificate.notBefore) {
    throw new Error(`${expired} ${seconds(time)} is before ${seconds(certificate.notBefore)}`);
  }
  if (time > certificate.notAfter) {
    throw new Error(`${expired} ${seconds(time)} is after ${seconds(certificate.notAfter)}`);
  }
}

/** @param below how many intermediates lie between this one and the leaf. */
function checkAuthority(certificate: Certificate, below: number, isRoot: boolean): void {
  const constraints = certificate.basicConstraints;
  if (!isRoot && constraints?.isCa !== true) {
    throw new Error("x509: certificate is not authorized to sign other certificates");
  }
  if (constraints?.maxPathLength !== undefined && below > constraints.maxPathLength) {
    throw new Error("x509: too many intermediates for path length constraint");
  }
}

/** Extended usages narrow down the chain: who names some, allows no others below. */
function unusableBecause(chain: readonly Certificate[]): string | undefined {
  const isForClients = chain.every(
    ({ extendedKeyUsage: usage }) => usage.length === 0 || usage.includes(anyUsage) || usage.includes(clientAuth),
  );
  if (!isForClients) return "x509: certificate specifies an incompatible key usage";
  const isConstrained = chain.slice(1).some((one) => one.hasNameConstraints);
  if (isConstrained && chain.some((one) => one.hasAlternativeNames)) {
    return "x509: a root or intermediate certificate is not authorized to sign for this name";
  }
  return undefined;
}

function verified(chain: readonly Certificate[]): VerifiedChain {
  const why = unusableBecause(chain);
  if (why !== undefined) throw new Error(why);
  return {
    certificates: chain,
    notBefore: Math.max(...chain.map((one) => one.notBefore)),
    notAfter: Math.min(...chain.map((one) => one.notAfter)),
  };
}

function seconds(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}
