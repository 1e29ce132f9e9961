import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attempt, createAuthentication, givenAuthentication } from "./authn.ts";
import { midday, request } from "./certificates.fixture.ts";

const log = { info() {}, warn() {}, error() {} };
const user = { name: "ann", uid: "", groups: [], extra: {} };
const userOf = (token: string) => {
  if (token === "wrong") throw new Error("it has expired");
  return token === "right" ? user : undefined;
};

test("onAttempt() tells users, strangers and wrong credentials apart, which clients are not told", async () => {
  const whole = createAuthentication({ anonymous: false, clock: () => midday, log, tokens: [userOf] });
  const given = givenAuthentication((sent) => userOf(sent.header("authorization")?.slice(7) ?? ""), log);
  for (const authentication of [whole, given]) {
    const told: Attempt[] = [];
    authentication.onAttempt?.((attempt) => told.push(attempt));
    const ask = async (token: string) =>
      await authentication.authenticate(request({ authorization: `Bearer ${token}` }));
    assert.equal((await ask("right")).user.name, "ann");
    await assert.rejects(ask("wrong"), { status: { code: 401, reason: "Unauthorized", message: "Unauthorized" } });
    await assert.rejects(authentication.authenticate(request({})), {
      status: { code: 401, reason: "Unauthorized", message: "Unauthorized" },
    });
    assert.deepEqual(
      told.map(({ result, username }) => [result, username]),
      [
        ["success", "ann"],
        ["error", ""],
        ["failure", ""],
      ],
    );
    assert.ok(told.every(({ seconds }) => seconds >= 0 && seconds < 60));
  }
});
