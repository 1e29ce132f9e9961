/**
 * Who asks: the user as Kubernetes names one, and the certificate that a client showed.
 *
 * Source: authentication.k8s.io/v1 UserInfo.
 */

/** A user. `extra` keys are lower case. */
export interface User {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** One certificate of a client's chain, leaf first. */
export interface PeerCertificate {
  /** DER bytes. */
  readonly raw: Buffer;
  /** The one that the client sent after it, if any. */
  readonly issuer: PeerCertificate | undefined;
}

/** The group that may do everything. */
export const systemMasters = "system:masters";
/** The group of everybody who is known. */
export const systemAuthenticated = "system:authenticated";
/** The group of everybody else. */
export const systemUnauthenticated = "system:unauthenticated";
/** The name of who sends no credentials. */
export const anonymousUser = "system:anonymous";
