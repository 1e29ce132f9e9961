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

/** Which headers say who asks, in lower case. Of users and uids the first that has a value counts. */
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
  usernameHeaders: ["x-remote-user"],
  uidHeaders: ["x-remote-uid"],
  groupHeaders: ["x-remote-group"],
  extraHeaderPrefixes: ["x-remote-extra-"],
};

/** Gives names as requests have them. */
export function lowerCased<T extends IdentityHeaders>(headers: T): T {
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
  return {
    ...headers,
    usernameHeaders: lower(headers.usernameHeaders),
    uidHeaders: lower(headers.uidHeaders),
    groupHeaders: lower(headers.groupHeaders),
    extraHeaderPrefixes: lower(headers.extraHeaderPrefixes),
  };
}

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
  const { usernameHeaders, uidHeaders, groupHeaders, extraHeaderPrefixes } = headers;
  if (usernameHeaders.includes(name) || uidHeaders.includes(name) || groupHeaders.includes(name)) return true;
  return extraHeaderPrefixes.some((prefix) => name.startsWith(prefix));
}

function userOfHeaders(request: HttpRequest, headers: IdentityHeaders): User | undefined {
  const name = firstValue(request, headers.usernameHeaders);
  if (name === "") return undefined;
  return {
    name,
    uid: firstValue(request, headers.uidHeaders),
    groups: headers.groupHeaders
      .flatMap((header) => request.headers(header))
      .filter((value) => value !== "")
      .map(headerText),
    extra: Object.fromEntries(keyedValues(request.rawHeaders, headers.extraHeaderPrefixes)),
  };
}

/** Of a header that stands twice only the first counts. */
function firstValue(request: HttpRequest, names: readonly string[]): string {
  for (const name of names) {
    const value = request.header(name) ?? "";
    if (value !== "") return headerText(value);
  }
  return "";
}
