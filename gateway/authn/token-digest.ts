/**
 * By what a token is looked up: neither does it lie in memory then, nor does the time that a look-up takes say
 * anything about it.
 *
 * A secret in front of the token is enough of a key: digests never leave the process, so nobody can lengthen one,
 * which is all that an HMAC would prevent, at four times the cost with each request (fifteen with the key as bytes).
 */
import { hash, randomBytes } from "node:crypto";

const secretBytes = 32;

/** Gives digests of tokens, by a secret of its own. */
export function tokenDigests(): (token: string) => string {
  const secret = randomBytes(secretBytes).toString("base64");
  return (token) => hash("sha256", secret + token, "base64");
}
