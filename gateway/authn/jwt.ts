/**
 * Knows users by tokens that an issuer has signed: OpenID Connect's ID tokens.
 *
 * The issuer says by discovery where its keys are; both are asked for when the first token comes, and
 * keys again when a token names one that isn't known. A token of another issuer is not ours to judge.
 * Absent on purpose: CEL expressions over claims, distributed claims, encrypted tokens.
 * Source: apiserver plugin/pkg/authenticator/token/oidc/oidc.go; OpenID Connect Core 1.0.
 */
import { createRemoteJWKSet, customFetch, decodeJwt, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import type { JsonObject } from "../apimachinery/json.ts";
import type { User } from "../apimachinery/user.ts";

/** Whom to believe, about what. */
export interface JwtIssuer {
  /** Must be the token's `iss`, to the letter. */
  readonly url: string;
  /** Where discovery is, if not under the issuer's URL. */
  readonly discoveryUrl: string | undefined;
  /** A token must be meant for one of them; there is at least one. */
  readonly audiences: readonly string[];
  readonly claims: {
    readonly username: PrefixedClaim;
    readonly groups: PrefixedClaim | undefined;
    readonly uid: string | undefined;
    /** Each must be there with exactly this text. */
    readonly required: readonly { readonly claim: string; readonly requiredValue: string }[];
  };
}

/** A claim, and what is put before its values, so that they are nobody else's names. */
export interface PrefixedClaim {
  readonly claim: string;
  readonly prefix: string;
}

/** How an issuer is asked. */
export interface JwtOptions {
  readonly issuer: JwtIssuer;
  /** Gets a document. It must not follow redirects. */
  readonly fetchJson: (url: URL) => Promise<JsonObject>;
  readonly clock: () => Date;
  /** In ms. */
  readonly now: () => number;
}

/** Signatures by a key that only the issuer has: none with a shared secret, and never `none`. */
const algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];
/** An issuer that doesn't answer is not asked again for this long. */
const discoveryPauseMs = 10_000;
/** Keys that nobody knows are looked for this often at most: else anybody could make us ask all the time. */
const keysPauseMs = 30_000;
/** A key that was withdrawn counts at most for this long. */
const keysMaxAgeMs = 600_000;
const keysTimeoutMs = 10_000;

/** Gives an authenticator for one issuer's tokens. It fails over a token of that issuer that doesn't hold. */
export function issuedTokens({
  issuer,
  fetchJson,
  clock,
  now,
}: JwtOptions): (token: string) => Promise<User | undefined> {
  const keys = createKeySource(issuer, fetchJson, now);
  return async (token) => {
    if (issuerOf(token) !== issuer.url) return undefined;
    const { payload } = await jwtVerify(token, await keys(), {
      issuer: issuer.url,
      audience: [...issuer.audiences],
      algorithms,
      currentDate: clock(),
      requiredClaims: ["exp"],
    });
    return userOfClaims(payload, issuer.claims);
  };
}

/** Gives the keys, found by discovery once. A failure stands for a while. */
function createKeySource(
  { url, discoveryUrl }: JwtIssuer,
  fetchJson: JwtOptions["fetchJson"],
  now: () => number,
): () => Promise<JWTVerifyGetKey> {
  let found: Promise<JWTVerifyGetKey> | undefined;
  let retryAt = Number.POSITIVE_INFINITY;

  async function discover(): Promise<JWTVerifyGetKey> {
    const document = await fetchJson(
      new URL(discoveryUrl ?? `${url.replace(/\/$/, "")}/.well-known/openid-configuration`),
    );
    const { issuer, jwks_uri: keysUrl } = document;
    if (issuer !== url) throw new Error(`the issuer "${url}" calls itself ${JSON.stringify(issuer)}`);
    if (typeof keysUrl !== "string" || URL.parse(keysUrl)?.protocol !== "https:") {
      throw new Error(`the issuer "${url}" doesn't say by https:// where its keys are`);
    }
    return createRemoteJWKSet(new URL(keysUrl), {
      [customFetch]: async (place) => Response.json(await fetchJson(new URL(place))),
      cooldownDuration: keysPauseMs,
      cacheMaxAge: keysMaxAgeMs,
      timeoutDuration: keysTimeoutMs,
    });
  }

  return async () => {
    if (found === undefined || now() >= retryAt) {
      retryAt = Number.POSITIVE_INFINITY;
      found = discover();
    }
    try {
      return await found;
    } catch (error) {
      if (retryAt === Number.POSITIVE_INFINITY) retryAt = now() + discoveryPauseMs;
      throw error;
    }
  };
}

/** Gives the issuer as an unverified token says it, undefined if it is no JWT. */
function issuerOf(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    // Whatever is wrong with its form: it is no token of ours.
    return undefined;
  }
}

/** @throws Error naming the claim that is missing, or isn't what it must be. */
function userOfClaims(payload: JWTPayload, { username, groups, uid, required }: JwtIssuer["claims"]): User {
  for (const { claim, requiredValue } of required) {
    if (textOf(payload, claim) !== requiredValue) throw new Error(`oidc: required claim ${claim} value does not match`);
  }
  if (username.claim === "email" && Object.hasOwn(payload, "email_verified") && payload["email_verified"] !== true) {
    throw new Error("oidc: email not verified");
  }
  const name = textOf(payload, username.claim);
  if (name === "") throw new Error(`oidc: the claim ${username.claim} is empty`);
  return {
    name: username.prefix + name,
    uid: uid === undefined ? "" : textOf(payload, uid),
    groups: groups === undefined ? [] : textsOf(payload, groups.claim).map((group) => groups.prefix + group),
    extra:
      typeof payload.jti === "string" ? { "authentication.kubernetes.io/credential-id": [`JTI=${payload.jti}`] } : {},
  };
}

function textOf(payload: JWTPayload, claim: string): string {
  const value = Object.hasOwn(payload, claim) ? payload[claim] : undefined;
  if (typeof value !== "string") throw new Error(`oidc: the claim ${claim} is missing, or is no text`);
  return value;
}

/** A claim that is missing names no groups; one text is a list of one. */
function textsOf(payload: JWTPayload, claim: string): string[] {
  if (!Object.hasOwn(payload, claim)) return [];
  const values = [payload[claim]].flat();
  if (!values.every((one) => typeof one === "string")) throw new Error(`oidc: the claim ${claim} is no list of texts`);
  return values;
}
