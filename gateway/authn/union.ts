/**
 * Joins authenticators into one.
 *
 * All are tried in order until one knows the user; one that fails doesn't stop the rest, but if
 * nobody knows the user, a failure stands: wrong credentials never become an anonymous user.
 * Source: apiserver pkg/authentication/request/union, pkg/authentication/group.
 */
import type { HttpRequest } from "../apimachinery/http.ts";
import { isPromise } from "../apimachinery/promise.ts";
import { anonymousUser, systemAuthenticated, systemUnauthenticated, type User } from "../apimachinery/user.ts";

/**
 * Says who sends a request, undefined if it finds nothing that it could judge by.
 *
 * `warn` takes texts for the answer's Warning headers.
 * @throws Error if there are credentials and they are not right. Its text is logged, never sent.
 */
export type Authenticator = (
  request: HttpRequest,
  warn: (text: string) => void,
) => User | undefined | Promise<User | undefined>;

/**
 * Gives the first user that one of the authenticators knows.
 * @throws AggregateError with all failures, if there was one and none knows the user.
 */
export function unionAuthenticator(authenticators: readonly Authenticator[]): Authenticator {
  return (request, warn) => firstUser(authenticators, (authenticator) => authenticator(request, warn));
}

/**
 * Asks one after the other until one knows.
 * @param before what has failed already.
 * @throws AggregateError with all failures, if there was one and none knows.
 */
export function firstUser<A>(
  authenticators: readonly A[],
  ask: (authenticator: A) => User | undefined | Promise<User | undefined>,
  before: readonly Error[] = [],
): User | undefined | Promise<User | undefined> {
  const failures = [...before];
  for (let index = 0; index < authenticators.length; index++) {
    try {
      const answer = ask(authenticators[index] as A);
      if (isPromise(answer)) {
        const others = authenticators.slice(index + 1);
        return answer.then(
          (user) => user ?? firstUser(others, ask, failures),
          (error: Error) => firstUser(others, ask, [...failures, error]),
        );
      }
      if (answer !== undefined) return answer;
    } catch (error) {
      failures.push(error as Error);
    }
  }
  if (failures.length === 0) return undefined;
  throw new AggregateError(failures, failures.map((one) => one.message).join(", "));
}

/** Gives the user with the group of everybody who is known, unless it is anonymous or has one already. */
export function withAuthenticatedGroup(user: User): User {
  if (user.name === anonymousUser) return user;
  if (user.groups.includes(systemAuthenticated) || user.groups.includes(systemUnauthenticated)) return user;
  return { ...user, groups: [...user.groups, systemAuthenticated] };
}
