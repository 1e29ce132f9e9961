import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../apimachinery/json.ts";
import { KubeError } from "../kubeclient/kubeclient.ts";
import { asked } from "./asked.fixture.ts";
import type { Attributes } from "./authorizer.ts";
import { type ReviewAuthorizerOptions, reviewAuthorizer } from "./subject-access-review.ts";

interface Sent {
  readonly path: string;
  readonly spec: JsonObject;
}

/** An authorizer, and who answers it: with a status, or with what it throws. */
function start(answer: (sent: Sent) => unknown, options: Partial<ReviewAuthorizerOptions> = {}) {
  const sent: Sent[] = [];
  const logged: object[] = [];
  const clock = { now: 0 };
  const authorize = reviewAuthorizer({
    client: {
      async request({ path, body }) {
        const one = { path, spec: body?.["spec"] as JsonObject };
        sent.push(one);
        await Promise.resolve();
        return { status: answer(one) } as JsonObject;
      },
    },
    random: () => 0,
    log: { warn: (fields) => logged.push(fields) },
    now: () => clock.now,
    pause: async () => {},
    ...options,
  });
  return { authorize, sent, logged, clock };
}

const specOf = async (changes: Partial<Attributes>) => {
  const { authorize, sent } = start(() => ({ allowed: true }));
  await authorize(asked(changes));
  return sent[0]?.spec;
};

test("reviewAuthorizer() asks the host cluster with the user and the attributes, empty ones left out", async () => {
  const { authorize, sent } = start(() => ({ allowed: true, reason: "because" }));
  const user = { name: "u", uid: "7", groups: ["a"], extra: { z: ["1"], b: ["2", "3"] } };
  assert.deepEqual(await authorize(asked({ user, namespace: "ns", subresource: "status" })), {
    outcome: "allow",
    reason: "because",
  });
  assert.deepEqual(sent, [
    {
      path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      spec: {
        resourceAttributes: {
          namespace: "ns",
          verb: "get",
          group: "g",
          version: "v1",
          resource: "things",
          subresource: "status",
          name: "n",
        },
        user: "u",
        groups: ["a"],
        extra: { b: ["2", "3"], z: ["1"] },
        uid: "7",
      },
    },
  ]);
});

test("reviewAuthorizer() asks about a path", async () => {
  const spec = await specOf({ isResourceRequest: false, path: "/metrics", verb: "post" });
  assert.deepEqual(spec, { nonResourceAttributes: { path: "/metrics", verb: "post" }, user: "u", groups: ["a", "b"] });
});

test("reviewAuthorizer() sends what selectors ask for, and leaves out what a review has no words for", async () => {
  const selectors = async (fieldSelector: string, labelSelector: string) => {
    const spec = await specOf({ fieldSelector, labelSelector });
    const { fieldSelector: fields, labelSelector: labels } = (spec?.["resourceAttributes"] ?? {}) as JsonObject;
    return [fields, labels];
  };
  assert.deepEqual(await selectors("a=1,b!=2", "c in (x,y),d notin (z),e,!f,g=h,i!=j,k>5"), [
    {
      requirements: [
        { key: "a", operator: "In", values: ["1"] },
        { key: "b", operator: "NotIn", values: ["2"] },
      ],
    },
    {
      requirements: [
        { key: "c", operator: "In", values: ["x", "y"] },
        { key: "d", operator: "NotIn", values: ["z"] },
        { key: "e", operator: "Exists" },
        { key: "f", operator: "DoesNotExist" },
        { key: "g", operator: "In", values: ["h"] },
        { key: "i", operator: "NotIn", values: ["j"] },
      ],
    },
  ]);
  assert.deepEqual(await selectors("not a selector", "k>5"), [undefined, undefined]);
});

test("reviewAuthorizer() reads every answer, and believes neither when both are given", async () => {
  const decide = async (status: object) => await start(() => status).authorize(asked());
  assert.deepEqual(await decide({ allowed: false, denied: true, reason: "no" }), { outcome: "deny", reason: "no" });
  assert.deepEqual(await decide({ allowed: false, reason: "none" }), { outcome: "noOpinion", reason: "none" });
  const both = await decide({ allowed: true, denied: true });
  assert.equal(both.outcome, "deny");
  assert.equal(both.error?.message, "webhook subject access review returned both allow and deny response");
});

test("reviewAuthorizer() keeps an answer for ten seconds, each sort for its own time", async () => {
  for (const [status, options] of [
    [{ allowed: true }, {}],
    [{ allowed: false }, {}],
    [{ allowed: true }, { allowedMs: 3000, otherwiseMs: 0 }],
  ] as const) {
    const { authorize, sent, clock } = start(() => status, options);
    const ttl = "allowedMs" in options ? options.allowedMs : 10_000;
    await authorize(asked());
    clock.now = ttl - 1;
    await authorize(asked());
    assert.equal(sent.length, 1);
    clock.now = ttl;
    await authorize(asked());
    assert.equal(sent.length, 2);
    await authorize(asked({ name: "other" }));
    assert.equal(sent.length, 3);
  }
});

test("reviewAuthorizer() keeps the answers that were used last, at most 8,192", async () => {
  const { authorize, sent } = start(() => ({ allowed: true }));
  for (let at = 0; at < 8192; at++) await authorize(asked({ name: `n${at}` }));
  await authorize(asked({ name: "n0" }));
  assert.equal(sent.length, 8192);
  await authorize(asked({ name: "one more" }));
  await authorize(asked({ name: "n0" }));
  assert.equal(sent.length, 8193);
  await authorize(asked({ name: "n1" }));
  assert.equal(sent.length, 8194);
});

test("reviewAuthorizer() keeps no answer about what a client made very long", async () => {
  const { authorize, sent } = start(() => ({ allowed: true }));
  for (const changes of [{ name: "x".repeat(10_000) }, { labelSelector: `a=${"b".repeat(10_000)}` }]) {
    sent.length = 0;
    await authorize(asked(changes));
    await authorize(asked(changes));
    assert.equal(sent.length, 2);
  }
});

test("reviewAuthorizer() asks once for the same question at the same time", async () => {
  const { authorize, sent } = start(() => ({ allowed: true }));
  const decisions = await Promise.all(Array.from({ length: 5 }, () => authorize(asked())));
  assert.deepEqual(new Set(decisions.map(({ outcome }) => outcome)), new Set(["allow"]));
  assert.equal(sent.length, 1);
});

test("reviewAuthorizer() asks again after a hiccup; in the end it has no opinion, and the next request asks anew", async () => {
  let failures = 4;
  const { authorize, sent, logged } = start(() => {
    if (failures-- > 0) throw new KubeError("host cluster at 10.0.0.1 is overloaded", 429);
    return { allowed: true };
  });
  assert.equal((await authorize(asked())).outcome, "allow");
  assert.equal(sent.length, 5);
  failures = 100;
  const { outcome, error } = await authorize(asked({ name: "other" }));
  assert.deepEqual([outcome, error?.message], ["noOpinion", "the subject access review failed"]);
  assert.deepEqual(logged, [{ error: "host cluster at 10.0.0.1 is overloaded" }]);
  failures = 0;
  assert.equal((await authorize(asked({ name: "other" }))).outcome, "allow");
});

test("reviewAuthorizer() takes an answer without a status for none", async () => {
  const { authorize } = start(() => undefined);
  assert.equal((await authorize(asked())).error?.message, "the subject access review failed");
});
