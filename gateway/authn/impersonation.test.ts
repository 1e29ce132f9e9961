/** Acting as somebody else: which questions decide, and as whom a request goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attributes } from "../apimachinery/attributes.ts";
import { forbidden, StatusError } from "../apimachinery/status.ts";
import type { User } from "../apimachinery/user.ts";
import { request } from "./certificates.fixture.ts";
import { actingUser } from "./impersonation.ts";

const dev: User = { name: "dev", uid: "", groups: ["devs"], extra: {} };
type Headers = Parameters<typeof request>[0];

/** `verb group/resource/subresource namespace/name`, empty parts left out. */
function word({ verb, apiGroup, resource, subresource, namespace, name }: Attributes): string {
  const kind = [apiGroup, resource, subresource].filter((part) => part !== "").join("/");
  return `${verb} ${kind} ${[namespace, name].filter((part) => part !== "").join("/")}`.trim();
}

/** Goes as `user` with these headers, to list pods, where only some questions are answered with yes. */
async function act(headers: Headers, options: { user?: User; may?: readonly (string | RegExp)[] } = {}) {
  const { user = dev, may = [/./] } = options;
  const asked: string[] = [];
  const users: User[] = [];
  const refuse = (attributes: Attributes, why: string) =>
    forbidden({ group: attributes.apiGroup, word: attributes.resource }, attributes.name, why);
  const attributes: Attributes = {
    ...{
      user,
      verb: "list",
      isResourceRequest: true,
      path: "/api/v1/namespaces/a/pods",
      apiGroup: "",
      apiVersion: "v1",
    },
    ...{ resource: "pods", subresource: "", namespace: "a", name: "", fieldSelector: "", labelSelector: "" },
  };
  const asking = async () =>
    await actingUser(request({ accept: "text/plain", ...headers }), {
      attributes,
      assertMay: async (question) => {
        asked.push(word(question));
        users.push(question.user);
        const isAllowed = may.some((one) =>
          typeof one === "string" ? one === word(question) : one.test(word(question)),
        );
        if (!isAllowed) throw refuse(question, `cannot ${question.verb}`);
      },
      forbidden: refuse,
    });
  const acting = await asking().catch((error: unknown) => {
    if (!(error instanceof StatusError)) throw error;
    return error.status;
  });
  return { acting, asked, users };
}

async function acting(headers: Headers, options?: Parameters<typeof act>[1]): Promise<User> {
  const { acting: found } = await act(headers, options);
  assert.ok("user" in found, JSON.stringify(found));
  return found.user;
}

const legacy = { may: [/^impersonate /] };

test("actingUser() leaves a request alone that asks for nothing", async () => {
  const { acting: found, asked } = await act({});
  assert.ok("user" in found);
  assert.deepEqual([found.user, found.impersonator, asked], [dev, undefined, []]);
});

test("actingUser() gives the user as wanted, who acts, and a request without the headers, whatever their case", async () => {
  const { acting: found } = await act(
    {
      "IMPERSONATE-USER": ["ann", "eve"],
      "Impersonate-Uid": "7",
      "impersonate-group": ["dev", "ops"],
      "Impersonate-Extra-Acme.io%2fScope": ["a", "b"],
      "impersonate-extra-__proto__": "c",
    },
    legacy,
  );
  assert.ok("user" in found);
  assert.deepEqual([found.user.name, found.user.uid], ["ann", "7"]);
  assert.deepEqual(found.user.groups, ["dev", "ops", "system:authenticated"]);
  assert.deepEqual(Object.entries(found.user.extra), [
    ["acme.io/scope", ["a", "b"]],
    ["__proto__", ["c"]],
  ]);
  assert.equal(found.impersonator, dev);
  assert.deepEqual(found.request.rawHeaders, [["accept", "text/plain"]]);
});

test("actingUser() refuses headers that say something of nobody, as kube-apiserver words it", async () => {
  const { acting: found } = await act({ "impersonate-group": ["a", "b"], "impersonate-extra-K": "v" });
  assert.ok("code" in found);
  const wanted =
    '&user.DefaultInfo{Name:"", UID:"", Groups:[]string{"a", "b"}, Extra:map[string][]string{"k":[]string{"v"}}}';
  assert.deepEqual([found.code, found.message], [400, `requested ${wanted} without impersonating a user name`]);
  const { acting: uidOnly } = await act({ "impersonate-uid": "7" });
  assert.ok("code" in uidOnly);
  assert.match(uidOnly.message, /UID:"7", Groups:\[\]string\(nil\), Extra:map\[string\]\[\]string\(nil\)\}/);
});

test("actingUser() gives groups by what a user is", async () => {
  const groups = async (headers: Headers, may = legacy.may) => (await acting(headers, { may })).groups;
  const as = (name: string, ...more: string[]) => ({ "impersonate-user": name, "impersonate-group": more });
  const account = "system:serviceaccount:foo:default";
  assert.deepEqual(await groups(as("ann")), ["system:authenticated"]);
  assert.deepEqual(await groups(as("ann", "system:unauthenticated")), ["system:unauthenticated"]);
  assert.deepEqual(await groups(as("ann", "a", "system:authenticated")), ["a", "system:authenticated"]);
  assert.deepEqual(await groups(as("system:anonymous")), ["system:unauthenticated"]);
  const own = ["system:serviceaccounts", "system:serviceaccounts:foo", "system:authenticated"];
  assert.deepEqual(await groups(as(account)), own);
  assert.deepEqual(await groups(as(account, "a")), ["a", "system:authenticated"]);
  assert.deepEqual(await groups(as("system:node:n1"), [/:arbitrary-node/]), ["system:nodes", "system:authenticated"]);
  assert.deepEqual(await groups(as("system:node:n1")), ["system:authenticated"], "the older way knows no nodes");
});

test("actingUser() asks in the older way for each part, after the constrained ones refused", async () => {
  const headers = {
    "impersonate-user": "ann",
    "impersonate-uid": "7",
    "impersonate-group": "dev",
    "impersonate-extra-scopes": "a",
  };
  const { asked } = await act(headers, legacy);
  assert.deepEqual(asked, [
    "impersonate-on:user-info:list pods a",
    "impersonate users ann",
    "impersonate authentication.k8s.io/uids 7",
    "impersonate groups dev",
    "impersonate authentication.k8s.io/userextras/scopes a",
  ]);
  const account = { "impersonate-user": "system:serviceaccount:foo:default" };
  assert.ok((await act(account, legacy)).asked.includes("impersonate serviceaccounts foo/default"));
  for (const [index, word] of asked.entries()) {
    if (index === 0) continue;
    const may = asked.filter((one) => one !== word);
    const { acting: found } = await act(headers, { may: may.slice(1) });
    assert.ok("code" in found && found.code === 403, word);
  }
});

test("actingUser() tells the first refusal", async () => {
  const { acting: found } = await act({ "impersonate-user": "ann" }, { may: [] });
  assert.ok("code" in found);
  assert.deepEqual([found.code, found.message], [403, "pods is forbidden: cannot impersonate-on:user-info:list"]);
});

test("actingUser() asks two questions in a constrained mode, and needs both", async () => {
  const headers = { "impersonate-user": "ann", "impersonate-group": "dev" };
  const { asked } = await act(headers);
  assert.deepEqual(asked, [
    "impersonate-on:user-info:list pods a",
    "impersonate:user-info authentication.k8s.io/users ann",
    "impersonate:user-info authentication.k8s.io/groups dev",
  ]);
  for (const without of asked) {
    const { acting: found } = await act(headers, { may: asked.filter((one) => one !== without) });
    assert.ok("code" in found && found.code === 403, without);
  }
  const account = await act({ "impersonate-user": "system:serviceaccount:foo:default" });
  assert.deepEqual(account.asked, [
    "impersonate-on:serviceaccount:list pods a",
    "impersonate:serviceaccount authentication.k8s.io/serviceaccounts foo/default",
  ]);
  const node = await act({ "impersonate-user": "system:node:n1" });
  assert.deepEqual(node.asked, [
    "impersonate-on:arbitrary-node:list pods a",
    "impersonate:arbitrary-node authentication.k8s.io/nodes n1",
  ]);
});

test("actingUser() lets a service account be the node that it runs on, named by no rule", async () => {
  const nodeName = { "authentication.kubernetes.io/node-name": ["n1"] };
  const agent = { name: "system:serviceaccount:kube-system:agent", uid: "", groups: [], extra: nodeName };
  const own = await act({ "impersonate-user": "system:node:n1" }, { user: agent });
  assert.deepEqual(own.asked, [
    "impersonate-on:associated-node:list pods a",
    "impersonate:associated-node authentication.k8s.io/nodes *",
  ]);
  const keys = { "authentication.kubernetes.io/associated-node-keys": ["authentication.kubernetes.io/node-name"] };
  assert.deepEqual(own.users[0]?.extra, keys);
  const other = await act({ "impersonate-user": "system:node:n2" }, { user: agent });
  assert.equal(other.asked[0], "impersonate-on:arbitrary-node:list pods a");
  const person = await act({ "impersonate-user": "system:node:n1" }, { user: { ...agent, name: "ann" } });
  assert.equal(person.asked[0], "impersonate-on:arbitrary-node:list pods a");
});

test("actingUser() asks once for many, where one answer may stand for all", async () => {
  const groups = { "impersonate-user": "ann", "impersonate-group": ["a", "b", "c", "d"] };
  assert.equal((await act(groups)).asked.length, 3);
  assert.ok((await act(groups)).asked.includes("impersonate:user-info authentication.k8s.io/groups *"));
  const notAll = await act(groups, { may: [/groups [abcd]$/, /users ann$/, /-on:/] });
  assert.equal(notAll.asked.length, 2 + 1 + 4);
  assert.ok(!(await act(groups, legacy)).asked.includes("impersonate groups *"));
});

test("actingUser() refuses in a constrained mode what the older way leaves to its rules", async () => {
  const constrained = { may: [/:user-info/] };
  for (const [headers, why] of [
    [{ "impersonate-group": "system:masters" }, "impersonating the system:masters group is not allowed"],
    [{ "impersonate-group": "" }, "impersonating the empty string group is not allowed"],
    [{ "impersonate-extra-scopes": "a" }, /invalid key in extra .*"scopes": must be a domain-prefixed path/],
    [{ "impersonate-extra-acme.io%2fa": "" }, "impersonating the empty string value in extra is not allowed"],
    [{ "impersonate-extra-": "a" }, "impersonating the empty string key in extra is not allowed"],
  ] as const) {
    const { acting: found } = await act({ "impersonate-user": "ann", ...headers }, constrained);
    assert.ok("code" in found && found.code === 403);
    assert.match(found.message, typeof why === "string" ? new RegExp(`: ${why}$`) : why);
    await acting({ "impersonate-user": "ann", ...headers }, legacy);
  }
});
