/**
 * What the host cluster, or a webhook, has to say about a request, in the order in which they are asked.
 *
 * Roles that are followed here save a review for what they allow; they take a watch's delay longer to
 * lose a right than a review does, and know nothing of the cluster's other authorizers. Access sets
 * have the last word.
 */
import type { KubeClient } from "../kubeclient/kubeclient.ts";
import { accessSetAuthorizer } from "./access-set.ts";
import type { Authorizer } from "./authorizer.ts";
import { type ClusterRbac, type ClusterRbacOptions, followClusterRbac } from "./cluster-rbac.ts";
import { countedAuthorizer, type ObserveDecision } from "./observed.ts";
import { rbacAuthorizer } from "./rbac.ts";
import { reviewAuthorizer } from "./subject-access-review.ts";

/** Who is asked, and how they are reached. */
export interface ClusterAuthorizationOptions extends Omit<ClusterRbacOptions, "client"> {
  readonly mode: "none" | "review" | "rolesThenReview" | "accessSets";
  /** Of the host cluster; needed for every mode but `none`. */
  readonly client: KubeClient | undefined;
  /** Undefined: there is none. Its client's server is the webhook's whole address. */
  readonly webhook:
    | { readonly client: Pick<KubeClient, "request">; readonly allowedMs: number; readonly otherwiseMs: number }
    | undefined;
  /** Is told which of them decided. */
  readonly observe?: ObserveDecision;
}

/** Authorizers that may follow the cluster, until `close`. */
export interface ClusterAuthorization {
  readonly authorizers: readonly Authorizer[];
  /** Resolves when what they follow is whole. */
  synced(): Promise<void>;
  close(): void;
}

/** Makes them. @throws TypeError if the mode needs a client and there is none. */
export function createClusterAuthorization(options: ClusterAuthorizationOptions): ClusterAuthorization {
  const { mode, client, webhook, random, observe, log } = options;
  const authorizers: Authorizer[] = [];
  const add = (type: string, name: string, authorizer: Authorizer) =>
    void authorizers.push(countedAuthorizer(authorizer, { type, name }, observe));
  let followed: ClusterRbac | undefined;
  if (webhook !== undefined) add("Webhook", "webhook", reviewAuthorizer({ ...webhook, path: "", random, log }));
  if (mode !== "none") {
    if (client === undefined) throw new TypeError(`authorization by ${mode} needs a client of the host cluster`);
    if (mode !== "review") followed = followClusterRbac({ ...options, client });
    if (followed !== undefined && mode === "accessSets")
      add("AccessSets", "cluster", accessSetAuthorizer(followed.rules));
    else {
      if (followed !== undefined) add("RBAC", "cluster", rbacAuthorizer(followed.rules));
      add("Webhook", "cluster", reviewAuthorizer({ client, random, log }));
    }
  }
  return {
    authorizers,
    synced: async () => await followed?.synced(),
    close: () => followed?.close(),
  };
}
