import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestInfo } from "../apimachinery/request-info.ts";
import { statusToJson } from "../apimachinery/status.ts";
import {
  type Attributes,
  assertAllowed,
  attributesOf,
  authorizationFailed,
  createAuthorizer,
  type Decision,
  forbiddenFor,
  groupsAuthorizer,
  pathsAuthorizer,
  unionAuthorizer,
} from "./authz.ts";

const list: Attributes = {
  user: { name: "u", uid: "", groups: [], extra: {} },
  verb: "list",
  isResourceRequest: true,
  path: "/apis/ext.cattle.io/v1/testtypes",
  apiGroup: "ext.cattle.io",
  apiVersion: "v1",
  resource: "testtypes",
  subresource: "",
  namespace: "",
  name: "",
  fieldSelector: "",
  labelSelector: "",
};
const get = (path: string): Attributes => ({
  ...list,
  verb: "get",
  isResourceRequest: false,
  path,
  apiGroup: "",
  apiVersion: "",
  resource: "",
});
const says = (attributes: Partial<Attributes>, reason = "") => forbiddenFor({ ...list, ...attributes }, reason).message;
const userOf = (name: string, ...groups: string[]) => ({ name, uid: "", groups, extra: {} });

test("forbiddenFor() gives the whole body as kube-apiserver does", () => {
  assert.deepEqual(statusToJson(forbiddenFor(list, "").status), {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message:
      'testtypes.ext.cattle.io is forbidden: User "u" cannot list resource "testtypes" in API group "ext.cattle.io" at the cluster scope',
    reason: "Forbidden",
    details: { group: "ext.cattle.io", kind: "testtypes" },
    code: 403,
  });
});

test("forbiddenFor() names object, subresource and namespace, and ends in the reason", () => {
  assert.equal(
    says({ apiGroup: "g", resource: "pods", subresource: "log", namespace: "ns", name: "n" }, "RBAC: <x>"),
    'pods.g "n" is forbidden: User "u" cannot list resource "pods/log" in API group "g" in the namespace "ns": RBAC: <x>',
  );
  assert.equal(
    says({ apiGroup: "", resource: "pods", verb: "" }),
    'pods is forbidden: User "u" cannot  resource "pods" in API group "" at the cluster scope',
  );
  assert.deepEqual(forbiddenFor({ ...list, name: "n" }, "").status.details, {
    name: "n",
    group: "ext.cattle.io",
    kind: "testtypes",
  });
});

test("forbiddenFor() names the path of what is no resource", () => {
  const { status } = forbiddenFor(get("/x"), "");
  assert.equal(status.message, 'forbidden: User "u" cannot get path "/x"');
  assert.deepEqual(status.details, {});
});

test("forbiddenFor() makes nothing look like HTML, and quotes as Go does", () => {
  assert.equal(
    forbiddenFor({ ...get('/<a>&"\n'), user: userOf("<u>") }, "").message,
    'forbidden: User "&lt;u&gt;" cannot get path "/&lt;a&gt;&amp;\\"\\n"',
  );
});

test("authorizationFailed() is a text", () => {
  const { code, text } = authorizationFailed("/a?b=<c>", new Error("no & no"));
  assert.deepEqual([code, text], [500, 'Internal Server Error: "/a?b=&lt;c&gt;": no &amp; no']);
});

test("assertAllowed() lets pass, forbids, or fails", async () => {
  const ask = async (decision: Decision) => await assertAllowed(() => decision, list, "/uri");
  await ask({ outcome: "allow", reason: "", error: new Error("partly") });
  await assert.rejects(ask({ outcome: "deny", reason: "why" }), {
    name: "StatusError",
    message: says({}, "why"),
  });
  await assert.rejects(ask({ outcome: "noOpinion", reason: "", error: new Error("broken") }), {
    name: "TextError",
    text: 'Internal Server Error: "/uri": broken',
  });
});

test("unionAuthorizer() takes the first that decides, else joins reasons and failures", async () => {
  const asked: string[] = [];
  const answer = (name: string, decision: Decision) => () => {
    asked.push(name);
    return decision;
  };
  const allow: Decision = { outcome: "allow", reason: "yes" };
  const deny: Decision = { outcome: "deny", reason: "no" };
  const none: Decision = { outcome: "noOpinion", reason: "", error: new Error("a") };
  const other: Decision = { outcome: "noOpinion", reason: "r1", error: new Error("b") };
  assert.equal(await unionAuthorizer([answer("1", none), answer("2", deny), answer("3", allow)])(list), deny);
  assert.deepEqual(asked, ["1", "2"]);
  const { outcome, reason, error } = await unionAuthorizer([
    answer("", none),
    answer("", other),
    answer("", none),
    answer("", { outcome: "noOpinion", reason: "r2" }),
  ])(list);
  assert.deepEqual([outcome, reason, error?.message], ["noOpinion", "r1\nr2", "[a, b]"]);
});

test("groupsAuthorizer() allows system:masters everything", () => {
  const outcome = (...groups: string[]) =>
    (groupsAuthorizer()({ ...list, user: userOf("x", ...groups) }) as Decision).outcome;
  assert.equal(outcome("a", "system:masters"), "allow");
  assert.equal(outcome("a"), "noOpinion");
});

test("pathsAuthorizer() allows whole paths and beginnings, never resources", () => {
  const outcome = (paths: string[] | undefined, attributes: Attributes) =>
    (pathsAuthorizer(paths)(attributes) as Decision).outcome;
  assert.equal(outcome(undefined, get("/livez")), "allow");
  assert.equal(outcome(undefined, get("/livez/ping")), "noOpinion");
  assert.equal(outcome(["livez*"], get("/livez/ping")), "allow");
  assert.equal(outcome(["/"], get("/")), "allow");
  assert.equal(outcome(["/"], get("/x")), "noOpinion");
  assert.equal(outcome(["*"], get("/x")), "allow");
  assert.equal(outcome(["*"], list), "noOpinion");
  assert.throws(() => pathsAuthorizer(["/a*b"]), { message: 'only trailing * allowed in "a*b"' });
});

test("attributesOf() takes what the URL says", () => {
  const info: RequestInfo = {
    isResourceRequest: true,
    path: "/p",
    verb: "watch",
    apiPrefix: "apis",
    apiGroup: "g",
    apiVersion: "v1",
    namespace: "ns",
    resource: "res",
    subresource: "status",
    name: "n",
    parts: ["res", "n", "status"],
    legacyWatch: false,
    fieldSelector: "a=b",
    labelSelector: "c",
  };
  assert.deepEqual(attributesOf(info, list.user), {
    user: list.user,
    verb: "watch",
    isResourceRequest: true,
    path: "/p",
    apiGroup: "g",
    apiVersion: "v1",
    resource: "res",
    subresource: "status",
    namespace: "ns",
    name: "n",
    fieldSelector: "a=b",
    labelSelector: "c",
  });
});

test("createAuthorizer() joins groups, paths and manifests; aggregation reaches across files", async () => {
  const roles = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: part, labels: {to: all}}
rules: [{verbs: [list], apiGroups: [ext.cattle.io], resources: [testtypes]}]
`;
  const bound = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: all}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: b}
roleRef: {kind: ClusterRole, name: all}
subjects: [{kind: User, name: u}]
`;
  const manifests = [
    { file: "bound.yaml", text: bound },
    { file: "roles.yaml", text: roles },
  ];
  const authorizer = createAuthorizer({ manifests });
  assert.deepEqual(await authorizer(list), {
    outcome: "allow",
    reason: 'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "all" to User "u"',
  });
  assert.equal((await authorizer({ ...list, user: userOf("v") })).outcome, "noOpinion");
  assert.equal((await authorizer({ ...list, user: userOf("v", "system:masters") })).outcome, "allow");
  assert.equal((await authorizer(get("/readyz"))).outcome, "allow");
  assert.equal((await authorizer(get("/version"))).outcome, "noOpinion");
});
