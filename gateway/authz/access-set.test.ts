import assert from "node:assert/strict";
import { test } from "node:test";
import { accessSetAuthorizer } from "./access-set.ts";
import { asked } from "./asked.fixture.ts";
import type { Attributes, Decision } from "./authorizer.ts";
import { createRbacRules, type RbacRules } from "./rbac.ts";
import { loadRbacManifests } from "./rbac-manifest.ts";

const rulesOf = (text: string) => createRbacRules(loadRbacManifests([{ file: "t.yaml", text }]));
const roleFor = (name: string, rule: string) => `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: ${name}}
rules: [${rule}]
---`;
const bindingFor = (name: string, subject: string, namespace = "") => `
apiVersion: rbac.authorization.k8s.io/v1
kind: ${namespace === "" ? "ClusterRoleBinding" : "RoleBinding"}
metadata: {name: ${name}${namespace === "" ? "" : `, namespace: ${namespace}`}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${name}}
subjects: [${subject}]
---`;
const u = "{apiGroup: rbac.authorization.k8s.io, kind: User, name: u}";
const group = "{apiGroup: rbac.authorization.k8s.io, kind: Group, name: b}";
const account = "{kind: ServiceAccount, namespace: ns, name: robot}";
const get = "{verbs: [get], apiGroups: [g], resources: [things]}";

function decide(rules: RbacRules, changes: Partial<Attributes> = {}): Decision {
  return accessSetAuthorizer(rules)(asked(changes)) as Decision;
}
const outcome = (text: string, changes: Partial<Attributes> = {}) => decide(rulesOf(text), changes).outcome;

test("accessSetAuthorizer() allows or denies, always without a reason, and has never no opinion", () => {
  assert.deepEqual(decide(rulesOf("")), { outcome: "deny", reason: "" });
  assert.deepEqual(decide(rulesOf(roleFor("r", get) + bindingFor("r", u))), { outcome: "allow", reason: "" });
  // A binding to a role that isn't there gives nothing.
  assert.deepEqual(decide(rulesOf(bindingFor("r", u))), { outcome: "deny", reason: "" });
});

test("accessSetAuthorizer() joins what user, groups and service account are given", () => {
  assert.equal(outcome(roleFor("r", get) + bindingFor("r", group)), "allow");
  const robot = { name: "system:serviceaccount:ns:robot", uid: "", groups: [], extra: {} };
  assert.equal(outcome(roleFor("r", get) + bindingFor("r", account), { user: robot }), "allow");
  assert.equal(outcome(roleFor("r", get) + bindingFor("r", account)), "deny");
});

test("accessSetAuthorizer() looks at verb, group, resource, namespace and name, and at nothing else", () => {
  const everywhere = roleFor("r", get) + bindingFor("r", u);
  for (const changes of [{ verb: "list" }, { apiGroup: "h" }, { resource: "others" }]) {
    assert.equal(outcome(everywhere, changes), "deny", JSON.stringify(changes));
  }
  for (const changes of [
    { apiVersion: "v2" },
    { subresource: "status" },
    { namespace: "ns" },
    { fieldSelector: "a=b" },
  ]) {
    assert.equal(outcome(everywhere, changes), "allow", JSON.stringify(changes));
  }
  const inNamespace = roleFor("r", get) + bindingFor("r", u, "ns");
  assert.deepEqual([outcome(inNamespace), outcome(inNamespace, { namespace: "ns" })], ["deny", "allow"]);
  assert.equal(outcome(inNamespace, { namespace: "other" }), "deny");
});

test("accessSetAuthorizer() honours * and names", () => {
  const all = '{verbs: ["*"], apiGroups: ["*"], resources: ["*"]}';
  assert.equal(outcome(roleFor("r", all) + bindingFor("r", u), { verb: "deletecollection" }), "allow");
  const named = "{verbs: [get, list], apiGroups: [g], resources: [things], resourceNames: [n]}";
  const text = roleFor("r", named) + bindingFor("r", u);
  assert.deepEqual(
    [outcome(text), outcome(text, { name: "m" }), outcome(text, { verb: "list", name: "" })],
    ["allow", "deny", "deny"],
  );
  assert.equal(outcome(text, { verb: "list", name: "n" }), "allow");
});

// The seed's TestAuthorization_NonResourceURLs.
test("accessSetAuthorizer() decides about paths by rules of the cluster alone", () => {
  const path = (text: string, verb: string, path: string) =>
    decide(rulesOf(text), { isResourceRequest: false, verb, path });
  const readOnly = roleFor("r", "{verbs: [get], nonResourceURLs: [/healthz]}") + bindingFor("r", u);
  const readWrite = roleFor("r", "{verbs: [get, post], nonResourceURLs: [/metrics]}") + bindingFor("r", u);
  assert.deepEqual(path(readOnly, "get", "/healthz"), { outcome: "allow", reason: "" });
  assert.deepEqual(path(readOnly, "post", "/metrics"), { outcome: "deny", reason: "" });
  assert.deepEqual(path(readWrite, "get", "/metrics"), { outcome: "allow", reason: "" });
  assert.deepEqual(path(readWrite, "post", "/metrics"), { outcome: "allow", reason: "" });
  const wild = "{verbs: [get], nonResourceURLs: [/openapi/v3/*]}";
  assert.equal(path(roleFor("r", wild) + bindingFor("r", u), "get", "/openapi/v3/apis/g/v1").outcome, "allow");
  assert.equal(path(roleFor("r", wild) + bindingFor("r", u, "ns"), "get", "/openapi/v3/apis/g/v1").outcome, "deny");
});

test("accessSetAuthorizer() follows every change of roles and bindings", () => {
  const rules = rulesOf(roleFor("r", get) + bindingFor("r", u));
  const authorize = accessSetAuthorizer(rules);
  const now = () => (authorize(asked()) as Decision).outcome;
  assert.equal(now(), "allow");
  const role = rules.role("ClusterRole", "", "r");
  assert.ok(role);
  rules.put({ ...role, rules: [] });
  assert.equal(now(), "deny");
  rules.put(role);
  assert.equal(now(), "allow");
  rules.remove({ kind: "ClusterRoleBinding", namespace: "", name: "r" });
  assert.equal(now(), "deny");
});

test("accessSetAuthorizer() keeps the sets of the fifty role combinations used last, for a day", () => {
  const names = Array.from({ length: 51 }, (_, at) => `r${at}`);
  const text = names.map((name) => {
    const subject = `{apiGroup: rbac.authorization.k8s.io, kind: User, name: user-${name}}`;
    return roleFor(name, get) + bindingFor(name, subject);
  });
  const rules = rulesOf(text.join(""));
  let reads = 0;
  for (const name of names) {
    const role = rules.role("ClusterRole", "", name);
    assert.ok(role);
    const counted = { ...role };
    const get = () => {
      reads++;
      return role.rules;
    };
    Object.defineProperty(counted, "rules", { get });
    rules.put(counted);
  }
  const clock = { now: 0 };
  const authorize = accessSetAuthorizer(rules, () => clock.now);
  const as = (name: string) => {
    const before = reads;
    const user = { name: `user-${name}`, uid: "", groups: [], extra: {} };
    assert.equal((authorize(asked({ user })) as Decision).outcome, "allow");
    return reads > before ? "made" : "kept";
  };
  for (const name of names.slice(0, 50)) assert.equal(as(name), "made");
  assert.equal(as("r0"), "kept");
  assert.equal(as("r50"), "made");
  assert.equal(as("r0"), "kept");
  assert.equal(as("r1"), "made");
  clock.now = 24 * 3600 * 1000;
  assert.equal(as("r0"), "made");
});
