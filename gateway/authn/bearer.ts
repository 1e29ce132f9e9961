/**
 * Knows users by the token in their Authorization header.
 *
 * Only `Bearer <token>` is ours; what follows the token after a space is ignored. Tokens are looked
 * up by their digest.
 * Source: apiserver pkg/authentication/request/bearertoken/bearertoken.go.
 */
import { after } from "../apimachinery/promise.ts";
import type { User } from "../apimachinery/user.ts";
import { tokenDigests } from "./token-digest.ts";
import { type Authenticator, firstUser } from "./union.ts";

/** Says whose a token is, undefined if nobody's. @throws Error if it can't tell. */
export type TokenAuthenticator = (token: string) => User | undefined | Promise<User | undefined>;

/** The warning about a header that has two spaces where one belongs. */
const extraSpaceText = "the provided Authorization header contains extra space before the bearer token, and is ignored";

/** Gives an authenticator for bearer tokens. A token that nobody has is a failure. */
export function bearerAuthenticator(userOf: TokenAuthenticator): Authenticator {
  const known = (user: User | undefined) => {
    if (user === undefined) throw new Error("invalid bearer token");
    return user;
  };
  return (request, warn) => {
    const header = (request.header("authorization") ?? "").trim();
    const [scheme, token, ...rest] = header.split(" ");
    if (scheme?.toLowerCase() !== "bearer" || token === undefined) return undefined;
    if (token === "") {
      if (rest.length > 0) warn(extraSpaceText);
      return undefined;
    }
    return after(userOf(token), known);
  };
}

/**
 * Gives the first user that one of the authenticators knows a token of.
 * @throws AggregateError with all failures, if there was one and none knows the token.
 */
export function unionTokens(authenticators: readonly TokenAuthenticator[]): TokenAuthenticator {
  return (token) => firstUser(authenticators, (userOf) => userOf(token));
}

/** Gives a look-up in a fixed set of tokens. The tokens themselves are not kept. */
export function staticTokens(users: ReadonlyMap<string, User>): TokenAuthenticator {
  const digest = tokenDigests();
  const byDigest = new Map([...users].map(([token, user]) => [digest(token), user]));
  return (token) => byDigest.get(digest(token));
}
