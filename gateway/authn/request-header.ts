/**
 * Believes a front proxy about who asks: kube-apiserver's aggregation layer names the user in headers.
 *
 * Anybody can write a header. So they count only on a connection whose client showed a certificate of
 * the front proxy's own authority, for use as a client, with a name that is allowed; without that they
 * are as if they weren't there. Rules are asked for with each request, and no rules believe nobody.
 * Source: apiserver pkg/authentication/request/headerrequest/requestheader.go.
 */
import type { HttpRequest } from "../apimachinery/http.ts";
import type { User } from "../apimachinery/user.ts";
import type { Certificate } from "./certificate.ts";
import { headerText, keyedValues } from "./header-text.ts";
import { createChainVerifier } from "./peer-chain.ts";
import type { Authenticator } from "./union.ts";
import { commonNameOf } from "./x509.ts";

/** Which headers say who asks. Names in any case; of users and uids the first that has a value counts. */
export interface IdentityHeaders {
  readonly usernameHeaders: readonly string[];
  /** Empty: a uid is not taken from anybody. */
  readonly uidHeaders: readonly string[];
  /** All values of all of them. */
  readonly groupHeaders: readonly string[];
  /** What follows the prefix is the key, percent-encoded. */
  readonly extraHeaderPrefixes: readonly string[];
}

/** Whom to believe, and about what. */
export interface FrontProxyRules extends IdentityHeaders {
  /** The front proxy's authorities. */
  readonly roots: readonly Certificate[];
  /** Common names. Empty: any of those authorities' certificates. */
  readonly allowedNames: readonly string[];
}

/** What kube-apiserver sends. */
export const standardHeaders: IdentityHeaders = {
  usernameHeaders: ["X-Remote-User"],
  uidHeaders: ["X-Remote-Uid"],
  groupHeaders: ["X-Remote-Group"],
  extraHeaderPrefixes: ["X-Remote-Extra-"],
};

/** Nobody: what there is before any rules are known. */
const nobody: readonly Certificate[] = [];

/** Gives an authenticator for requests of a front proxy. `rules` undefined: it has no opinion. */
export function requestHeaderAuthenticator(options: {
  readonly rules: () => FrontProxyRules | undefined;
  readonly clock: () => Date;
}): Authenticator {
  const { rules, clock } = options;
  const verify = createChainVerifier({ roots: () => rules()?.roots ?? nobody, clock });
  return (request) => {
    const leaf = verify(request.peerCertificate());
    const current = rules();
    if (leaf === undefined || current === undefined) return undefined;
    const name = commonNameOf(leaf);
    if (current.allowedNames.length > 0 && !current.allowedNames.includes(name)) {
      throw new Error(`x509: subject with cn=${name} is not in the allowed list`);
    }
    return userOfHeaders(request, current);
  };
}

/** Tells if a header, by its lower-case name, says who asks. */
export function isIdentityHeader(name: string, headers: IdentityHeaders): boolean {
  const exact = [...headers.usernameHeaders, ...headers.uidHeaders, ...headers.groupHeaders];
  if (exact.some((one) => one.toLowerCase() === name)) return true;
  return headers.extraHeaderPrefixes.some((prefix) => name.startsWith(prefix.toLowerCase()));
}

function userOfHeaders(request: HttpRequest, headers: IdentityHeaders): User | undefined {
  const name = firstValue(request, headers.usernameHeaders);
  if (name === "") return undefined;
  return {
    name,
    uid: firstValue(request, headers.uidHeaders),
    groups: headers.groupHeaders
      .flatMap((header) => request.headers(header.toLowerCase()))
      .filter((value) => value !== "")
      .map(headerText),
    extra: Object.fromEntries(
      keyedValues(
        request.rawHeaders,
        headers.extraHeaderPrefixes.map((one) => one.toLowerCase()),
      ),
    ),
  };
}

/** Of a header that stands twice only the first counts. */
function firstValue(request: HttpRequest, names: readonly string[]): string {
  const values = names.map((name) => request.header(name.toLowerCase()) ?? "");
  return headerText(values.find((value) => value !== "") ?? "");
}
