/**
 * Asks somebody else whose a token is: a TokenReview to the host cluster, or to a webhook.
 *
 * With audiences, a token counts only if it is meant for one of them; whoever reviews without a word
 * about audiences means them all.
 * Source: apiserver plugin/pkg/authenticator/token/webhook/webhook.go; authentication.k8s.io/v1.
 */
import type { User } from "../apimachinery/user.ts";
import { type KubeClient, review } from "../kubeclient/kubeclient.ts";

/** Whom to ask. */
export interface TokenReviewOptions {
  readonly client: Pick<KubeClient, "request">;
  /** Default: the host cluster's; a webhook's kubeconfig names the whole address, so its path is `""`. */
  readonly path?: string;
  /** Empty: the reviewer decides whom a token must be meant for. */
  readonly audiences: readonly string[];
  readonly random: () => number;
  /** Pauses between attempts. Default: real ones. */
  readonly pause?: (ms: number) => Promise<void>;
}

const reviewsPath = "/apis/authentication.k8s.io/v1/tokenreviews";

/** Gives an authenticator that asks. It fails where it can't be told, or is told why not. */
export function reviewedTokens(options: TokenReviewOptions): (token: string) => Promise<User | undefined> {
  const { client, random, pause, audiences, path = reviewsPath } = options;
  return async (token) => {
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      spec: { token, ...(audiences.length === 0 ? {} : { audiences: [...audiences] }) },
    };
    const answer = await review({ client, path, body, random, ...(pause === undefined ? {} : { pause }) });
    return userOfStatus(answer["status"], audiences);
  };
}

/** @throws Error with the reviewer's reason, or if it is no status: who answers like that is none to believe. */
function userOfStatus(status: unknown, wanted: readonly string[]): User | undefined {
  if (typeof status !== "object" || status === null) throw new Error("the token review came back without a status");
  const { authenticated, user, audiences, error } = status as Readonly<Record<string, unknown>>;
  const got = textsOf(audiences);
  if (wanted.length > 0 && got.length > 0 && !got.some((one) => wanted.includes(one))) return undefined;
  if (authenticated === true) return userOf(user);
  if (typeof error === "string" && error !== "") throw new Error(error);
  return undefined;
}

function userOf(value: unknown): User {
  const { username, uid, groups, extra } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof username !== "string" || username === "") throw new Error("the token review names no user");
  const entries = typeof extra === "object" && extra !== null ? Object.entries(extra) : [];
  return {
    name: username,
    uid: typeof uid === "string" ? uid : "",
    groups: textsOf(groups),
    extra: Object.fromEntries(entries.map(([key, values]) => [key, textsOf(values)])),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
