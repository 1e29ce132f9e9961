/**
 * Reads what a request says in its URL and its headers: attributes, options, deadline, audit id.
 *
 * Nothing here asks who the client is or what is served. What can't be read is refused in
 * kube-apiserver's words; what it ignores is ignored.
 *
 *     /apis/<group>/<version>[/watch][/namespaces/<namespace>]/<resource>[/<name>[/<subresource>...]]
 *     /api/<version>...       the same without a group
 *     anything else           no resource: the verb is the method in lower case
 *
 * Source: apiserver pkg/endpoints/request/requestinfo.go.
 */
import type { RequestInfo } from "../apimachinery/request-info.ts";
import { requiresExactMatch } from "../apimachinery/selectors.ts";
import { internalServerError, type TextError, UnreadableRequest } from "../apimachinery/text-error.ts";
import { readListParameters } from "./list-options.ts";
import { parseQuery, percentDecode, type Query, switchOf, textOf } from "./query.ts";

export { auditIdOf } from "./audit-id.ts";
export { isLongRunning, maxRequestMs, requestDeadlineMs } from "./deadline.ts";
export { parseDeleteOptions } from "./delete-options.ts";
export { parseGetOptions, parseTableOptions } from "./get-options.ts";
export { parseListOptions } from "./list-options.ts";
export { parseQuery, type Query } from "./query.ts";
export { createWarnings, type Warnings } from "./warnings.ts";
export { fieldManagerOf, parseCreateOptions, parsePatchOptions, parseUpdateOptions } from "./write-options.ts";

/** The first line of a request. Path and query as sent, still percent-encoded. */
export interface RequestLine {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Path and query as sent, for messages. Default: put together from both. */
  readonly uri?: string;
}

/**
 * Gives a request's attributes. `query` is the line's, read.
 * @throws TextError 500 if the path ends behind `watch` or `proxy`, 400 if its escapes are broken.
 */
export function parseRequestInfo(line: RequestLine, query: Query = parseQuery(line.query)): RequestInfo {
  const path = percentDecode(line.path, false);
  if (path === undefined) throw new UnreadableRequest();
  const parts = splitPath(path);
  const prefix = parts[0] ?? "";
  const isGrouped = prefix === "apis";
  if (parts.length < 3 || (prefix !== "api" && !isGrouped) || (isGrouped && parts.length < 4)) {
    const isApi = parts.length >= 3 && isGrouped;
    return { ...noResource, path, verb: line.method.toLowerCase(), apiPrefix: isApi ? prefix : "" };
  }
  const group = isGrouped ? (parts[1] ?? "") : "";
  const version = parts[isGrouped ? 2 : 1] ?? "";
  return resourceInfo(line, query, parts.slice(isGrouped ? 3 : 2), {
    ...noResource,
    isResourceRequest: true,
    path,
    apiPrefix: prefix,
    apiGroup: group,
    apiVersion: version,
  });
}

const noResource: RequestInfo = {
  isResourceRequest: false,
  path: "",
  verb: "",
  apiPrefix: "",
  apiGroup: "",
  apiVersion: "",
  namespace: "",
  resource: "",
  subresource: "",
  name: "",
  parts: [],
  legacyWatch: false,
  fieldSelector: "",
  labelSelector: "",
};

/** Segments of a path, without the slashes at both ends. */
function splitPath(path: string): string[] {
  let start = 0;
  let end = path.length;
  while (path[start] === "/") start++;
  while (end > start && path[end - 1] === "/") end--;
  return start === end ? [] : path.slice(start, end).split("/");
}

/** Verbs that older clients write into the path, behind the version. */
const pathVerbs = new Set(["proxy", "watch"]);
/** What follows a namespace's name and is no resource in it. */
const namespaceSubresources = new Set(["status", "finalize"]);
const methodVerbs = new Map([
  ["POST", "create"],
  ["GET", "get"],
  ["HEAD", "get"],
  ["PUT", "update"],
  ["PATCH", "patch"],
  ["DELETE", "delete"],
]);

/** Reads what follows the version. `rest` has at least one segment. */
function resourceInfo(line: RequestLine, query: Query, rest: readonly string[], base: RequestInfo): RequestInfo {
  let parts = rest;
  let verb = methodVerbs.get(line.method) ?? "";
  const hasPathVerb = pathVerbs.has(parts[0] ?? "");
  if (hasPathVerb) {
    if (parts.length < 2) throw undeterminable(line);
    verb = parts[0] ?? "";
    parts = parts.slice(1);
  }
  let namespace = "";
  if (parts[0] === "namespaces" && parts.length > 1) {
    namespace = parts[1] ?? "";
    if (parts.length > 2 && !namespaceSubresources.has(parts[2] ?? "")) parts = parts.slice(2);
  }
  const info: RequestInfo = {
    ...base,
    verb,
    namespace,
    parts,
    resource: parts[0] ?? "",
    name: parts[1] ?? "",
    subresource: verb === "proxy" ? "" : (parts[2] ?? ""),
    legacyWatch: hasPathVerb && verb === "watch",
  };
  return hasPathVerb ? info : collectionInfo(info, query);
}

/** Tells list, watch and deletecollection from their verbs on one object, and notes their selectors. */
function collectionInfo(item: RequestInfo, query: Query): RequestInfo {
  let info = item;
  if (info.name === "" && info.verb === "get") info = { ...info, ...listOrWatch(query) };
  if (info.name === "" && info.verb === "delete") info = { ...info, verb: "deletecollection" };
  if (info.verb !== "list" && info.verb !== "watch" && info.verb !== "deletecollection") return info;
  return { ...info, fieldSelector: textOf(query, "fieldSelector"), labelSelector: textOf(query, "labelSelector") };
}

/** A selector on metadata.name names the object, so that rules about names can allow it. */
function listOrWatch(query: Query): { verb: string; name: string } {
  const verb = switchOf(query, "watch") ? "watch" : "list";
  try {
    const name = requiresExactMatch(readListParameters(query).fields, "metadata.name");
    return { verb, name: name !== undefined && isPathSegment(name) ? name : "" };
  } catch {
    // Options that can't be read are refused later, with their reason; until then they name nothing.
    return { verb, name: "" };
  }
}

function isPathSegment(name: string): boolean {
  return name !== "." && name !== ".." && !name.includes("/") && !name.includes("%");
}

function undeterminable(line: RequestLine): TextError {
  const url = line.query === "" ? line.path : `${line.path}?${line.query}`;
  const why = `failed to create RequestInfo: unable to determine kind and namespace from url, ${url}`;
  return internalServerError(line.uri ?? url, why);
}
