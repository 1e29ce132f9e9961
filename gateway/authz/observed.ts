/**
 * Authorizers that tell what they decided, to whoever keeps count.
 *
 * Source: apiserver pkg/authorization/metrics, pkg/endpoints/filters/metrics.go.
 */
import { after } from "../apimachinery/promise.ts";
import type { Authorizer, Decision } from "./authorizer.ts";

/** One decision, and whose. */
export interface AuthorizerDecision {
  /** Kubernetes' word: `RBAC`, `Webhook`. */
  readonly type: string;
  /** Which of that type. */
  readonly name: string;
  readonly decision: "allowed" | "denied";
}

/** Is told of each decision. */
export type ObserveDecision = (decision: AuthorizerDecision) => void;

/** What became of one request. */
export interface AuthorizationAttempt {
  readonly result: "allowed" | "denied" | "no-opinion" | "error";
  readonly seconds: number;
}

/** Gives the same authorizer, which tells what it allows and denies. Without an opinion it has decided nothing. */
export function countedAuthorizer(
  authorizer: Authorizer,
  { type, name }: Pick<AuthorizerDecision, "type" | "name">,
  observe: ObserveDecision | undefined,
): Authorizer {
  if (observe === undefined) return authorizer;
  const tell = (decision: Decision) => {
    if (decision.outcome === "allow") observe({ type, name, decision: "allowed" });
    if (decision.outcome === "deny") observe({ type, name, decision: "denied" });
    return decision;
  };
  return (attributes) => after(authorizer(attributes), tell);
}

/** Gives the same authorizer, which tells what came of each question and how long it took. */
export function timedAuthorizer(authorizer: Authorizer, observe: (attempt: AuthorizationAttempt) => void): Authorizer {
  return (attributes) => {
    const began = performance.now();
    return after(authorizer(attributes), (decision) => {
      observe({ result: resultOf(decision), seconds: (performance.now() - began) / 1000 });
      return decision;
    });
  };
}

function resultOf({ outcome, error }: Decision): AuthorizationAttempt["result"] {
  if (outcome === "allow") return "allowed";
  if (error !== undefined) return "error";
  return outcome === "deny" ? "denied" : "no-opinion";
}
