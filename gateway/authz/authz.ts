/**
 * Says whether a user may do what a request asks, and in which words not.
 *
 * Order: members of system:masters, paths that are open to all, rules (RBAC). Whoever is not
 * allowed by one of them gets a 403 that names user, verb and object; an authorizer that failed,
 * with nobody else allowing, gives a 500.
 * Source: apiserver pkg/endpoints/filters/authorization.go, pkg/endpoints/handlers/responsewriters/errors.go.
 */

import { goQuote } from "../apimachinery/go-text.ts";
import { formatGroupWord } from "../apimachinery/gvk.ts";
import { after } from "../apimachinery/promise.ts";
import { StatusError } from "../apimachinery/status.ts";
import { escapeMarkup, internalServerError, type TextError } from "../apimachinery/text-error.ts";
import { type Attributes, type Authorizer, groupsAuthorizer, pathsAuthorizer, unionAuthorizer } from "./authorizer.ts";
import { countedAuthorizer, type ObserveDecision } from "./observed.ts";
import { createRbacRules, rbacAuthorizer } from "./rbac.ts";
import { loadRbacManifests, type RbacManifest } from "./rbac-manifest.ts";

export { accessSetAuthorizer } from "./access-set.ts";
export { noticingAggregator } from "./aggregator.ts";
export {
  type Attributes,
  type Authorizer,
  attributesOf,
  type Decision,
  defaultAllowedPaths,
  groupsAuthorizer,
  pathsAuthorizer,
  unionAuthorizer,
} from "./authorizer.ts";
export { type ClusterAuthorization, createClusterAuthorization } from "./cluster-authorization.ts";
export { type ClusterRbac, followClusterRbac } from "./cluster-rbac.ts";
export { type AuthorizerDecision, type ObserveDecision, timedAuthorizer } from "./observed.ts";
export { createRbacRules, type RbacLookup, type RbacRules, rbacAuthorizer } from "./rbac.ts";
export { loadRbacManifests, ManifestError, parseRbacManifest, type RbacManifest } from "./rbac-manifest.ts";
export type { Binding, PolicyRule, RbacObject, Role, RoleRef, Subject } from "./rbac-objects.ts";
export { type ReviewAuthorizerOptions, reviewAuthorizer } from "./subject-access-review.ts";

/** Whom a server believes to be allowed what, beside system:masters. */
export interface AuthorizationOptions {
  /** Open to all. Default: health paths. */
  readonly allowedPaths?: readonly string[];
  readonly manifests?: readonly RbacManifest[];
  /** Asked last, in order. */
  readonly more?: readonly Authorizer[];
  /** Is told which of them decided. */
  readonly observe?: ObserveDecision;
}

/**
 * Gives the authorizer of a server: groups, paths, RBAC from manifests, and more.
 * @throws ManifestError naming file, line and field of each fault in a manifest.
 */
export function createAuthorizer(options: AuthorizationOptions): Authorizer {
  const { allowedPaths, manifests = [], more = [], observe } = options;
  const rules = createRbacRules(loadRbacManifests(manifests));
  return unionAuthorizer([
    countedAuthorizer(groupsAuthorizer(), { type: "AlwaysAllowGroups", name: "system:masters" }, observe),
    countedAuthorizer(pathsAuthorizer(allowedPaths), { type: "AlwaysAllowPaths", name: "paths" }, observe),
    countedAuthorizer(rbacAuthorizer(rules), { type: "RBAC", name: "files" }, observe),
    ...more,
  ]);
}

/**
 * Asks, and returns if it is allowed.
 *
 * @param uri path and query as sent, for the text of a failure.
 * @throws StatusError 403 if it isn't, TextError 500 if an authorizer failed and none allows.
 */
export function assertAllowed(authorizer: Authorizer, attributes: Attributes, uri: string): void | Promise<void> {
  return after(authorizer(attributes), ({ outcome, reason, error }) => {
    if (outcome === "allow") return;
    if (error !== undefined) throw authorizationFailed(uri, error);
    throw forbiddenFor(attributes, reason);
  });
}

/**
 * Asks whether a user may be somebody else, and returns if so.
 *
 * @throws StatusError 403 if not, also where an authorizer failed: with its text before the reason.
 */
export async function assertMayImpersonate(authorizer: Authorizer, attributes: Attributes): Promise<void> {
  const { outcome, reason, error } = await authorizer(attributes);
  if (outcome === "allow") return;
  throw forbiddenFor(attributes, [error?.message ?? "", reason].filter((text) => text !== "").join(": "));
}

/** Gives the 403: `<resource.group> "<name>" is forbidden: User "u" cannot ...: <reason>`. */
export function forbiddenFor(attributes: Attributes, reason: string): StatusError {
  const { apiGroup: group, resource, name } = attributes;
  const why = escapeMarkup(whatIsForbidden(attributes));
  const word = formatGroupWord(resource, group);
  const subject = word === "" ? "" : name === "" ? `${word} is ` : `${word} ${goQuote(name)} is `;
  return new StatusError({
    code: 403,
    reason: "Forbidden",
    message: `${subject}forbidden: ${why}${reason === "" ? "" : `: ${reason}`}`,
    details: {
      ...(name === "" ? {} : { name }),
      ...(group === "" ? {} : { group }),
      ...(resource === "" ? {} : { kind: resource }),
    },
  });
}

/** Gives the 500 of an authorizer that failed: text, `Internal Server Error: "<uri>": <error>`. */
export function authorizationFailed(uri: string, error: Error): TextError {
  return internalServerError(uri, error.message, { cause: error });
}

function whatIsForbidden(attributes: Attributes): string {
  const { user, verb, path, resource, subresource, apiGroup, namespace } = attributes;
  const cannot = `User ${goQuote(user.name)} cannot ${verb}`;
  if (!attributes.isResourceRequest) return `${cannot} path ${goQuote(path)}`;
  const word = subresource === "" ? resource : `${resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${goQuote(namespace)}`;
  return `${cannot} resource ${goQuote(word)} in API group ${goQuote(apiGroup)} ${where}`;
}
