/**
 * Judges the certificate that a connection's client showed, anew for each request.
 *
 * What costs is done once a connection: reading the chain, checking its signatures. What may change
 * is looked at each time: the time of day, and the authorities; a verdict holds only for the list of
 * authorities that it was reached with. So expiry and rotation reach connections that are open.
 * Source: apiserver pkg/authentication/request/x509/x509.go (Verifier).
 */
import type { PeerCertificate } from "../apimachinery/user.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { type VerifyOptions, verifyChain } from "./chain.ts";

/** Longest chain that is looked at: more than any real one. */
const maxPeerCertificates = 16;

/** Whom to trust, now. An empty list: nobody, so that nobody's certificate is looked at. */
export interface ChainVerifierOptions {
  readonly roots: () => readonly Certificate[];
  readonly clock: () => Date;
}

/**
 * Gives the leaf of a chain that holds; undefined if there is no certificate, or nobody to trust.
 * @throws Error with Go's text if the chain doesn't hold.
 */
export type ChainVerifier = (peer: PeerCertificate | undefined) => Certificate | undefined;

/** A chain that didn't hold is looked at again after this long: it may have come into its time. */
const refusedMs = 1000;

interface Known {
  readonly chain: readonly Certificate[];
  verdict: Verdict | undefined;
}

/** What holds for a list of authorities, and from when until when; ms since 1970, inclusive. */
interface Verdict {
  readonly roots: readonly Certificate[];
  readonly refusal: Error | undefined;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Makes a verifier that remembers a connection's chain as long as the connection lives. */
export function createChainVerifier({ roots, clock }: ChainVerifierOptions): ChainVerifier {
  const known = new WeakMap<PeerCertificate, Known>();

  return (peer) => {
    const current = roots();
    if (peer === undefined || current.length === 0) return undefined;
    let entry = known.get(peer);
    if (entry === undefined) {
      entry = { chain: readChain(peer), verdict: undefined };
      known.set(peer, entry);
    }
    const [leaf, ...intermediates] = entry.chain;
    if (leaf === undefined) throw new RangeError("a chain has at least one certificate");
    const now = clock();
    if (entry.verdict?.roots !== current || !isInForce(entry.verdict, now)) {
      entry.verdict = judge(leaf, { roots: current, intermediates, now });
    }
    if (entry.verdict.refusal !== undefined) throw entry.verdict.refusal;
    return leaf;
  };
}

function judge(leaf: Certificate, options: VerifyOptions): Verdict {
  const { roots, now } = options;
  try {
    const { notBefore, notAfter } = verifyChain(leaf, options);
    return { roots, refusal: undefined, notBefore, notAfter };
  } catch (error) {
    const why = (error as Error).message;
    const refusal = new Error(`verifying certificate SN=${leaf.serialNumber} failed: ${why}`, { cause: error });
    return { roots, refusal, notBefore: now.getTime(), notAfter: now.getTime() + refusedMs };
  }
}

function isInForce({ notBefore, notAfter }: Verdict, now: Date): boolean {
  return notBefore <= now.getTime() && now.getTime() <= notAfter;
}

function readChain(leaf: PeerCertificate): Certificate[] {
  const raws: Buffer[] = [];
  for (
    let at: PeerCertificate | undefined = leaf;
    at !== undefined && raws.length < maxPeerCertificates;
    at = at.issuer
  ) {
    // A root is its own issuer in Node's eyes.
    if (raws.at(-1)?.equals(at.raw)) break;
    raws.push(at.raw);
  }
  return raws.map(parseCertificate);
}
