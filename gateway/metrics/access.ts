/**
 * Who is let in: authentication and authorization, in kube-apiserver's names.
 *
 * Users are told apart only as far as kube-apiserver does: a handful of its own, e-mail addresses,
 * others.
 * Source: apiserver pkg/endpoints/filters/metrics.go, pkg/authorization/metrics, pkg/authentication/token/cache.
 */
import { counter, exponentialBuckets, type Family, histogram } from "./family.ts";

/** Takes what authn and authz tell. */
export interface AccessMetrics {
  readonly families: readonly Family[];
  authenticated(attempt: {
    readonly result: "success" | "failure" | "error";
    /** `""` without one. */
    readonly username: string;
    readonly seconds: number;
  }): void;
  authorized(attempt: {
    readonly result: "allowed" | "denied" | "no-opinion" | "error";
    readonly seconds: number;
  }): void;
  /** Takes what one of several authorizers decided. */
  decided(decision: { readonly type: string; readonly name: string; readonly decision: "allowed" | "denied" }): void;
  /** Takes a look into the cache of tokens. */
  tokenAsked(status: "hit" | "miss", seconds: number): void;
  /** Takes a question that the cache could not answer. */
  tokenFetched(status: "ok" | "error"): void;
}

const namedUsers = new Set(["admin", "client", "kube_proxy", "kubelet", "system:serviceaccount:kube-system:default"]);
const buckets = exponentialBuckets(0.001, 2, 15);

/** Makes the families. */
export function createAccessMetrics(): AccessMetrics {
  const attempts = counter({
    name: "authentication_attempts",
    help: "Requests by whether it is known who asks: success, failure (nobody knows) or error (wrong credentials).",
    labels: ["result"],
  });
  const authentication = histogram({
    name: "authentication_duration_seconds",
    help: "Time until it was known who asks, or not.",
    labels: ["result"],
    buckets,
  });
  const users = counter({
    name: "authenticated_user_requests",
    help: "Requests of known users, by what kind of name they have.",
    labels: ["username"],
  });
  const authorizations = counter({
    name: "authorization_attempts_total",
    help: "Requests by whether they are allowed.",
    labels: ["result"],
  });
  const authorization = histogram({
    name: "authorization_duration_seconds",
    help: "Time until it was known whether a request is allowed.",
    labels: ["result"],
    buckets,
  });
  const decisions = counter({
    name: "apiserver_authorization_decisions_total",
    help: "Decisions by the authorizer that made them; one without an opinion makes none.",
    labels: ["type", "name", "decision"],
  });
  const tokens = counter({
    name: "authentication_token_cache_request_total",
    help: "Bearer tokens that the cache knew (hit) or had to ask about (miss).",
    labels: ["status"],
  });
  const tokenTimes = histogram({
    name: "authentication_token_cache_request_duration_seconds",
    help: "Time until the cache of tokens answered.",
    labels: ["status"],
    buckets,
  });
  const fetches = counter({
    name: "authentication_token_cache_fetch_total",
    help: "Questions whose a token is, by whether they were answered.",
    labels: ["status"],
  });
  return {
    families: [attempts, authentication, users, authorizations, authorization, decisions, tokens, tokenTimes, fetches],
    authenticated({ result, username, seconds }) {
      if (result === "success") users.with(kindOfName(username)).add();
      attempts.with(result).add();
      authentication.with(result).observe(seconds);
    },
    authorized({ result, seconds }) {
      authorizations.with(result).add();
      authorization.with(result).observe(seconds);
    },
    decided: ({ type, name, decision }) => decisions.with(type, name, decision).add(),
    tokenAsked(status, seconds) {
      tokens.with(status).add();
      tokenTimes.with(status).observe(seconds);
    },
    tokenFetched: (status) => fetches.with(status).add(),
  };
}

function kindOfName(username: string): string {
  if (namedUsers.has(username)) return username;
  return username.includes("@") ? "email_id" : "other";
}
