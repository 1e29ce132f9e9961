/** What the host cluster, or a webhook, knows of users: whose certificates count, and whose a token is. */
import type { KubeClient } from "../kubeclient/kubeclient.ts";
import type { TokenAuthenticator } from "./bearer.ts";
import { type ClusterCertificates, followClusterCertificates } from "./cluster-certificates.ts";
import { cachedTokens, type ObserveTokens } from "./token-cache.ts";
import { reviewedTokens } from "./token-review.ts";
import type { Log } from "./watched-file.ts";

/** Whom to ask what. */
export interface ClusterAuthenticationOptions {
  /** Undefined: the host cluster is not asked. */
  readonly cluster:
    | {
        readonly client: KubeClient;
        /** Whether its ConfigMap says whose certificates count. */
        readonly certificates: boolean;
        /** Whether it reviews tokens. */
        readonly tokens: boolean;
        /** Whom a token must be meant for. Empty: the host cluster's own. */
        readonly audiences: readonly string[];
      }
    | undefined;
  /** Asked before the host cluster. Undefined: nobody. */
  readonly webhook:
    | { readonly client: KubeClient; readonly audiences: readonly string[]; readonly cacheMs: number }
    | undefined;
  readonly random: () => number;
  /** Is told how the caches of tokens do. */
  readonly observe?: ObserveTokens;
  readonly log: Log;
}

/** Parts of `AuthenticationOptions`. */
export interface ClusterAuthentication {
  readonly cluster: ClusterCertificates | undefined;
  readonly tokens: readonly TokenAuthenticator[];
}

/** As apiserver's delegating authentication. */
const cacheMs = 10_000;

/** Makes them. The clients stay open; `cluster` must be closed, also by the authentication that takes it. */
export function createClusterAuthentication(options: ClusterAuthenticationOptions): ClusterAuthentication {
  const { cluster, webhook, random, observe, log } = options;
  const now = () => performance.now();
  const tokens: TokenAuthenticator[] = [];
  if (webhook !== undefined) {
    const { client, audiences } = webhook;
    const reviewed = reviewedTokens({ client, path: "", audiences, random });
    tokens.push(cachedTokens(reviewed, { ttlMs: webhook.cacheMs, now, observe }));
  }
  if (cluster?.tokens) {
    const { client, audiences } = cluster;
    tokens.push(cachedTokens(reviewedTokens({ client, audiences, random }), { ttlMs: cacheMs, now, observe }));
  }
  return {
    cluster: cluster?.certificates ? followClusterCertificates({ client: cluster.client, random, log }) : undefined,
    tokens,
  };
}
