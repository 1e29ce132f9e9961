/**
 * Decides by what a user may in all: the access set, made of every rule that binds the user or one
 * of the groups, and kept until one of them changes.
 *
 * Where RBAC has no opinion, this says no: nobody is asked after it. It looks at verb, group,
 * resource, namespace and name; a request for a subresource is one for its resource, and version and
 * selectors don't count. No reason is given.
 * Source: rancher/steve pkg/ext (AccessSetAuthorizer), pkg/accesscontrol.
 */
import type { User } from "../apimachinery/user.ts";
import type { Attributes, Authorizer } from "./authorizer.ts";
import { type RbacLookup, roleOf, urlMatches } from "./rbac.ts";
import type { PolicyRule, Role } from "./rbac-objects.ts";

/** Sets that are kept, and for how long: those of the users who are active. */
const maxSets = 50;
const maxAgeMs = 24 * 3600 * 1000;

/** What one user may. */
export interface AccessSet {
  grants(asked: Pick<Attributes, "verb" | "apiGroup" | "resource" | "namespace" | "name">): boolean;
  grantsPath(verb: string, path: string): boolean;
}

/** Where something may be done. `*`: everywhere, to every name. */
interface Grant {
  readonly namespace: string;
  readonly name: string;
}

/** Gives the authorizer. `now` is in ms. */
export function accessSetAuthorizer(rules: RbacLookup, now: () => number = () => performance.now()): Authorizer {
  const setOf = accessSets(rules, now);
  return (attributes) => {
    const set = setOf(attributes.user);
    const isGranted = attributes.isResourceRequest
      ? set.grants(attributes)
      : set.grantsPath(attributes.verb, attributes.path);
    return { outcome: isGranted ? "allow" : "deny", reason: "" };
  };
}

/** Finds a user's set: users whom the same roles bind in the same places share one. */
function accessSets(rules: RbacLookup, now: () => number): (user: User) => AccessSet {
  const kept = new Map<string, { readonly set: AccessSet; readonly until: number }>();
  const serials = new WeakMap<Role, number>();
  let lastSerial = 0;

  /** A changed role is another value, and so has another number. */
  function serialOf(role: Role): number {
    const known = serials.get(role);
    if (known !== undefined) return known;
    serials.set(role, ++lastSerial);
    return lastSerial;
  }

  return (user) => {
    const bound = rules.allBindingsOf(user).flatMap(({ binding }) => {
      const role = roleOf(rules, binding);
      return role instanceof Error ? [] : [{ role, namespace: binding.namespace }];
    });
    const key = [...new Set(bound.map(({ role, namespace }) => `${serialOf(role)}/${namespace}`))].sort().join();
    const found = kept.get(key);
    kept.delete(key);
    const entry =
      found !== undefined && found.until > now() ? found : { set: accessSet(bound), until: now() + maxAgeMs };
    kept.set(key, entry);
    const oldest = kept.keys().next().value;
    if (kept.size > maxSets && oldest !== undefined) kept.delete(oldest);
    return entry.set;
  };
}

/** Makes a set of roles and the namespaces that they are bound in, `""` for the cluster. */
export function accessSet(bound: readonly { readonly role: Role; readonly namespace: string }[]): AccessSet {
  const grants = new Map<string, Grant[]>();
  const paths: Pick<PolicyRule, "verbs" | "nonResourceURLs">[] = [];
  for (const { role, namespace } of bound) {
    for (const rule of role.rules) {
      if (namespace === "" && rule.nonResourceURLs.length > 0) paths.push(rule);
      addGrants(grants, rule, namespace || "*");
    }
  }
  return {
    grants: ({ verb, apiGroup, resource, namespace, name }) =>
      both(verb).some((v) =>
        both(apiGroup).some((g) =>
          both(resource).some((r) =>
            (grants.get(grantKey(v, g, r)) ?? []).some(
              (grant) => both(namespace).includes(grant.namespace) && both(name).includes(grant.name),
            ),
          ),
        ),
      ),
    grantsPath: (verb, path) =>
      paths.some(
        ({ verbs, nonResourceURLs }) =>
          both(verb).some((v) => verbs.includes(v)) && nonResourceURLs.some((url) => urlMatches(url, path)),
      ),
  };
}

function addGrants(grants: Map<string, Grant[]>, rule: PolicyRule, namespace: string): void {
  const names = rule.resourceNames.length === 0 ? ["*"] : rule.resourceNames;
  const added = names.map((name) => ({ namespace, name }));
  for (const verb of rule.verbs) {
    for (const group of rule.apiGroups) {
      for (const resource of rule.resources) {
        const key = grantKey(verb, group, resource);
        grants.set(key, [...(grants.get(key) ?? []), ...added]);
      }
    }
  }
}

const both = (word: string): readonly string[] => [word, "*"];
const grantKey = (verb: string, group: string, resource: string) => JSON.stringify([verb, group, resource]);
