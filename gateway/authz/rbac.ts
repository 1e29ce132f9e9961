/**
 * Decides by roles and bindings.
 *
 * Rules only ever allow. ClusterRoleBindings count everywhere, RoleBindings in their namespace and
 * never for paths or for the cluster's scope. A binding to a role that doesn't exist gives nothing,
 * but is named in the refusal, where a user would otherwise search in vain. Bindings are found by
 * their subjects, so a decision costs what the user has, not what the cluster has.
 * Source: kubernetes pkg/registry/rbac/validation/rule.go, plugin/pkg/auth/authorizer/rbac,
 * pkg/apis/rbac/v1/evaluation_helpers.go.
 */
import { goQuote } from "../apimachinery/go-text.ts";
import { type Attributes, type Authorizer, aggregate, type Decision } from "./authorizer.ts";
import { type Binding, isRole, type PolicyRule, type RbacObject, type Role, type Subject } from "./rbac-objects.ts";

/**
 * Roles and bindings by what a decision asks for. Objects may come one by one, as a watch tells of
 * them; a ClusterRole's rules are taken as they stand, aggregated by whoever feeds it.
 */
export interface RbacRules extends RbacLookup {
  /** Adds an object, in place of one of the same kind, namespace and name. */
  put(object: RbacObject): void;
  remove(object: Pick<RbacObject, "kind" | "namespace" | "name">): void;
  /** Puts these objects in place of all. */
  replace(objects: readonly RbacObject[]): void;
}

/** What a decision asks for. */
export interface RbacLookup {
  /** What binds the user in the cluster (`""`) or in a namespace, by name of the binding. */
  bindingsOf(user: Attributes["user"], namespace: string): readonly Bound[];
  /** What binds the user anywhere, in no order; each binding as often as it has subjects that fit. */
  allBindingsOf(user: Attributes["user"]): readonly Bound[];
  /** Undefined if there is no such role. */
  role(kind: string, namespace: string, name: string): Role | undefined;
}

/** A binding, and the subject by which it binds a user. */
export interface Bound {
  readonly binding: Binding;
  /** Place of the subject in the binding. */
  readonly at: number;
}

/** Gives the rules of these objects. */
export function createRbacRules(objects: readonly RbacObject[] = []): RbacRules {
  const roles = new Map<string, Role>();
  const bindings = new Map<string, Binding>();
  /** Subject -> namespace -> what binds it there. */
  const index = new Map<string, Map<string, Bound[]>>();

  const unbind = (binding: Binding) => {
    for (const subject of binding.subjects) {
      const key = keyOfSubject(binding, subject);
      const places = index.get(key);
      const left = (places?.get(binding.namespace) ?? []).filter((bound) => bound.binding !== binding);
      if (left.length > 0) places?.set(binding.namespace, left);
      else places?.delete(binding.namespace);
      if (places?.size === 0) index.delete(key);
    }
  };
  const bind = (binding: Binding) => {
    binding.subjects.forEach((subject, at) => {
      const key = keyOfSubject(binding, subject);
      const places = index.get(key) ?? new Map<string, Bound[]>();
      index.set(key, places);
      const bounds = places.get(binding.namespace);
      if (bounds === undefined) places.set(binding.namespace, [{ binding, at }]);
      else bounds.push({ binding, at });
    });
  };
  const rules: RbacRules = {
    put(object) {
      rules.remove(object);
      if (isRole(object)) roles.set(keyOf(object), object);
      else {
        bindings.set(keyOf(object), object);
        bind(object);
      }
    },
    remove(object) {
      const key = keyOf(object);
      roles.delete(key);
      const binding = bindings.get(key);
      if (binding === undefined) return;
      bindings.delete(key);
      unbind(binding);
    },
    replace(all) {
      roles.clear();
      bindings.clear();
      index.clear();
      for (const object of all) rules.put(object);
    },
    bindingsOf(user, namespace) {
      const found: Bound[] = [];
      if (index.size > 0) for (const key of subjectKeysOf(user)) found.push(...(index.get(key)?.get(namespace) ?? []));
      return firstOfEach(found);
    },
    allBindingsOf: (user) => subjectKeysOf(user).flatMap((key) => [...(index.get(key)?.values() ?? [])].flat()),
    role: (kind, namespace, name) => roles.get(keyOf({ kind, namespace, name })),
  };
  rules.replace(objects);
  return rules;
}

/** Gives the authorizer that decides by these rules. */
export function rbacAuthorizer(rules: RbacLookup): Authorizer {
  return (attributes): Decision => {
    const errors: Error[] = [];
    for (const namespace of attributes.namespace === "" ? [""] : ["", attributes.namespace]) {
      for (const { binding, at } of rules.bindingsOf(attributes.user, namespace)) {
        const role = roleOf(rules, binding);
        if (role instanceof Error) errors.push(role);
        else if (role.rules.some((rule) => ruleAllows(rule, attributes))) {
          return { outcome: "allow", reason: `RBAC: allowed by ${describe(binding, at)}` };
        }
      }
    }
    return { outcome: "noOpinion", reason: errors.length === 0 ? "" : `RBAC: ${aggregate(errors).message}` };
  };
}

/** Whether a rule allows what is asked. */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!matches(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResourceRequest) return rule.nonResourceURLs.some((url) => urlMatches(url, attributes.path));
  return (
    matches(rule.apiGroups, attributes.apiGroup) &&
    resourceMatches(rule.resources, attributes) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(attributes.name))
  );
}

function matches(allowed: readonly string[], asked: string): boolean {
  return allowed.includes("*") || allowed.includes(asked);
}

function resourceMatches(allowed: readonly string[], { resource, subresource }: Attributes): boolean {
  if (subresource === "") return matches(allowed, resource);
  return matches(allowed, `${resource}/${subresource}`) || allowed.includes(`*/${subresource}`);
}

/** Whether a rule's URL covers a path: whole, or as a beginning if it ends in `*`. */
export function urlMatches(allowed: string, path: string): boolean {
  if (allowed === "*" || allowed === path) return true;
  return allowed.endsWith("*") && path.startsWith(allowed.replace(/\*+$/, ""));
}

/** The role that a binding gives, or why there is none. */
export function roleOf(rules: RbacLookup, { roleRef, namespace }: Binding): Role | Error {
  if (roleRef.kind !== "Role" && roleRef.kind !== "ClusterRole") {
    return new Error(`unsupported role reference kind: ${goQuote(roleRef.kind)}`);
  }
  const role = rules.role(roleRef.kind, roleRef.kind === "Role" ? namespace : "", roleRef.name);
  const word = `${roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io`;
  return role ?? new Error(`${word} ${goQuote(roleRef.name)} not found`);
}

function describe(binding: Binding, at: number): string {
  const { kind, name, namespace, roleRef } = binding;
  const subject = binding.subjects[at];
  const own = kind === "RoleBinding" ? `${name}/${namespace}` : name;
  let who = subject?.name ?? "";
  if (subject?.kind === "ServiceAccount") who += `/${subject.namespace || namespace}`;
  return `${kind} ${goQuote(own)} of ${roleRef.kind} ${goQuote(roleRef.name)} to ${subject?.kind} ${goQuote(who)}`;
}

/** Each binding once, by its first subject that fits; in order of their names, so that reasons don't vary. */
function firstOfEach(found: Bound[]): Bound[] {
  if (found.length < 2) return found;
  found.sort((a, b) => compare(a.binding.name, b.binding.name) || a.at - b.at);
  return found.filter((bound, at) => bound.binding !== found[at - 1]?.binding);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// A length before the part that a client's URL can choose: no two keys can be mixed up.
function keyOf({ kind, namespace, name }: { kind: string; namespace: string; name: string }): string {
  return `${namespace.length} ${namespace} ${kind} ${name}`;
}

function subjectKeysOf(user: Attributes["user"]): string[] {
  return [`User ${user.name}`, ...[...new Set(user.groups)].map((group) => `Group ${group}`)];
}

function keyOfSubject(binding: Binding, subject: Subject): string {
  if (subject.kind !== "ServiceAccount") return `${subject.kind} ${subject.name}`;
  const namespace = subject.namespace || binding.namespace;
  // Without a namespace it names nobody.
  return `${namespace === "" ? "Nobody" : "User"} system:serviceaccount:${namespace}:${subject.name}`;
}
