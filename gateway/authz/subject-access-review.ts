/**
 * Asks somebody else whether a user may: a SubjectAccessReview to the host cluster, or to a webhook.
 *
 * Answers are kept ten seconds, and the same question that is under way is asked once. A selector
 * narrows what is asked for; what of it the review has no words for is left out, which asks for more
 * and so never allows too much. Who can't be asked has no opinion, and the request fails.
 * Source: apiserver plugin/pkg/authorizer/webhook/webhook.go.
 */
import type { JsonObject } from "../apimachinery/json.ts";
import { type LabelRequirement, parseFieldSelector, parseLabelSelector } from "../apimachinery/selectors.ts";
import type { User } from "../apimachinery/user.ts";
import { type KubeClient, review } from "../kubeclient/kubeclient.ts";
import type { Attributes, Authorizer, Decision } from "./authorizer.ts";

/** Whom to ask, and for how long to believe the answer. */
export interface ReviewAuthorizerOptions {
  readonly client: Pick<KubeClient, "request">;
  /** Default: the host cluster's; a webhook's kubeconfig names the whole address, so its path is `""`. */
  readonly path?: string;
  /** Default: 10 s, as is the next. */
  readonly allowedMs?: number;
  readonly otherwiseMs?: number;
  readonly random: () => number;
  readonly log: { warn(fields: object, message: string): void };
  /** In ms. Default: `performance.now`. */
  readonly now?: () => number;
  /** Pauses between attempts. Default: real ones. */
  readonly pause?: (ms: number) => Promise<void>;
}

const reviewsPath = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
const defaultTtlMs = 10_000;
/** Answers that are kept; kube-apiserver keeps as many. */
const maxAnswers = 8192;
/** A client chooses its path, name and selectors: longer questions are asked each time. */
const maxKeptChars = 10_000;

interface Answer {
  readonly decision: Decision;
  readonly until: number;
}

/** Gives an authorizer that asks. */
export function reviewAuthorizer(options: ReviewAuthorizerOptions): Authorizer {
  const { client, random, log, pause, path = reviewsPath } = options;
  const { allowedMs = defaultTtlMs, otherwiseMs = defaultTtlMs, now = () => performance.now() } = options;
  const answers = new Map<string, Answer>();
  const asking = new Map<string, Promise<Decision>>();

  function known(key: string): Decision | undefined {
    const answer = answers.get(key);
    if (answer === undefined) return undefined;
    answers.delete(key);
    if (answer.until <= now()) return undefined;
    answers.set(key, answer);
    return answer.decision;
  }

  function keep(key: string, decision: Decision): void {
    const ttlMs = decision.outcome === "allow" ? allowedMs : otherwiseMs;
    if (ttlMs <= 0) return;
    answers.set(key, { decision, until: now() + ttlMs });
    if (answers.size <= maxAnswers) return;
    const oldest = answers.keys().next().value;
    if (oldest !== undefined) answers.delete(oldest);
  }

  async function ask(key: string, spec: JsonObject, isKept: boolean): Promise<Decision> {
    const body = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec };
    try {
      const answer = await review({ client, path, body, random, ...(pause === undefined ? {} : { pause }) });
      const decision = decisionFrom(answer["status"]);
      if (isKept) keep(key, decision);
      return decision;
    } catch (error) {
      log.warn({ error: (error as Error).message }, "a subject access review failed");
      // The text of a failure may name hosts: it is for the log.
      return { outcome: "noOpinion", reason: "", error: new Error("the subject access review failed") };
    } finally {
      asking.delete(key);
    }
  }

  return (attributes) => {
    const key = keyOf(attributes);
    const answer = known(key) ?? asking.get(key);
    if (answer !== undefined) return answer;
    const asked = ask(key, specOf(attributes), controlledChars(attributes) < maxKeptChars);
    asking.set(key, asked);
    return asked;
  };
}

/** Gives what tells a question from others: for resources the path says nothing more. */
function keyOf(attributes: Attributes): string {
  const { user, isResourceRequest, path, verb, namespace, apiGroup, apiVersion, resource, subresource, name } =
    attributes;
  const { fieldSelector, labelSelector } = attributes;
  const what = isResourceRequest
    ? [verb, namespace, apiGroup, apiVersion, resource, subresource, name, fieldSelector, labelSelector]
    : [verb, path];
  return textOf(user) + JSON.stringify(what);
}

/** A user that is remembered, as a token's is, asks with every request. */
const texts = new WeakMap<User, string>();

function textOf(user: User): string {
  let text = texts.get(user);
  if (text === undefined) {
    text = JSON.stringify([user.name, user.uid, user.groups, user.extra]);
    texts.set(user, text);
  }
  return text;
}

function controlledChars(attributes: Attributes): number {
  const { namespace, verb, apiGroup, apiVersion, resource, subresource, name, path } = attributes;
  const { fieldSelector, labelSelector } = attributes;
  const all = [namespace, verb, apiGroup, apiVersion, resource, subresource, name, path, fieldSelector, labelSelector];
  return all.reduce((sum, text) => sum + text.length, 0);
}

/** Gives the question, its fields always in the same order. */
function specOf(attributes: Attributes): JsonObject {
  const { user, verb, path } = attributes;
  const extra = Object.entries(user.extra).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...(attributes.isResourceRequest
      ? { resourceAttributes: resourceAttributes(attributes) }
      : { nonResourceAttributes: { path, verb } }),
    user: user.name,
    groups: [...user.groups],
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra.map(([key, values]) => [key, [...values]])) }),
    ...(user.uid === "" ? {} : { uid: user.uid }),
  };
}

function resourceAttributes(attributes: Attributes): JsonObject {
  const { namespace, verb, apiGroup, apiVersion, resource, subresource, name } = attributes;
  const fields = fieldRequirements(attributes.fieldSelector);
  const labels = labelRequirements(attributes.labelSelector);
  return {
    ...(namespace === "" ? {} : { namespace }),
    verb,
    ...(apiGroup === "" ? {} : { group: apiGroup }),
    ...(apiVersion === "" ? {} : { version: apiVersion }),
    resource,
    ...(subresource === "" ? {} : { subresource }),
    ...(name === "" ? {} : { name }),
    ...(fields.length === 0 ? {} : { fieldSelector: { requirements: fields } }),
    ...(labels.length === 0 ? {} : { labelSelector: { requirements: labels } }),
  };
}

function fieldRequirements(text: string): JsonObject[] {
  return requirementsOf(() => parseFieldSelector(text)).map(({ field, operator, value }) => ({
    key: field,
    operator: operator === "=" ? "In" : "NotIn",
    values: [value],
  }));
}

const labelOperators: Readonly<Partial<Record<LabelRequirement["operator"], string>>> = {
  "=": "In",
  "==": "In",
  in: "In",
  "!=": "NotIn",
  notin: "NotIn",
  exists: "Exists",
  "!": "DoesNotExist",
};

function labelRequirements(text: string): JsonObject[] {
  return requirementsOf(() => parseLabelSelector(text)).flatMap(({ key, operator, values }) => {
    const word = labelOperators[operator];
    return word === undefined ? [] : [{ key, operator: word, ...(values.length === 0 ? {} : { values: [...values] }) }];
  });
}

/** One that can't be read is refused later, with its reason: here it narrows nothing. */
function requirementsOf<T>(parse: () => { readonly requirements: readonly T[] }): readonly T[] {
  try {
    return parse().requirements;
  } catch {
    return [];
  }
}

/** @throws Error if it is no status: who answers like that is none to believe. */
function decisionFrom(status: unknown): Decision {
  if (typeof status !== "object" || status === null) throw new Error("the review came back without a status");
  const { allowed, denied, reason: said } = status as { allowed?: unknown; denied?: unknown; reason?: unknown };
  const reason = typeof said === "string" ? said : "";
  if (allowed === true && denied === true) {
    const error = new Error("webhook subject access review returned both allow and deny response");
    return { outcome: "deny", reason, error };
  }
  if (denied === true) return { outcome: "deny", reason };
  return { outcome: allowed === true ? "allow" : "noOpinion", reason };
}
