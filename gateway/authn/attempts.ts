/**
 * What becomes of a request's credentials: a user, a 401, and a word to whoever keeps count.
 *
 * Wrong credentials and none that anybody knows are told apart here, and in the log, never to clients.
 * Source: apiserver pkg/endpoints/filters/authentication.go.
 */
import type { HttpRequest } from "../apimachinery/http.ts";
import { isPromise } from "../apimachinery/promise.ts";
import { unauthorized } from "../apimachinery/status.ts";
import type { Authenticating, Authentication } from "./authn.ts";
import type { Log } from "./watched-file.ts";

/** What came of one request's credentials. */
export interface Attempt {
  /** `failure`: nobody knows who asks. `error`: the credentials are wrong, or could not be judged. */
  readonly result: "success" | "failure" | "error";
  /** `""` without one. */
  readonly username: string;
  readonly seconds: number;
}

/**
 * Gives the authentication that `identify` decides.
 *
 * @param identify gives undefined if nobody knows who asks. What it throws is for the log alone.
 */
export function authenticatingBy(
  identify: (request: HttpRequest) => Authentication | undefined | Promise<Authentication | undefined>,
  log: Log,
): Required<Pick<Authenticating, "authenticate" | "onAttempt">> {
  const listeners: ((attempt: Attempt) => void)[] = [];
  return {
    async authenticate(request) {
      const began = performance.now();
      const tell = (result: Attempt["result"], username = "") => {
        const seconds = (performance.now() - began) / 1000;
        for (const listener of listeners) listener({ result, username, seconds });
      };
      let found: Authentication | undefined;
      try {
        const identified = identify(request);
        found = isPromise(identified) ? await identified : identified;
      } catch (error) {
        log.warn(
          { error: (error as Error).message, remoteAddress: request.remoteAddress },
          "unable to authenticate a request",
        );
        tell("error");
        throw unauthorized();
      }
      tell(found === undefined ? "failure" : "success", found?.user.name);
      if (found === undefined) throw unauthorized();
      return found;
    },
    onAttempt: (listener) => void listeners.push(listener),
  };
}
