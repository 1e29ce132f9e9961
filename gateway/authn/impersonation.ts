/**
 * Lets a user act as another one, if they may.
 *
 * Two questions decide in a constrained mode: may they do this very request while they are somebody
 * else (`impersonate-on:<mode>:<verb>` of what is asked for), and may they be this user (`impersonate:<mode>`
 * of the name, and of each group, uid and extra). Which mode fits depends on the user that is wanted;
 * where none allows it, the older verb `impersonate` may. The first refusal is the one that is told.
 * Absent on purpose: caches of our own; authorizers have theirs.
 * Source: apiserver pkg/endpoints/filters/impersonation (mode.go); KEP-5284.
 */
import type { Attributes } from "../apimachinery/attributes.ts";
import { goQuote } from "../apimachinery/go-text.ts";
import type { HttpRequest } from "../apimachinery/http.ts";
import { dns1123LabelErrors, dns1123SubdomainErrors } from "../apimachinery/names.ts";
import { StatusError } from "../apimachinery/status.ts";
import {
  anonymousUser,
  systemAuthenticated,
  systemMasters,
  systemUnauthenticated,
  type User,
} from "../apimachinery/user.ts";
import { wantedUser, withoutWanted } from "./wanted-user.ts";

/** What impersonation needs of authorization. */
export interface ImpersonationTools {
  /** What the request asks for, by the user who sends it. */
  readonly attributes: Attributes;
  /** @throws StatusError 403 if it isn't allowed. */
  readonly assertMay: (attributes: Attributes) => Promise<void>;
  /** Gives a refusal for a reason that no authorizer knows. */
  readonly forbidden: (attributes: Attributes, reason: string) => StatusError;
}

/** As whom a request goes on. */
export interface Acting {
  readonly user: User;
  /** Who acts as `user`. Undefined: nobody but the user itself. */
  readonly impersonator: User | undefined;
  /** Without the headers that asked for it. */
  readonly request: HttpRequest;
}

/**
 * Gives as whom the request goes on.
 * @throws StatusError 403 if it may not, 400 if the headers name no user.
 */
export function actingUser(request: HttpRequest, tools: ImpersonationTools): Acting | Promise<Acting> {
  const wanted = wantedUser(request);
  if (wanted === undefined) return { user: tools.attributes.user, impersonator: undefined, request };
  return actingAs(wanted, request, tools);
}

async function actingAs(wanted: User, request: HttpRequest, tools: ImpersonationTools): Promise<Acting> {
  const requestor = tools.attributes.user;
  let refusal: StatusError | undefined;
  for (const mode of modes) {
    if (!mode.fits(wanted, requestor)) continue;
    try {
      const user = await actAs(wanted, mode, tools);
      return { user, impersonator: requestor, request: withoutWanted(request) };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal ?? new RangeError("the last mode fits every user");
}

interface Mode {
  /** Undefined: the older way, that looks at nothing but the user who is wanted. */
  readonly name: string | undefined;
  fits(wanted: User, requestor: User): boolean;
  /** What is really asked. */
  readonly ask?: (attributes: Attributes) => Attributes;
}

const nodeNameKey = "authentication.kubernetes.io/node-name";
const nodeKeysKey = "authentication.kubernetes.io/associated-node-keys";

const modes: readonly Mode[] = [
  {
    // A service account on a node as that node: the node's name was compared, so no rule need name it.
    name: "associated-node",
    fits: (wanted, { name, extra }) => {
      const node = nodeOf(wanted.name);
      if (node === undefined || !isNameAlone(wanted) || serviceAccountOf(name) === undefined) return false;
      const own = extra[nodeNameKey];
      return own?.length === 1 && own[0] === node;
    },
    ask: (attributes) => ({
      ...attributes,
      user: { ...attributes.user, extra: { [nodeKeysKey]: Object.keys(attributes.user.extra).sort() } },
      name: attributes.verb === "impersonate:associated-node" ? "*" : attributes.name,
    }),
  },
  { name: "arbitrary-node", fits: (wanted) => isNameAlone(wanted) && nodeOf(wanted.name) !== undefined },
  { name: "serviceaccount", fits: (wanted) => isNameAlone(wanted) && serviceAccountOf(wanted.name) !== undefined },
  {
    name: "user-info",
    fits: ({ name }) => nodeOf(name) === undefined && serviceAccountOf(name) === undefined,
  },
  { name: undefined, fits: () => true },
];

async function actAs(wanted: User, mode: Mode, tools: ImpersonationTools): Promise<User> {
  const { ask = (attributes) => attributes } = mode;
  const may = async (attributes: Attributes) => await tools.assertMay(ask(attributes));
  if (mode.name !== undefined) {
    await may({ ...tools.attributes, verb: `impersonate-on:${mode.name}:${tools.attributes.verb}` });
  }
  const asking: Asking = {
    isConstrained: mode.name !== undefined,
    may,
    question: questionsOf(tools.attributes.user, mode),
    forbidden: tools.forbidden,
  };
  const groups = await askForName(wanted, asking);
  if (wanted.uid !== "") await may(asking.question("uids", wanted.uid));
  await askForGroups(wanted.groups, asking);
  await askForExtra(wanted.extra, asking);
  return { ...wanted, groups: withStanding(wanted.name, groups) };
}

interface Asking {
  readonly isConstrained: boolean;
  readonly may: (attributes: Attributes) => Promise<void>;
  readonly question: (resource: string, name: string) => Attributes;
  readonly forbidden: ImpersonationTools["forbidden"];
}

/** Asking for one that stands for all saves questions from this many on. */
const manyQuestions = 4;
const authenticationGroup = "authentication.k8s.io";

function questionsOf(requestor: User, { name: mode }: Mode): Asking["question"] {
  const verb = mode === undefined ? "impersonate" : `impersonate:${mode}`;
  return (resource, name) => ({
    ...{ user: requestor, verb, isResourceRequest: true, path: "", resource, name, namespace: "", subresource: "" },
    // Users and groups were of no group before there were modes.
    apiGroup:
      mode === undefined && ["users", "groups", "serviceaccounts"].includes(resource) ? "" : authenticationGroup,
    apiVersion: "v1",
    fieldSelector: "",
    labelSelector: "",
  });
}

/** Gives the groups that the user has by what it is, or was wanted to have. */
async function askForName(
  { name, groups }: User,
  { isConstrained, may, question }: Asking,
): Promise<readonly string[]> {
  const node = isConstrained ? nodeOf(name) : undefined;
  const account = serviceAccountOf(name);
  if (node !== undefined) {
    await may(question("nodes", node));
    return ["system:nodes"];
  }
  if (account === undefined) {
    await may(question("users", name));
    return groups;
  }
  await may({ ...question("serviceaccounts", account.name), namespace: account.namespace });
  if (groups.length > 0) return groups;
  return ["system:serviceaccounts", `system:serviceaccounts:${account.namespace}`];
}

async function askForGroups(groups: readonly string[], { isConstrained, may, question, forbidden }: Asking) {
  if (isConstrained && groups.includes("")) {
    throw forbidden(question("groups", ""), "impersonating the empty string group is not allowed");
  }
  if (isConstrained && groups.includes(systemMasters)) {
    const why = `impersonating the ${systemMasters} group is not allowed`;
    throw forbidden(question("groups", systemMasters), why);
  }
  if (isConstrained && groups.length >= manyQuestions && (await isAllowed(may, question("groups", "*")))) return;
  for (const group of groups) await may(question("groups", group));
}

async function askForExtra(extra: User["extra"], { isConstrained, may, question, forbidden }: Asking) {
  const pairs = Object.entries(extra).flatMap(([key, values]) => values.map((value) => [key, value] as const));
  const about = (key: string, value: string) => ({ ...question("userextras", value), subresource: key });
  if (isConstrained) {
    const fault = pairs.map(([key, value]) => extraFault(key, value)).find((one) => one !== undefined);
    if (fault !== undefined) throw forbidden(question("userextras", ""), fault);
  }
  if (isConstrained && pairs.length >= manyQuestions && (await isAllowed(may, about("*", "*")))) return;
  for (const [key, value] of pairs) await may(about(key, value));
}

/** Keys come lower-cased from their headers, and no key without a value. */
function extraFault(key: string, value: string): string | undefined {
  if (key === "") return "impersonating the empty string key in extra is not allowed";
  const [domain = "", path = ""] = key.split(/\/(.*)/s);
  const invalid = "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ";
  if (domain === "" || path === "") {
    return `${invalid}${goQuote(key)}: must be a domain-prefixed path (such as "acme.io/foo")`;
  }
  const why = dns1123SubdomainErrors(domain)[0];
  if (why !== undefined) return `${invalid}${goQuote(domain)}: ${why}`;
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) return `${invalid}${goQuote(path)}: Invalid path`;
  return value === "" ? "impersonating the empty string value in extra is not allowed" : undefined;
}

async function isAllowed(may: Asking["may"], attributes: Attributes): Promise<boolean> {
  try {
    await may(attributes);
    return true;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return false;
  }
}

/** Everybody is known or unknown; who says so by a group is left with that. */
function withStanding(name: string, groups: readonly string[]): readonly string[] {
  const standing = name === anonymousUser ? systemUnauthenticated : systemAuthenticated;
  return groups.includes(standing) || groups.includes(systemUnauthenticated) ? groups : [...groups, standing];
}

function isNameAlone({ uid, groups, extra }: User): boolean {
  return uid === "" && groups.length === 0 && Object.keys(extra).length === 0;
}

function nodeOf(name: string): string | undefined {
  const prefix = "system:node:";
  if (!name.startsWith(prefix)) return undefined;
  const node = name.slice(prefix.length);
  return dns1123SubdomainErrors(node).length === 0 ? node : undefined;
}

function serviceAccountOf(username: string): { readonly namespace: string; readonly name: string } | undefined {
  const parts = username.split(":");
  const [, , namespace = "", name = ""] = parts;
  if (parts.length !== 4 || !username.startsWith("system:serviceaccount:")) return undefined;
  if (dns1123LabelErrors(namespace).length > 0 || dns1123SubdomainErrors(name).length > 0) return undefined;
  return { namespace, name };
}
