/**
 * What an authorizer is asked and what it answers, and how several make one.
 *
 * The first that allows or denies decides; one without an opinion passes the question on; if nobody
 * decides, the request is forbidden. A failure counts only if nobody allows.
 * Source: apiserver pkg/authorization/{authorizer,union,path,authorizerfactory}.
 */
import type { Attributes } from "../apimachinery/attributes.ts";
import { isPromise } from "../apimachinery/promise.ts";
import type { RequestInfo } from "../apimachinery/request-info.ts";
import { systemMasters, type User } from "../apimachinery/user.ts";

export type { Attributes } from "../apimachinery/attributes.ts";

/** The answer. `reason` is for people and ends the text of a 403. */
export interface Decision {
  readonly outcome: "allow" | "deny" | "noOpinion";
  readonly reason: string;
  /** Why it could not be sure. Its text is shown to the client. */
  readonly error?: Error;
}

/** Answers for one source of permissions. Never throws for what a user did. */
export type Authorizer = (attributes: Attributes) => Decision | Promise<Decision>;

const noOpinion: Decision = { outcome: "noOpinion", reason: "" };
const allow: Decision = { outcome: "allow", reason: "" };

/** Gives what to ask about a request. */
export function attributesOf(info: RequestInfo, user: User): Attributes {
  return {
    user,
    verb: info.verb,
    isResourceRequest: info.isResourceRequest,
    path: info.path,
    apiGroup: info.apiGroup,
    apiVersion: info.apiVersion,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    fieldSelector: info.fieldSelector,
    labelSelector: info.labelSelector,
  };
}

/** Asks in order until one decides; without a decision, all reasons and failures together. */
export function unionAuthorizer(authorizers: readonly Authorizer[]): Authorizer {
  return (attributes) => firstDecision(authorizers, attributes, []);
}

/** @param before those of the authorizers before. */
function firstDecision(
  authorizers: readonly Authorizer[],
  attributes: Attributes,
  before: readonly Decision[],
): Decision | Promise<Decision> {
  const silent = [...before];
  for (let index = 0; index < authorizers.length; index++) {
    const answer = (authorizers[index] as Authorizer)(attributes);
    if (isPromise(answer)) {
      const others = authorizers.slice(index + 1);
      return answer.then((decision) =>
        decision.outcome === "noOpinion" ? firstDecision(others, attributes, [...silent, decision]) : decision,
      );
    }
    if (answer.outcome !== "noOpinion") return answer;
    silent.push(answer);
  }
  return undecided(silent);
}

function undecided(silent: readonly Decision[]): Decision {
  const reason = silent.flatMap((one) => (one.reason === "" ? [] : [one.reason])).join("\n");
  const errors = silent.flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (errors.length === 0) return { outcome: "noOpinion", reason };
  return { outcome: "noOpinion", reason, error: aggregate(errors) };
}

/** Allows members of these groups everything. */
export function groupsAuthorizer(groups: readonly string[] = [systemMasters]): Authorizer {
  return ({ user }) => (user.groups.some((group) => groups.includes(group)) ? allow : noOpinion);
}

/** Paths that probes ask without credentials. */
export const defaultAllowedPaths: readonly string[] = ["/healthz", "/livez", "/readyz"];

/**
 * Allows everybody these paths that are about no resource: whole, or as a beginning if one ends in `*`.
 * @throws Error `only trailing * allowed in "x"`.
 */
export function pathsAuthorizer(paths: readonly string[] = defaultAllowedPaths): Authorizer {
  const whole = new Set<string>();
  const beginnings: string[] = [];
  for (const given of paths) {
    const path = withoutSlash(given);
    if (path.slice(0, -1).includes("*")) throw new Error(`only trailing * allowed in ${JSON.stringify(path)}`);
    if (path.endsWith("*")) beginnings.push(path.slice(0, -1));
    else whole.add(path);
  }
  return ({ isResourceRequest, path: asked }) => {
    if (isResourceRequest) return noOpinion;
    const path = withoutSlash(asked);
    return whole.has(path) || beginnings.some((beginning) => path.startsWith(beginning)) ? allow : noOpinion;
  };
}

/** Gives one error for several: its text alone, or `[a, b]` without repetitions. */
export function aggregate(errors: readonly Error[]): Error {
  const texts = [...new Set(errors.map((error) => error.message))];
  const text = texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
  return new AggregateError(errors, text);
}

function withoutSlash(path: string): string {
  return path.startsWith("/") ? path.slice(1) : path;
}
