/**
 * Authentication by somebody else's function, when the gateway is a library in their program.
 *
 * What it says is taken as it is: the user gets no group beside those that it was given. Silence and
 * failures are both a 401, and why is for the log alone.
 * Source: rancher/steve pkg/ext (ExtensionAPIServerOptions.Authenticator).
 */
import type { HttpRequest } from "../apimachinery/http.ts";
import { authenticatingBy } from "./attempts.ts";
import type { Authenticating } from "./authn.ts";
import { withoutCredentials } from "./credentials.ts";
import type { Authenticator } from "./union.ts";
import type { Log } from "./watched-file.ts";

/** Gives the authentication of a function; one that is whole already is given back. */
export function givenAuthentication(given: Authenticator | Authenticating, log: Log): Authenticating {
  if (typeof given !== "function") return given;
  const identify = async (request: HttpRequest) => {
    const warnings: string[] = [];
    const user = await given(request, (text) => warnings.push(text));
    return user && { user, warnings, request: withoutCredentials(request) };
  };
  return {
    ...authenticatingBy(identify, log),
    clientCas: () => "",
    onClientCas: () => {},
    close: () => {},
  };
}
