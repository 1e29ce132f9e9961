/** kubectl against each kind of the sample, as users without rights beyond the kinds themselves. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startTestGateway, type TestGateway } from "../../../test/support/gateway.ts";
import { runKubectl } from "../../../test/support/kubectl.ts";
import { group } from "./api.ts";
import { createSampleStore } from "./store.ts";

const rbac = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everybody}
rules:
- {apiGroups: [${group}], resources: ["*"], verbs: [get, list, watch, create, update, patch, delete, deletecollection]}
- {nonResourceURLs: ["*"], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everybody}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: everybody}
subjects: [{kind: Group, apiGroup: rbac.authorization.k8s.io, name: "system:authenticated"}]
`;

let gateway: TestGateway;
const asked: string[] = [];
const refreshed: string[] = [];

before(async () => {
  const store = createSampleStore({
    async isAllowed(_call, question) {
      asked.push(question.verb);
      return "name" in question && question.name === "bob";
    },
    refreshGroups: async (userID) => void refreshed.push(userID),
  });
  gateway = await startTestGateway({ stores: { sample: store }, rbac });
});
after(async () => await gateway.stop());

async function kubectl(user: string, args: readonly string[], object?: object) {
  const kubeconfig = await gateway.kubeconfig(user);
  return await runKubectl(args, { kubeconfig, ...(object === undefined ? {} : { stdin: JSON.stringify(object) }) });
}
const create = async (user: string, object: object, ...args: string[]) => {
  const made = await kubectl(user, ["create", "-f", "-", "-o", "json", ...args], object);
  return { ...made, object: made.code === 0 ? JSON.parse(made.stdout) : undefined };
};
const of = (kind: string, fields: object, name?: string) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: name === undefined ? {} : { name },
  ...fields,
});

describe("tokens", () => {
  test("the value is shown once, to whoever made it", async () => {
    const { object, stderr } = await create("alice", of("Token", { spec: { description: "ci" } }, "ci"));
    assert.match(object?.status.value ?? stderr, /^[\w-]{43}$/);
    assert.equal(object.spec.userID, "alice");
    const { stdout } = await kubectl("alice", ["get", "token", "ci", "-o", "json"]);
    const kept = JSON.parse(stdout);
    assert.equal(kept.status.value, undefined);
    assert.match(kept.status.hash, /^[0-9a-f]{64}$/);
    assert.equal(kept.status.expiresAt.length, "2026-01-01T00:00:00Z".length);
  });

  test("users see their own, the admin sees all; a Table has the columns", async () => {
    assert.equal((await create("bob", of("Token", {}, "laptop"))).code, 0);
    const rows = async (user: string) => {
      const { stdout } = await kubectl(user, ["get", "tokens", "--no-headers"]);
      return stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split(/\s+/).slice(0, 4).join(" "));
    };
    assert.deepEqual(await rows("alice"), ["ci alice 57600000 true"]);
    assert.deepEqual(await rows("bob"), ["laptop bob 57600000 true"]);
    assert.equal((await rows("admin")).length, 2);
    assert.match((await kubectl("alice", ["get", "token", "laptop"])).stderr, /not found/);
    assert.match((await kubectl("alice", ["delete", "token", "laptop"])).stderr, /not found/);
  });

  test("nobody makes tokens for others, or gives one away; owners disable and delete theirs", async () => {
    const { stderr } = await create("alice", of("Token", { spec: { userID: "bob" } }, "forged"));
    assert.match(stderr, /denied the request: alice can't make tokens for bob/);
    const patch = (spec: object) => ["patch", "token", "ci", "--type=merge", "-p", JSON.stringify({ spec })];
    assert.match(
      (await kubectl("alice", patch({ userID: "bob" }))).stderr,
      /spec\.userID: Invalid value: the owner can't change/,
    );
    assert.equal((await kubectl("alice", patch({ enabled: false }))).code, 0);
    assert.equal((await kubectl("alice", ["delete", "tokens", "--all"])).stdout, `token.${group} "ci" deleted\n`);
    assert.match((await kubectl("admin", ["get", "tokens", "--no-headers"])).stdout, /^laptop /);
  });
});

test("kubeconfigs: the file is shown at creation, and works out its current context", async () => {
  const spec = { clusters: ["prod", "test"], currentContext: "test" };
  const { object, stderr } = await create("alice", {
    ...of("Kubeconfig", { spec }),
    metadata: { generateName: "mine-" },
  });
  assert.equal(JSON.parse(object?.status.value ?? stderr)["current-context"], "test");
  const listed = JSON.parse((await kubectl("alice", ["get", "kubeconfigs", "-o", "json"])).stdout).items;
  assert.deepEqual(
    listed.map((one: typeof object) => [one.spec.userID, one.status]),
    [["alice", { summary: "Complete" }]],
  );
  assert.equal((await kubectl("bob", ["get", "kubeconfigs", "-o", "name"])).stdout, "");
  const wrong = await create("alice", of("Kubeconfig", { spec: { clusters: ["a"], currentContext: "b" } }, "wrong"));
  assert.match(wrong.stderr, /spec\.currentContext: Not found: "b"/);
});

test("useractivities: get, update and patch, and nothing else", async () => {
  const { stdout } = await kubectl("alice", ["api-resources", "--api-group", group, "--no-headers", "-o", "wide"]);
  assert.match(stdout, /^useractivities .* get,patch,update\s*$/m);
  const seen = of("UserActivity", { spec: { seenAt: "2026-11-28T10:00:00Z" } }, "session-1");
  const path = `/apis/${group}/v1/useractivities/session-1`;
  assert.equal((await gateway.ask(path, { method: "PUT", user: "alice", body: seen })).status, 201);
  const read = JSON.parse((await kubectl("alice", ["get", "useractivity", "session-1", "-o", "json"])).stdout);
  assert.deepEqual([read.spec.userID, read.status.expiresAt], ["alice", "2026-11-29T02:00:00Z"]);
  const patch = [
    "patch",
    "useractivity",
    "session-1",
    "--type=merge",
    "-p",
    '{"spec":{"seenAt":"2026-11-28T12:00:00Z"}}',
  ];
  assert.equal((await kubectl("alice", patch)).code, 0);
  assert.match((await kubectl("bob", ["get", "useractivity", "session-1"])).stderr, /not found/);
  assert.match((await kubectl("alice", ["delete", "useractivity", "session-1"])).stderr, /MethodNotAllowed/);
});

test("passwordchangerequests: one's own by the present password, another's by what the gateway says", async () => {
  const request = (spec: object) => of("PasswordChangeRequest", { spec });
  const first = await create("alice", request({ userID: "alice", newPassword: "correct horse" }));
  assert.deepEqual(
    [first.object?.status, first.object?.spec.newPassword],
    [{ summary: "Completed" }, ""],
    first.stderr,
  );
  const wrong = request({ userID: "alice", currentPassword: "guess", newPassword: "battery staple" });
  assert.match((await create("alice", wrong)).stderr, /spec\.currentPassword: Invalid value/);
  const right = request({ userID: "alice", currentPassword: "correct horse", newPassword: "battery staple" });
  assert.equal((await create("alice", right)).code, 0);
  assert.match(
    (await create("alice", request({ userID: "carol", newPassword: "battery staple" }))).stderr,
    /forbidden: update of users is needed/,
  );
  asked.length = 0;
  assert.equal((await create("alice", request({ userID: "bob", newPassword: "battery staple" }))).code, 0);
  assert.deepEqual(asked, ["update", "manage-passwords"]);
  assert.match(
    (await create("alice", request({ userID: "alice", newPassword: "short" }), "--validate=false")).stderr,
    /should be at least 12 chars long/,
  );
});

test("groupmembershiprefreshrequests: one's own, and for everybody by the admin", async () => {
  const request = (userID: string) => of("GroupMembershipRefreshRequest", { spec: { userID } });
  assert.equal((await create("alice", request("alice"))).code, 0);
  assert.match((await create("alice", request("*"))).stderr, /forbidden: only your own groups/);
  assert.deepEqual((await create("admin", request("*"))).object.status, { summary: "Completed" });
  assert.deepEqual(refreshed, ["alice", "*"]);
});

test("selfusers: who am I", async () => {
  assert.deepEqual((await create("alice", of("SelfUser", {}))).object.status, { userID: "alice" });
});
