/**
 * Knows users by their client certificates.
 *
 * The subject's CN is the user, each O a group. A certificate without CN says nothing; one that
 * doesn't verify is a failure. TLS asks for a certificate and takes any: only here is it judged.
 * Source: apiserver pkg/authentication/request/x509/x509.go.
 */
import { createHash } from "node:crypto";
import type { User } from "../apimachinery/user.ts";
import type { Certificate } from "./certificate.ts";
import { type ChainVerifierOptions, createChainVerifier } from "./peer-chain.ts";
import type { Authenticator } from "./union.ts";

const commonName = "2.5.4.3";
const organization = "2.5.4.10";
const userId = "1.3.6.1.4.1.57683.2";

/** Gives an authenticator for client certificates. */
export function x509Authenticator(options: ChainVerifierOptions): Authenticator {
  const verify = createChainVerifier(options);
  // What a subject says of a user is read once a connection.
  const users = new WeakMap<Certificate, User>();
  return (request) => {
    const leaf = verify(request.peerCertificate());
    if (leaf === undefined) return undefined;
    const user = users.get(leaf) ?? userOfSubject(leaf);
    if (user !== undefined) users.set(leaf, user);
    return user;
  };
}

/** Gives the subject's last CN, `""` without one. */
export function commonNameOf(certificate: Certificate): string {
  return valuesOf(certificate, commonName).at(-1) ?? "";
}

/**
 * Gives the user that a subject names, undefined if it has no CN.
 * @throws Error if it has more than one uid, or an empty one.
 */
function userOfSubject(certificate: Certificate): User | undefined {
  const name = commonNameOf(certificate);
  if (name === "") return undefined;
  const uids = valuesOf(certificate, userId);
  if (uids.length > 1) throw new Error(`expected 1 UID, but found multiple: [${uids.join(" ")}]`);
  if (uids[0] === "") throw new Error("UID cannot be an empty string");
  const fingerprint = createHash("sha256").update(certificate.raw).digest("hex");
  return {
    name,
    uid: uids[0] ?? "",
    groups: valuesOf(certificate, organization),
    extra: { "authentication.kubernetes.io/credential-id": [`X509SHA256=${fingerprint}`] },
  };
}

function valuesOf({ subject }: Certificate, oid: string): string[] {
  return subject.filter((one) => one.oid === oid).map((one) => one.value);
}
