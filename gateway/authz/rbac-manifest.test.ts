import assert from "node:assert/strict";
import { test } from "node:test";
import { ManifestError, parseRbacManifest } from "./authz.ts";

const faultsOf = (text: string): string[] => {
  try {
    parseRbacManifest(text, "rbac.yaml");
  } catch (error) {
    assert.ok(error instanceof ManifestError);
    return error.message.split("\n");
  }
  return [];
};
const v1 = "apiVersion: rbac.authorization.k8s.io/v1";

test("parseRbacManifest() reads all four kinds from documents and Lists", () => {
  const text = `# roles
${v1}
kind: ClusterRole
metadata:
  name: r
  labels: {a: b}
  annotations: {anything: goes}
aggregationRule:
  clusterRoleSelectors:
  - matchLabels: {x: y}
    matchExpressions:
    - {key: k, operator: Exists}
rules:
- verbs: [get]
  apiGroups: [""]
  resources: [pods]
  resourceNames: [n]
- verbs: ["*"]
  nonResourceURLs: [/x*]
---
---
apiVersion: v1
kind: List
items:
- ${v1}
  kind: Role
  metadata: {name: r, namespace: ns}
  rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]
- ${v1}
  kind: RoleBinding
  metadata: {name: b, namespace: ns}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
  subjects:
  - {kind: ServiceAccount, name: sa}
- ${v1}
  kind: ClusterRoleBinding
  metadata: {name: b}
  roleRef: {kind: ClusterRole, name: r}
  subjects:
  - {kind: User, name: u, apiGroup: rbac.authorization.k8s.io}
  - {kind: Group, name: g}
  - {kind: ServiceAccount, name: sa, namespace: ns}
`;
  const none = { verbs: [], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] };
  const pods = { ...none, verbs: ["get"], apiGroups: [""], resources: ["pods"] };
  assert.deepEqual(parseRbacManifest(text, "f"), [
    {
      kind: "ClusterRole",
      name: "r",
      namespace: "",
      labels: new Map([["a", "b"]]),
      rules: [
        { ...pods, resourceNames: ["n"] },
        { ...none, verbs: ["*"], nonResourceURLs: ["/x*"] },
      ],
      aggregate: [
        { matchLabels: new Map([["x", "y"]]), matchExpressions: [{ key: "k", operator: "Exists", values: [] }] },
      ],
    },
    { kind: "Role", name: "r", namespace: "ns", labels: new Map(), rules: [pods], aggregate: [] },
    {
      kind: "RoleBinding",
      name: "b",
      namespace: "ns",
      roleRef: { kind: "Role", name: "r" },
      subjects: [{ kind: "ServiceAccount", name: "sa", namespace: "" }],
    },
    {
      kind: "ClusterRoleBinding",
      name: "b",
      namespace: "",
      roleRef: { kind: "ClusterRole", name: "r" },
      subjects: [
        { kind: "User", name: "u", namespace: "" },
        { kind: "Group", name: "g", namespace: "" },
        { kind: "ServiceAccount", name: "sa", namespace: "ns" },
      ],
    },
  ]);
  assert.deepEqual(parseRbacManifest("", "f"), []);
});

test("parseRbacManifest() follows aliases", () => {
  const [role] = parseRbacManifest(
    `${v1}
kind: ClusterRole
metadata: {name: r}
rules:
- {verbs: &v [get], apiGroups: [g], resources: *v}
`,
    "f",
  );
  assert.deepEqual(role?.kind === "ClusterRole" ? role.rules[0]?.resources : undefined, ["get"]);
});

test("parseRbacManifest() names line and field of every fault in a role", () => {
  assert.deepEqual(
    faultsOf(`${v1}
kind: Role
metadata:
  name: r
rules:
- verb: [get]
  apiGroups: [g]
- verbs: [get]
  nonResourceURLs: [/x]
  resources: [pods]
- verbs: get
  resources: [7]
`),
    [
      "rbac.yaml:4: metadata.namespace: Required value",
      "rbac.yaml:6: rules[0].verb: unknown field",
      "rbac.yaml:6: rules[0].verbs: Required value: verbs must contain at least one value",
      "rbac.yaml:6: rules[0].resources: Required value: resource rules must supply at least one resource",
      'rbac.yaml:9: rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
      'rbac.yaml:9: rules[1].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
      "rbac.yaml:11: rules[2].verbs: Invalid value: must be a list",
      "rbac.yaml:12: rules[2].resources[0]: Invalid value: must be a string",
      "rbac.yaml:11: rules[2].verbs: Required value: verbs must contain at least one value",
      "rbac.yaml:11: rules[2].apiGroups: Required value: resource rules must supply at least one api group",
    ],
  );
});

test("parseRbacManifest() names line and field of every fault in a binding", () => {
  assert.deepEqual(
    faultsOf(`${v1}
kind: ClusterRoleBinding
metadata: {namespace: ns}
roleRef:
  kind: Role
  apiGroup: x
subjects:
- kind: User
  name: u
  apiGroup: ""
- kind: Robot
  name: r
- kind: ServiceAccount
  name: sa
`),
    [
      "rbac.yaml:3: metadata.name: Required value",
      "rbac.yaml:3: metadata.namespace: Forbidden: not allowed on this type",
      'rbac.yaml:6: roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
      'rbac.yaml:5: roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
      "rbac.yaml:5: roleRef.name: Required value",
      'rbac.yaml:10: subjects[0].apiGroup: Unsupported value: "": supported values: "rbac.authorization.k8s.io"',
      'rbac.yaml:11: subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
      "rbac.yaml:13: subjects[2].namespace: Required value",
    ],
  );
});

test("parseRbacManifest() refuses what is no RBAC", () => {
  assert.deepEqual(faultsOf("kind: Pod\napiVersion: v1"), [
    'rbac.yaml:1: kind: Unsupported value: "Pod": supported values: "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"',
  ]);
  assert.deepEqual(faultsOf("apiVersion: v1\nkind: ClusterRole\nmetadata: {name: a}"), [
    'rbac.yaml:1: apiVersion: Unsupported value: "v1": supported values: "rbac.authorization.k8s.io/v1"',
  ]);
  assert.deepEqual(faultsOf("- a"), ["rbac.yaml:1: Invalid value: must be a mapping"]);
});

test("parseRbacManifest() refuses a List in a List, endless or not", () => {
  assert.deepEqual(faultsOf("&a\nkind: List\nitems: [*a]"), [
    'rbac.yaml:2: items[0].kind: Unsupported value: "List": supported values: "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"',
  ]);
});

test("parseRbacManifest() refuses what is no YAML", () => {
  assert.deepEqual(faultsOf("a: 1\nb: [1"), [
    "rbac.yaml:2: Flow sequence in block collection must be sufficiently indented and end with a ]",
  ]);
  assert.deepEqual(faultsOf("kind: a\nkind: b"), ["rbac.yaml:2: Map keys must be unique"]);
});

test("parseRbacManifest() refuses an object that comes twice", () => {
  const one = `${v1}\nkind: ClusterRole\nmetadata: {name: a}\n`;
  assert.deepEqual(faultsOf(`${one}---\n${one}`), ['rbac.yaml: ClusterRole "a" is defined twice']);
});
