/**
 * Asks the host cluster to judge: a TokenReview, a SubjectAccessReview.
 *
 * What may have been a hiccup (a cut connection, 429, 500, 504, or any answer that says when to come
 * back) is asked again, five times in all, within one deadline.
 * Source: apiserver pkg/util/webhook/webhook.go, pkg/server/options/authentication.go.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject } from "../apimachinery/json.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeClient } from "./kubeclient.ts";

/** What is asked, and how long the whole may take. */
export interface ReviewOptions {
  readonly client: Pick<KubeClient, "request">;
  /** `/apis/authentication.k8s.io/v1/tokenreviews`. */
  readonly path: string;
  readonly body: JsonObject;
  readonly random: () => number;
  /** Default: ten seconds, all attempts together. */
  readonly timeoutMs?: number;
  /** Pauses between attempts. Default: a real one. */
  readonly pause?: (ms: number) => Promise<void>;
}

const defaultTimeoutMs = 10_000;
const attempts = 5;
const firstPauseMs = 500;
const pauseFactor = 1.5;
const jitter = 0.2;

/** Gives the review as the host filled it in. @throws KubeError of the last attempt. */
export async function review(options: ReviewOptions): Promise<JsonObject> {
  const {
    client,
    path,
    body,
    random,
    timeoutMs = defaultTimeoutMs,
    pause = async (ms) => void (await sleep(ms)),
  } = options;
  const until = performance.now() + timeoutMs;
  let pauseMs = firstPauseMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.request({ method: "POST", path, body, timeoutMs: Math.max(until - performance.now(), 1) });
    } catch (error) {
      if (!(error instanceof KubeError) || attempt === attempts || !mayPass(error)) throw error;
      const waitMs = Math.max(pauseMs * (1 + random() * jitter), error.retryAfterMs ?? 0);
      if (performance.now() + waitMs >= until) throw error;
      await pause(waitMs);
      pauseMs *= pauseFactor;
    }
  }
}

function mayPass(error: KubeError): boolean {
  if (error.retryAfterMs !== undefined || [429, 500, 504].includes(error.code)) return true;
  return error.code === 0 && (error.cause as NodeJS.ErrnoException | undefined)?.code === "ECONNRESET";
}
