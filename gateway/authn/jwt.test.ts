/** Tokens that an issuer signed, and tokens that only look so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { JsonObject } from "../apimachinery/json.ts";
import { midday } from "./certificates.fixture.ts";
import { issuedTokens, type JwtIssuer } from "./jwt.ts";

const url = "https://issuer.example/realm";
const first = await generateKeyPair("ES256");
const second = await generateKeyPair("RS256");
const stranger = await generateKeyPair("ES256");
const jwk = async (pair: typeof first, kid: string, alg: string) => ({
  ...(await exportJWK(pair.publicKey)),
  kid,
  alg,
});
const seconds = midday.getTime() / 1000;

const issuer: JwtIssuer = {
  url,
  discoveryUrl: undefined,
  audiences: ["annex", "other"],
  claims: {
    username: { claim: "sub", prefix: "oidc:" },
    groups: { claim: "groups", prefix: "oidc:" },
    uid: undefined,
    required: [],
  },
};

type Change = Partial<Omit<JwtIssuer, "claims">> & { readonly claims?: Partial<JwtIssuer["claims"]> };

/** An issuer with the first key, and what was asked of it. */
async function create(change: Change = {}) {
  const asked: string[] = [];
  const state = { now: 0, isDown: false, keys: [await jwk(first, "1", "ES256")], issuer: url, keysUrl: `${url}/keys` };
  const userOf = issuedTokens({
    issuer: { ...issuer, ...change, claims: { ...issuer.claims, ...change.claims } },
    fetchJson: async ({ href }) => {
      asked.push(href);
      if (state.isDown) throw new Error("no answer");
      if (href === `${url}/keys`) return { keys: state.keys } as unknown as JsonObject;
      return { issuer: state.issuer, jwks_uri: state.keysUrl };
    },
    clock: () => midday,
    now: () => state.now,
  });
  return { asked, state, userOf };
}

async function sign(claims: JWTPayload = {}, { pair = first, kid = "1", alg = "ES256" } = {}): Promise<string> {
  const all = { iss: url, aud: "annex", sub: "ann", exp: seconds + 60, ...claims };
  return await new SignJWT(all).setProtectedHeader({ alg, kid }).sign(pair.privateKey);
}

test("issuedTokens() takes name, groups, uid and the token's id from claims, with their prefixes", async () => {
  const { userOf, asked } = await create({ claims: { uid: "uid" } });
  assert.deepEqual(await userOf(await sign({ groups: ["dev", "ops"], uid: "7", jti: "j", aud: ["x", "other"] })), {
    name: "oidc:ann",
    uid: "7",
    groups: ["oidc:dev", "oidc:ops"],
    extra: { "authentication.kubernetes.io/credential-id": ["JTI=j"] },
  });
  const { groups, extra } = (await userOf(await sign({ groups: "dev", uid: "" }))) ?? {};
  assert.deepEqual([groups, extra], [["oidc:dev"], {}]);
  assert.deepEqual(asked, [`${url}/.well-known/openid-configuration`, `${url}/keys`], "asked once");
});

test("issuedTokens() has no opinion of what isn't its issuer's", async () => {
  const { userOf, asked } = await create();
  for (const token of ["opaque", "a.b.c", await sign({ iss: `${url}/` }), await sign({ iss: undefined as never })]) {
    assert.equal(await userOf(token), undefined);
  }
  assert.deepEqual(asked, []);
});

test("issuedTokens() refuses whatever doesn't hold", async () => {
  const { userOf } = await create();
  const unsigned = (alg: string, signature: string) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = part({ iss: url, aud: "annex", sub: "ann", exp: seconds + 60 });
    return `${part({ alg, kid: "1" })}.${claims}.${signature}`;
  };
  const secret = await new SignJWT({ iss: url, aud: "annex", sub: "ann", exp: seconds + 60 })
    .setProtectedHeader({ alg: "HS256", kid: "1" })
    .sign(Buffer.from(JSON.stringify(await exportJWK(first.publicKey))));
  for (const [token, code] of [
    [await sign({}, { pair: stranger }), "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"],
    [await sign({ exp: seconds - 1 }), "ERR_JWT_EXPIRED"],
    [await sign({ exp: undefined as never }), "ERR_JWT_CLAIM_VALIDATION_FAILED"],
    [await sign({ nbf: seconds + 60 }), "ERR_JWT_CLAIM_VALIDATION_FAILED"],
    [await sign({ aud: "elsewhere" }), "ERR_JWT_CLAIM_VALIDATION_FAILED"],
    [await sign({ aud: undefined as never }), "ERR_JWT_CLAIM_VALIDATION_FAILED"],
    [unsigned("none", ""), "ERR_JOSE_ALG_NOT_ALLOWED"],
    [secret, "ERR_JOSE_ALG_NOT_ALLOWED"],
  ] as const) {
    await assert.rejects(userOf(token), { code }, token);
  }
});

test("issuedTokens() wants claims of the right kind, required ones to the letter, and a mail that is verified", async () => {
  const required = [{ claim: "hd", requiredValue: "example.com" }];
  const { userOf } = await create({ claims: { required } });
  assert.equal((await userOf(await sign({ hd: "example.com" })))?.name, "oidc:ann");
  const refuses = async (claims: JWTPayload, message: string) =>
    await assert.rejects(userOf(await sign({ hd: "example.com", ...claims })), { message });
  await refuses({ hd: "example.org" }, "oidc: required claim hd value does not match");
  await refuses({ hd: ["example.com"] }, "oidc: the claim hd is missing, or is no text");
  await refuses({ sub: "" }, "oidc: the claim sub is empty");
  await refuses({ groups: ["a", 1] }, "oidc: the claim groups is no list of texts");
  const mail = await create({ claims: { username: { claim: "email", prefix: "" } } });
  assert.equal((await mail.userOf(await sign({ email: "a@b" })))?.name, "a@b");
  assert.equal((await mail.userOf(await sign({ email: "a@b", email_verified: true })))?.name, "a@b");
  for (const email_verified of [false, "true"]) {
    const token = await sign({ email: "a@b", email_verified });
    await assert.rejects(mail.userOf(token), { message: "oidc: email not verified" });
  }
  const odd = await create({ claims: { username: { claim: "constructor", prefix: "" } } });
  await assert.rejects(odd.userOf(await sign()), { message: "oidc: the claim constructor is missing, or is no text" });
});

test("issuedTokens() finds a new key, and asks for none that nobody has all the time", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: midday });
  const { userOf, state, asked } = await create();
  await userOf(await sign());
  const renewed = await sign({}, { pair: second, kid: "2", alg: "RS256" });
  await assert.rejects(userOf(renewed), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  await assert.rejects(userOf(renewed), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  assert.equal(asked.length, 2, "keys are fresh: nobody is asked");
  state.keys.push(await jwk(second, "2", "RS256"));
  t.mock.timers.setTime(midday.getTime() + 31_000);
  assert.equal((await userOf(renewed))?.name, "oidc:ann");
  assert.equal(asked.length, 3);
});

test("issuedTokens() asks an issuer that doesn't answer, or isn't what it should be, again after a pause", async () => {
  const { userOf, state, asked } = await create({ discoveryUrl: "https://inside.example/discovery" });
  state.isDown = true;
  const token = await sign();
  for (let index = 0; index < 3; index++) await assert.rejects(userOf(token), { message: "no answer" });
  assert.deepEqual(asked, ["https://inside.example/discovery"]);
  Object.assign(state, { isDown: false, now: 10_000, issuer: "https://other.example" });
  await assert.rejects(userOf(token), { message: `the issuer "${url}" calls itself "https://other.example"` });
  Object.assign(state, { now: 20_000, issuer: url, keysUrl: "http://issuer.example/keys" });
  await assert.rejects(userOf(token), { message: `the issuer "${url}" doesn't say by https:// where its keys are` });
  Object.assign(state, { now: 30_000, keysUrl: `${url}/keys` });
  assert.equal((await userOf(token))?.name, "oidc:ann");
});
