import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes, Binding, Decision, PolicyRule, RbacObject, Role, Subject } from "./authz.ts";
import { createRbacRules, rbacAuthorizer } from "./authz.ts";
import { ruleAllows } from "./rbac.ts";
import { aggregateRoles } from "./rbac-objects.ts";

const rule = (given: Partial<PolicyRule>): PolicyRule => ({
  verbs: [],
  apiGroups: [],
  resources: [],
  resourceNames: [],
  nonResourceURLs: [],
  ...given,
});
const gets = rule({ verbs: ["get"], apiGroups: ["g"], resources: ["things"] });
const role = (name: string, namespace = "", ...rules: PolicyRule[]): Role => ({
  kind: namespace === "" ? "ClusterRole" : "Role",
  namespace,
  name,
  labels: new Map(),
  rules: rules.length > 0 ? rules : [gets],
  aggregate: [],
});
const subject = (kind: Subject["kind"], name: string, namespace = ""): Subject => ({ kind, name, namespace });
const binding = (name: string, namespace: string, kind: string, to: string, ...subjects: Subject[]): Binding => ({
  kind: namespace === "" ? "ClusterRoleBinding" : "RoleBinding",
  namespace,
  name,
  roleRef: { kind, name: to },
  subjects,
});
const ask = (given: Partial<Attributes> = {}): Attributes => ({
  user: { name: "u", uid: "", groups: ["a", "b"], extra: {} },
  verb: "get",
  isResourceRequest: true,
  path: "",
  apiGroup: "g",
  apiVersion: "v1",
  resource: "things",
  subresource: "",
  namespace: "",
  name: "n",
  fieldSelector: "",
  labelSelector: "",
  ...given,
});
const decide = (objects: readonly RbacObject[], given: Partial<Attributes> = {}) =>
  rbacAuthorizer(createRbacRules(objects))(ask(given)) as Decision;
const reason = (...args: Parameters<typeof decide>) => {
  const { outcome, reason } = decide(...args);
  return `${outcome} ${reason}`;
};
const u = subject("User", "u");

test("ruleAllows() asks for verb, group, resource and name at once", () => {
  const table: readonly [allowed: boolean, rule: Partial<PolicyRule>, asked: Partial<Attributes>][] = [
    [true, {}, {}],
    [false, {}, { verb: "list" }],
    [false, {}, { apiGroup: "" }],
    [false, {}, { resource: "other" }],
    [true, { verbs: ["list", "*"] }, { verb: "escalate" }],
    [true, { apiGroups: ["*"] }, { apiGroup: "any" }],
    [true, { resources: ["*"] }, { resource: "any", subresource: "status" }],
    [false, {}, { subresource: "status" }],
    [true, { resources: ["things/status"] }, { subresource: "status" }],
    [false, { resources: ["things/status"] }, {}],
    [true, { resources: ["*/status"] }, { subresource: "status" }],
    [false, { resources: ["*/status"] }, { subresource: "scale" }],
    [false, { resources: ["*/status"] }, { resource: "status" }],
    [false, { resources: ["things/*"] }, { subresource: "status" }],
    [true, { resourceNames: ["m", "n"] }, {}],
    [false, { resourceNames: ["m"] }, {}],
    [false, { resourceNames: ["n"] }, { name: "" }],
    [false, { nonResourceURLs: ["*"] }, { isResourceRequest: true, resource: "x" }],
  ];
  for (const [allowed, given, asked] of table) {
    assert.equal(ruleAllows({ ...gets, ...given }, ask(asked)), allowed, JSON.stringify([given, asked]));
  }
});

test("ruleAllows() takes paths whole, as a beginning, or all", () => {
  const allows = (url: string, path: string) =>
    ruleAllows(rule({ verbs: ["get"], nonResourceURLs: [url] }), ask({ isResourceRequest: false, path }));
  assert.equal(allows("/healthz", "/healthz"), true);
  assert.equal(allows("/healthz", "/healthz/ping"), false);
  assert.equal(allows("/healthz/*", "/healthz/ping"), true);
  assert.equal(allows("/healthz/*", "/healthz"), false);
  assert.equal(allows("*", "/x"), true);
  assert.equal(ruleAllows(gets, ask({ isResourceRequest: false, path: "/x" })), false);
});

test("rbacAuthorizer() says by which binding, role and subject it allows", () => {
  const roles = [role("r"), role("r", "ns")];
  const inNs = { namespace: "ns" };
  assert.equal(
    reason([...roles, binding("b", "", "ClusterRole", "r", subject("Group", "z"), u)]),
    'allow RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "u"',
  );
  assert.equal(
    reason([...roles, binding("b", "ns", "Role", "r", subject("Group", "b"), u)], inNs),
    'allow RBAC: allowed by RoleBinding "b/ns" of Role "r" to Group "b"',
  );
  const user = { name: "system:serviceaccount:ns:sa", uid: "", groups: [], extra: {} };
  const account = (namespace: string) =>
    binding("b", "ns", "ClusterRole", "r", subject("ServiceAccount", "sa", namespace));
  const allowed = 'allow RBAC: allowed by RoleBinding "b/ns" of ClusterRole "r" to ServiceAccount "sa/ns"';
  assert.equal(reason([...roles, account("ns")], { ...inNs, user }), allowed);
  assert.equal(reason([...roles, account("")], { ...inNs, user }), allowed);
  assert.equal(reason([...roles, account("other")], { ...inNs, user }), "noOpinion ");
});

test("rbacAuthorizer() never takes a service account of a ClusterRoleBinding without namespace", () => {
  const user = { name: "system:serviceaccount::sa", uid: "", groups: [], extra: {} };
  const objects = [role("r"), binding("b", "", "ClusterRole", "r", subject("ServiceAccount", "sa"))];
  assert.equal(reason(objects, { user }), "noOpinion ");
});

test("rbacAuthorizer() keeps a RoleBinding in its namespace, whatever role it gives", () => {
  const objects = [role("r"), binding("b", "ns", "ClusterRole", "r", u)];
  assert.equal(decide(objects, { namespace: "ns" }).outcome, "allow");
  assert.equal(decide(objects, { namespace: "other" }).outcome, "noOpinion");
  assert.equal(decide(objects).outcome, "noOpinion");
});

test("rbacAuthorizer() lets a ClusterRoleBinding count in every namespace", () => {
  assert.equal(decide([role("r"), binding("b", "", "ClusterRole", "r", u)], { namespace: "ns" }).outcome, "allow");
});

test("rbacAuthorizer() gives paths by ClusterRoleBindings", () => {
  const paths = role("r", "", rule({ verbs: ["get"], nonResourceURLs: ["/x"] }));
  const asked = { isResourceRequest: false, path: "/x" };
  assert.equal(decide([paths, binding("b", "", "ClusterRole", "r", u)], asked).outcome, "allow");
  assert.equal(decide([paths, binding("b", "ns", "ClusterRole", "r", u)], asked).outcome, "noOpinion");
});

test("rbacAuthorizer() names roles that are missing, and goes on without them", () => {
  const missing = [binding("b", "", "ClusterRole", "gone", u), binding("c", "ns", "Role", "lost", u)];
  assert.equal(reason(missing), 'noOpinion RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found');
  assert.equal(
    reason(missing, { namespace: "ns" }),
    'noOpinion RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "lost" not found]',
  );
  assert.equal(decide([...missing, role("r"), binding("z", "", "ClusterRole", "r", u)]).outcome, "allow");
  assert.equal(reason([binding("b", "", "Sudo", "x", u)]), 'noOpinion RBAC: unsupported role reference kind: "Sudo"');
});

test("rbacAuthorizer() names a binding's first subject that fits, and the first binding by name", () => {
  const both = binding("b", "", "ClusterRole", "r", subject("Group", "b"), u, subject("Group", "a"));
  const later = binding("c", "", "ClusterRole", "r", u);
  assert.equal(
    reason([later, role("r"), both]),
    'allow RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "b"',
  );
});

test("createRbacRules() follows objects that come, change and go", () => {
  const rules = createRbacRules();
  const outcome = () => (rbacAuthorizer(rules)(ask()) as Decision).outcome;
  rules.put(binding("b", "", "ClusterRole", "r", u, u));
  assert.equal(outcome(), "noOpinion");
  rules.put(role("r"));
  assert.equal(outcome(), "allow");
  rules.put(binding("b", "", "ClusterRole", "r", subject("User", "v")));
  assert.equal(outcome(), "noOpinion");
  rules.put(binding("b", "", "ClusterRole", "r", u));
  rules.remove({ kind: "ClusterRole", namespace: "", name: "r" });
  assert.equal(outcome(), "noOpinion");
  rules.replace([role("r"), binding("b", "", "ClusterRole", "r", u)]);
  assert.equal(outcome(), "allow");
  rules.remove({ kind: "ClusterRoleBinding", namespace: "", name: "b" });
  assert.equal(outcome(), "noOpinion");
});

test("createRbacRules() can't be confused by what a URL puts into a namespace", () => {
  const objects = [role("r"), binding("b", "ns", "ClusterRole", "r", subject("User", "Group x"))];
  const user = { name: "y", uid: "", groups: ["x"], extra: {} };
  assert.equal(decide(objects, { namespace: "ns User", user }).outcome, "noOpinion");
});

test("aggregateRoles() unions the selected roles by name, once each, through others of its sort", () => {
  const labelled = (name: string, label: string, one: PolicyRule): Role => ({
    ...role(name, "", one),
    labels: new Map([["to", label]]),
  });
  const aggregated = (name: string, from: string, label: string): Role => ({
    ...role(name),
    labels: new Map([["to", label]]),
    aggregate: [{ matchLabels: new Map(), matchExpressions: [{ key: "to", operator: "In", values: [from] }] }],
  });
  const verb = (...verbs: string[]) => rule({ ...gets, verbs });
  const roles = aggregateRoles([
    labelled("z", "edit", verb("z")),
    aggregated("admin", "admin", ""),
    aggregated("edit", "edit", "admin"),
    labelled("y", "admin", verb("z")),
    labelled("a", "edit", verb("a")),
    aggregated("none", "nothing", ""),
  ]);
  const verbs = new Map(roles.map(({ name, rules }) => [name, rules.map((one) => one.verbs.join())]));
  assert.deepEqual(verbs.get("edit"), ["a", "z"]);
  assert.deepEqual(verbs.get("admin"), ["a", "z"]);
  assert.deepEqual(verbs.get("none"), []);
  assert.deepEqual(verbs.get("a"), ["a"]);
});
