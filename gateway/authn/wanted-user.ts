/**
 * Reads whom a request wants to act as: the Impersonate-* headers.
 *
 * Source: apiserver pkg/endpoints/filters/impersonation/constrained_impersonation.go
 * (processImpersonationHeaders); Kubernetes "Authenticating", "User impersonation".
 */
import { goQuote } from "../apimachinery/go-text.ts";
import { type HttpRequest, withRawHeaders } from "../apimachinery/http.ts";
import { badRequest } from "../apimachinery/status.ts";
import type { User } from "../apimachinery/user.ts";
import { headerText, keyedValues } from "./header-text.ts";

const prefix = "impersonate-";
const extraPrefix = "impersonate-extra-";

/**
 * Gives the user as the headers say it, nothing filled in; undefined if they name none.
 * @throws StatusError 400 if they say something of a user that they don't name.
 */
export function wantedUser(request: HttpRequest): User | undefined {
  if (!request.rawHeaders.some(([name]) => name.startsWith(prefix))) return undefined;
  const wanted: User = {
    name: headerText(request.header("impersonate-user") ?? ""),
    uid: headerText(request.header("impersonate-uid") ?? ""),
    groups: request.headers("impersonate-group").map(headerText),
    extra: Object.fromEntries(keyedValues(request.rawHeaders, [extraPrefix])),
  };
  if (wanted.name !== "") return wanted;
  if (wanted.uid === "" && wanted.groups.length === 0 && Object.keys(wanted.extra).length === 0) return undefined;
  throw badRequest(`requested ${formatWanted(wanted)} without impersonating a user name`);
}

/** Gives the request without these headers: nobody behind us should act differently for them. */
export function withoutWanted(request: HttpRequest): HttpRequest {
  const isOne = (name: string) =>
    ["impersonate-user", "impersonate-uid", "impersonate-group"].includes(name) || name.startsWith(extraPrefix);
  return withRawHeaders(
    request,
    request.rawHeaders.filter(([name]) => !isOne(name)),
  );
}

/** As Go prints the value. */
function formatWanted({ name, uid, groups, extra }: User): string {
  const entries = Object.entries(extra).sort(([a], [b]) => (a < b ? -1 : 1));
  const pairs = entries.map(([key, values]) => `${goQuote(key)}:${formatTexts(values)}`);
  const map = entries.length === 0 ? "map[string][]string(nil)" : `map[string][]string{${pairs.join(", ")}}`;
  return `&user.DefaultInfo{Name:${goQuote(name)}, UID:${goQuote(uid)}, Groups:${formatTexts(groups)}, Extra:${map}}`;
}

function formatTexts(texts: readonly string[]): string {
  return texts.length === 0 ? "[]string(nil)" : `[]string{${texts.map(goQuote).join(", ")}}`;
}
