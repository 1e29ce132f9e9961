import assert from "node:assert/strict";
import { test } from "node:test";
import { asked } from "./asked.fixture.ts";
import {
  type Authorizer,
  type AuthorizerDecision,
  createAuthorizer,
  noticingAggregator,
  timedAuthorizer,
} from "./authz.ts";

test("createAuthorizer() tells which of several decided, and nothing where none did", async () => {
  const told: AuthorizerDecision[] = [];
  const authorizer = createAuthorizer({ observe: (decision) => told.push(decision) });
  await authorizer(asked({ user: { name: "root", uid: "", groups: ["system:masters"], extra: {} } }));
  await authorizer(asked({ isResourceRequest: false, path: "/readyz" }));
  await authorizer(asked());
  assert.deepEqual(told, [
    { type: "AlwaysAllowGroups", name: "system:masters", decision: "allowed" },
    { type: "AlwaysAllowPaths", name: "paths", decision: "allowed" },
  ]);
});

test("timedAuthorizer() tells what came of each question, and a failure only where nobody allowed", async () => {
  const told: string[] = [];
  const answers: readonly Awaited<ReturnType<Authorizer>>[] = [
    { outcome: "allow", reason: "" },
    { outcome: "allow", reason: "", error: new Error("one could not tell") },
    { outcome: "deny", reason: "" },
    { outcome: "noOpinion", reason: "" },
    { outcome: "noOpinion", reason: "", error: new Error("nobody could tell") },
  ];
  for (const answer of answers) {
    const authorizer = timedAuthorizer(
      () => answer,
      ({ result, seconds }) => {
        assert.ok(seconds >= 0 && seconds < 60);
        told.push(result);
      },
    );
    assert.equal(await authorizer(asked()), answer);
  }
  assert.deepEqual(told, ["allowed", "allowed", "denied", "no-opinion", "error"]);
});

test("noticingAggregator() notices the first request of kube-apiserver's own users, and each group and version they ask for", () => {
  const seen: string[] = [];
  const versions: string[] = [];
  const authorizer = noticingAggregator(() => ({ outcome: "allow", reason: "" }), {
    onSeen: (user) => seen.push(user),
    onGroupVersion: (groupVersion) => versions.push(groupVersion),
  });
  const ask = (name: string, path: string) =>
    authorizer(asked({ user: { name, uid: "", groups: [], extra: {} }, isResourceRequest: false, path }));
  ask("somebody", "/apis/a.com/v1");
  ask("system:aggregator", "/openapi/v3");
  ask("system:kube-aggregator", "/apis/a.com/v1");
  ask("system:kube-aggregator", "/apis/a.com");
  ask("system:kube-aggregator", "/apis/a.com/v1/things");
  ask("system:kube-aggregator", "/apis/b.com/v2");
  assert.deepEqual(seen, ["system:aggregator"]);
  assert.deepEqual(versions, ["a.com/v1", "b.com/v2"]);
});
