/** Tokens that others judge: reviewed, remembered for a moment, in headers and in WebSockets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { User } from "../apimachinery/user.ts";
import { KubeError, type KubeRequest } from "../kubeclient/kubeclient.ts";
import { type AuthenticationOptions, createAuthentication } from "./authn.ts";
import { midday, request } from "./certificates.fixture.ts";
import { cachedTokens } from "./token-cache.ts";
import { reviewedTokens } from "./token-review.ts";

const user = (name: string): User => ({ name, uid: "", groups: [], extra: {} });

/** A reviewer that gives these statuses, one a call. */
function reviewer(...statuses: readonly unknown[]) {
  const asked: KubeRequest[] = [];
  const left = [...statuses];
  const client = {
    request: async (given: KubeRequest) => {
      asked.push(given);
      const status = left.shift();
      if (status instanceof Error) throw status;
      return { status } as never;
    },
  };
  return { asked, client };
}

const review = (audiences: readonly string[], ...statuses: readonly unknown[]) => {
  const { asked, client } = reviewer(...statuses);
  return { asked, userOf: reviewedTokens({ client, audiences, random: () => 0, pause: async () => {} }) };
};

test("reviewedTokens() asks with the token and the audiences, and takes the user as it is told", async () => {
  const { asked, userOf } = review(["annex"], {
    authenticated: true,
    user: { username: "ann", uid: "7", groups: ["dev"], extra: { scopes: ["a"], __proto__: ["b"] } },
    audiences: ["annex", "other"],
  });
  assert.deepEqual(await userOf("t"), { name: "ann", uid: "7", groups: ["dev"], extra: { scopes: ["a"] } });
  const { method, path, body } = asked[0] as KubeRequest;
  assert.deepEqual([method, path], ["POST", "/apis/authentication.k8s.io/v1/tokenreviews"]);
  assert.deepEqual(body, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token: "t", audiences: ["annex"] },
  });
});

test("reviewedTokens() knows nobody by a token for others, or one that is refused", async () => {
  const ann = { authenticated: true, user: { username: "ann" } };
  assert.equal(await review(["annex"], { ...ann, audiences: ["other"] }).userOf("t"), undefined);
  assert.equal((await review(["annex"], { ...ann, audiences: [] }).userOf("t"))?.name, "ann");
  assert.equal((await review([], { ...ann, audiences: ["other"] }).userOf("t"))?.name, "ann");
  assert.equal(await review([], { authenticated: false, user: { username: "ann" } }).userOf("t"), undefined);
  assert.equal(await review([], { user: { username: "ann" } }).userOf("t"), undefined);
});

test("reviewedTokens() fails where it isn't told", async () => {
  await assert.rejects(review([], { error: "token expired" }).userOf("t"), { message: "token expired" });
  await assert.rejects(review([], undefined).userOf("t"), { message: "the token review came back without a status" });
  await assert.rejects(review([], { authenticated: true }).userOf("t"), { message: "the token review names no user" });
  const { asked, userOf } = review([], new KubeError("no", 500), new KubeError("no", 403));
  await assert.rejects(userOf("t"), { code: 403 });
  assert.equal(asked.length, 2);
});

test("cachedTokens() asks once for many, remembers yes and no for a moment, and failures not at all", async () => {
  let now = 0;
  const asked: string[] = [];
  const told: string[] = [];
  const observe = {
    tokenAsked: (status: string) => told.push(status),
    tokenFetched: (status: string) => told.push(status),
  };
  const waiting: PromiseWithResolvers<User | undefined>[] = [];
  const userOf = cachedTokens(
    (token) => {
      asked.push(token);
      const answer = Promise.withResolvers<User | undefined>();
      waiting.push(answer);
      return answer.promise;
    },
    { ttlMs: 10_000, now: () => now, observe },
  );
  const many = [userOf("a"), userOf("a"), userOf("b")];
  waiting[0]?.resolve(user("ann"));
  waiting[1]?.resolve(undefined);
  assert.deepEqual(
    (await Promise.all(many)).map((one) => one?.name),
    ["ann", "ann", undefined],
  );
  assert.equal((await userOf("a"))?.name, "ann");
  assert.equal(await userOf("b"), undefined);
  assert.deepEqual(asked, ["a", "b"]);
  assert.deepEqual(told.sort(), ["hit", "hit", "miss", "miss", "miss", "ok", "ok"]);
  now = 10_000;
  const late = [userOf("a"), userOf("a")];
  waiting[2]?.reject(new Error("no answer"));
  for (const one of late) await assert.rejects(async () => await one, { message: "no answer" });
  const again = userOf("a");
  waiting[3]?.resolve(user("ann"));
  assert.equal((await again)?.name, "ann");
  assert.deepEqual(asked, ["a", "b", "a", "a"]);
  assert.deepEqual(told.sort(), ["error", "hit", "hit", ...Array(6).fill("miss"), "ok", "ok", "ok"]);
});

const tokens = [
  (token: string) => (token === "boom" ? Promise.reject(new Error("the first can't tell")) : undefined),
  (token: string) => (token === "t1" || token === "boom" ? user("ann") : undefined),
];

function create(options: Partial<AuthenticationOptions> = {}) {
  const lines: string[] = [];
  const log = { info() {}, warn: (fields: object) => lines.push((fields as { error: string }).error), error() {} };
  return { ...createAuthentication({ anonymous: false, clock: () => midday, log, tokens, ...options }), lines };
}

const unauthorized = { status: { code: 401, reason: "Unauthorized", message: "Unauthorized" } };
const webSocket = (protocols: string | string[], connection: string | string[] = "keep-alive, Upgrade") =>
  request({ connection, upgrade: "WebSocket", "sec-websocket-protocol": protocols });
const asProtocol = (token: string) =>
  `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`;

test("authenticate() asks all who know tokens, and one that fails doesn't stop the others", async () => {
  const { authenticate } = create();
  assert.equal((await authenticate(request({ authorization: "Bearer boom" }))).user.name, "ann");
  await assert.rejects(authenticate(request({ authorization: "Bearer t2" })), unauthorized);
});

test("authenticate() knows a WebSocket's token, and passes on the other protocols alone", async () => {
  const { authenticate } = create();
  for (const offered of [
    `${asProtocol("t1")}, v5.channel.k8s.io,v4.channel.k8s.io`,
    [asProtocol("t1"), "v5.channel.k8s.io,v4.channel.k8s.io"],
  ]) {
    const { user: known, request: passed } = await authenticate(webSocket(offered));
    assert.equal(known.name, "ann");
    assert.equal(passed.headers("sec-websocket-protocol").join(","), "v5.channel.k8s.io,v4.channel.k8s.io");
  }
});

test("authenticate() refuses a WebSocket's token that is wrong, alone, doubled or garbled", async () => {
  const { authenticate, lines } = create();
  const one = "v5.channel.k8s.io";
  const garbled = "base64url.bearer.authorization.k8s.io.";
  for (const offered of [
    `${asProtocol("t2")},${one}`,
    asProtocol("t1"),
    `${asProtocol("t1")},${asProtocol("t1")},${one}`,
    `${garbled}dDE=,${one}`,
    `${garbled}gA,${one}`,
  ]) {
    await assert.rejects(authenticate(webSocket(offered)), unauthorized);
  }
  assert.deepEqual(lines, [
    "invalid bearer token",
    "missing additional subprotocol",
    "multiple base64.bearer.authorization tokens specified",
    "invalid base64.bearer.authorization token encoding",
    "invalid base64.bearer.authorization token",
  ]);
});

test("authenticate() looks for such tokens in nothing but WebSockets, and still takes them away", async () => {
  const { authenticate } = create({ anonymous: true });
  const offered = `${asProtocol("t1")},v5.channel.k8s.io`;
  const { user: nobody, request: passed } = await authenticate(webSocket(offered, "keep-alive"));
  assert.equal(nobody.name, "system:anonymous");
  assert.equal(passed.header("sec-websocket-protocol"), "v5.channel.k8s.io");
});
