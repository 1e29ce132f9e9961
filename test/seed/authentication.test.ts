/** The seed's TestAuthenticationCustom and TestAuthenticationUnion, with authenticators that are functions. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Authenticator, type User, unionAuthenticator } from "../../gateway/main.ts";
import { createMemoryStore } from "../../stores/memory/store.ts";
import type { CallUser } from "../../stores/sdk/sdk.ts";
import { admin, allPaths, startSeed, testType, testTypes } from "./seed.testing.ts";

const unauthorized = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: "Unauthorized",
  reason: "Unauthorized",
  code: 401,
};

test("authenticated request check user: the store sees name, groups and extra unchanged", async (t) => {
  const user: User = { name: "my-user", uid: "7", groups: ["my-group"], extra: { hello: ["world"] } };
  const seen: (CallUser | undefined)[] = [];
  const memory = createMemoryStore([testTypes()]);
  const store = {
    ...memory,
    create: async (call: Parameters<NonNullable<typeof memory.create>>[0]) => {
      seen.push(call.user);
      return await (memory.create?.(call) as ReturnType<NonNullable<typeof memory.create>>);
    },
  };
  const { ask } = await startSeed(t, { stores: [store], authenticator: () => user });
  const created = await ask("/apis/ext.cattle.io/v1/testtypes", { method: "POST", body: testType("foo") });
  assert.equal(created.status, 201);
  assert.deepEqual(seen, [user]);
});

test("authenticated request all paths: 200; to /unknown: 404", async (t) => {
  const { ask } = await startSeed(t);
  await ask("/apis/ext.cattle.io/v1/testtypes", { method: "POST", body: testType("foo") });
  for (const path of allPaths) assert.equal((await ask(path)).status, 200, path);
  assert.equal((await ask("/unknown")).status, 404);
});

for (const [name, authenticator] of [
  ["unauthenticated, all paths and /unknown", () => undefined],
  [
    "authenticator returns an error, all paths and /unknown",
    () => {
      throw new Error("the directory is away");
    },
  ],
] satisfies [string, Authenticator][]) {
  test(`${name}: 401 with the Unauthorized Status`, async (t) => {
    const { ask } = await startSeed(t, { authenticator });
    for (const path of [...allPaths, "/unknown"]) {
      const { status, body, text } = await ask(path);
      assert.deepEqual([status, body], [401, unauthorized], path);
      assert.doesNotMatch(text, /directory/);
    }
  });
}

test("union: tried in order, the first success wins; all errors together are one 401", async (t) => {
  const tried: string[] = [];
  const step =
    (name: string, how: () => User | undefined): Authenticator =>
    () => {
      tried.push(name);
      return how();
    };
  const failing = (why: string) => (): User | undefined => {
    throw new Error(why);
  };
  const start = async (...steps: Authenticator[]) => {
    tried.length = 0;
    return await startSeed(t, { authenticator: unionAuthenticator(steps) });
  };
  const first = await start(
    step("silent", () => undefined),
    step("failing", failing("no")),
    step("knowing", () => admin),
    step("never", () => admin),
  );
  assert.equal((await first.ask("/openapi/v2")).status, 200);
  assert.deepEqual(tried, ["silent", "failing", "knowing"]);
  const none = await start(step("a", failing("bad password")), step("b", failing("bad token")));
  assert.equal((await none.ask("/openapi/v2")).status, 401);
  assert.deepEqual(none.logged.at(-2)?.fields["error"], "bad password, bad token");
});
