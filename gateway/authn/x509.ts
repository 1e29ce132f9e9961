/**
 * Knows users by their client certificates.
 *
 * The subject's CN is the user, each O a group. A certificate without CN says nothing; one that
 * doesn't verify is a failure. TLS asks for a certificate and takes any: only here is it judged.
 * Source: apiserver pkg/authentication/request/x509/x509.go.
 */
import { createHash } from "node:crypto";
import type { PeerCertificate, User } from "../apimachinery/user.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { verifyChain } from "./chain.ts";
import type { Authenticator } from "./union.ts";

/** Longest chain that is looked at: more than any real one, few enough to hash for each request. */
const maxPeerCertificates = 16;
/** Chains kept with their users: about one a client, a few hundred bytes each. */
const maxCachedChains = 1024;

const commonName = "2.5.4.3";
const organization = "2.5.4.10";
const userId = "1.3.6.1.4.1.57683.2";

/** `roots` may give another list each time: verdicts of the list before are then forgotten. */
export interface X509Options {
  readonly roots: () => readonly Certificate[];
  readonly clock: () => Date;
}

interface Known {
  readonly user: User | undefined;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Gives an authenticator for client certificates. Verified chains are remembered while they hold. */
export function x509Authenticator({ roots, clock }: X509Options): Authenticator {
  const cache = new Map<string, Known>();
  let cachedFor: readonly Certificate[] = [];

  return (request) => {
    const chain = peerChain(request.peerCertificate());
    if (chain.length === 0) return undefined;
    const current = roots();
    if (current !== cachedFor) {
      cache.clear();
      cachedFor = current;
    }
    const key = hashOf(chain);
    const now = clock();
    const found = cache.get(key);
    if (found !== undefined && found.notBefore <= now.getTime() && now.getTime() <= found.notAfter) return found.user;
    cache.delete(key);
    const known = judge(chain, current, now);
    if (cache.size >= maxCachedChains) cache.delete(cache.keys().next().value ?? "");
    cache.set(key, known);
    return known.user;
  };
}

/**
 * Gives the user that a subject names, undefined if it has no CN.
 * @throws Error if it has more than one uid, or an empty one.
 */
export function userOfSubject(certificate: Certificate): User | undefined {
  const valuesOf = (oid: string) => certificate.subject.filter((one) => one.oid === oid).map((one) => one.value);
  const name = valuesOf(commonName).at(-1) ?? "";
  if (name === "") return undefined;
  const uids = valuesOf(userId);
  if (uids.length > 1) throw new Error(`expected 1 UID, but found multiple: [${uids.join(" ")}]`);
  if (uids[0] === "") throw new Error("UID cannot be an empty string");
  const fingerprint = createHash("sha256").update(certificate.raw).digest("hex");
  return {
    name,
    uid: uids[0] ?? "",
    groups: valuesOf(organization),
    extra: { "authentication.kubernetes.io/credential-id": [`X509SHA256=${fingerprint}`] },
  };
}

function peerChain(leaf: PeerCertificate | undefined): Buffer[] {
  const chain: Buffer[] = [];
  for (let at = leaf; at !== undefined && chain.length < maxPeerCertificates; at = at.issuer) {
    // A root is its own issuer in Node's eyes.
    if (chain.at(-1)?.equals(at.raw)) break;
    chain.push(at.raw);
  }
  return chain;
}

function hashOf(chain: readonly Buffer[]): string {
  const hash = createHash("sha256");
  for (const raw of chain) hash.update(raw);
  return hash.digest("base64");
}

function judge(chain: readonly Buffer[], roots: readonly Certificate[], now: Date): Known {
  const [leaf, ...intermediates] = chain.map(parseCertificate);
  if (leaf === undefined) throw new RangeError("a chain has at least one certificate");
  try {
    const { notBefore, notAfter } = verifyChain(leaf, { roots, intermediates, now });
    return { user: userOfSubject(leaf), notBefore, notAfter };
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`verifying certificate SN=${leaf.serialNumber} failed: ${why}`, { cause: error });
  }
}
