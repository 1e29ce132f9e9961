/**
 * The four kinds of rbac.authorization.k8s.io/v1 as plain values, and selection among them.
 *
 * Source: k8s.io/api rbac/v1/types.go; apimachinery pkg/apis/meta/v1/helpers.go (label selectors).
 */

/** What a role allows. Empty lists are lists that were not given. */
export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

/** One condition on a label. `operator` is In, NotIn, Exists or DoesNotExist. */
export interface LabelSelectorRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** The AND of all its conditions. */
export interface LabelSelector {
  readonly matchLabels: ReadonlyMap<string, string>;
  readonly matchExpressions: readonly LabelSelectorRequirement[];
}

/** A Role (of a namespace) or a ClusterRole. */
export interface Role {
  readonly kind: "Role" | "ClusterRole";
  /** `""` for a ClusterRole. */
  readonly namespace: string;
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly rules: readonly PolicyRule[];
  /** The role's rules are those of all ClusterRoles that one of these selects. */
  readonly aggregate: readonly LabelSelector[];
}

/** Whom a binding gives its role to. */
export interface Subject {
  readonly kind: "User" | "Group" | "ServiceAccount";
  readonly name: string;
  /** Of a ServiceAccount; `""`: the binding's. */
  readonly namespace: string;
}

/** The role that a binding gives. `kind` is Role or ClusterRole; anything else gives nothing. */
export interface RoleRef {
  readonly kind: string;
  readonly name: string;
}

/** A RoleBinding (of a namespace) or a ClusterRoleBinding. */
export interface Binding {
  readonly kind: "RoleBinding" | "ClusterRoleBinding";
  /** `""` for a ClusterRoleBinding. */
  readonly namespace: string;
  readonly name: string;
  readonly roleRef: RoleRef;
  readonly subjects: readonly Subject[];
}

/** Any of the four kinds. */
export type RbacObject = Role | Binding;

/** Whether an object is a role, not a binding. */
export function isRole(object: RbacObject): object is Role {
  return object.kind === "Role" || object.kind === "ClusterRole";
}

/** Whether labels fit a selector; an empty one fits all. */
export function selects(selector: LabelSelector, labels: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of selector.matchLabels) {
    if (labels.get(key) !== value) return false;
  }
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labels.get(key);
    if (operator === "Exists") return value !== undefined;
    if (operator === "DoesNotExist") return value === undefined;
    const isAmong = value !== undefined && values.includes(value);
    return operator === "In" ? isAmong : !isAmong;
  });
}

/**
 * Fills in the rules of aggregated ClusterRoles as the controller of a cluster does: those of the
 * selected roles, by name, each rule once; again until nothing changes, for roles that select others
 * of their sort.
 */
export function aggregateRoles(roles: readonly Role[]): Role[] {
  let current = [...roles].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  // Each round carries rules one role further, so there are at most as many rounds as roles.
  for (let round = 0; round < roles.length; round++) {
    let hasChanged = false;
    current = current.map((role) => {
      if (role.aggregate.length === 0) return role;
      const rules = aggregatedRules(role, current);
      if (sameRules(rules, role.rules)) return role;
      hasChanged = true;
      return { ...role, rules };
    });
    if (!hasChanged) break;
  }
  return current;
}

function aggregatedRules(role: Role, roles: readonly Role[]): PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const selector of role.aggregate) {
    for (const other of roles) {
      if (other.kind !== "ClusterRole" || other.name === role.name || !selects(selector, other.labels)) continue;
      for (const rule of other.rules) {
        const key = ruleKey(rule);
        if (!rules.has(key)) rules.set(key, rule);
      }
    }
  }
  return [...rules.values()];
}

function sameRules(a: readonly PolicyRule[], b: readonly PolicyRule[]): boolean {
  return a.length === b.length && a.every((rule, at) => ruleKey(rule) === ruleKey(b[at] ?? rule));
}

function ruleKey(rule: PolicyRule): string {
  return JSON.stringify([rule.verbs, rule.apiGroups, rule.resources, rule.resourceNames, rule.nonResourceURLs]);
}
