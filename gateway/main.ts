/**
 * A gateway from its configuration, and the package's door for programs that embed one.
 */
import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import { createAuthentication } from "./authn/authn.ts";
import { createAuthorizer, createClusterAuthorization } from "./authz/authz.ts";
import type { GatewayConfig } from "./config.ts";
import { createGateway, type RunningGateway } from "./gateway.ts";
import { createKubeClient, inClusterEndpoint, type KubeClient, loadKubeconfig } from "./kubeclient/kubeclient.ts";
import { gatewayVersion } from "./version.ts";

export type { HttpRequest } from "./apimachinery/http.ts";
export type { User } from "./apimachinery/user.ts";
export {
  type Authenticating,
  type Authenticator,
  createAuthentication,
  unionAuthenticator,
} from "./authn/authn.ts";
export {
  type Attributes,
  type Authorizer,
  createAuthorizer,
  type Decision,
  groupsAuthorizer,
  pathsAuthorizer,
  unionAuthorizer,
} from "./authz/authz.ts";
export {
  createGateway,
  type GatewayLog,
  type GatewayOptions,
  type HostServiceOptions,
  type ListenOptions,
  type RunningGateway,
} from "./gateway.ts";

const userAgent = `annex/${gatewayVersion}`;
/** How long the host cluster may take until its roles are known; then whoever started us tries again. */
const syncTimeoutMs = 60_000;

/**
 * Starts a gateway.
 * @throws Error with a sentence for people if a file can't be read, the port is taken or the host
 *   cluster doesn't tell its roles.
 */
export async function startGateway(config: GatewayConfig, { log }: { log: Logger }): Promise<RunningGateway> {
  const host = hostCluster(config);
  const webhook = webhookOf(config);
  const manifests = config.authorization.rbacFiles.map((file) => ({ file, text: readFileSync(file, "utf8") }));
  const mode = config.authorization.cluster;
  const cluster = createClusterAuthorization({ mode, client: host, webhook, random: Math.random, log });
  const close = () => {
    cluster.close();
    webhook?.client.close();
    host?.close();
  };
  try {
    await inTime(cluster.synced(), syncTimeoutMs, "the host cluster's roles and bindings can't be read");
    const gateway = await createGateway({
      stores: config.stores,
      authenticator: createAuthentication({ ...config.authentication, clock: () => new Date(), log }),
      authorizer: createAuthorizer({
        allowedPaths: config.authorization.alwaysAllowPaths,
        manifests,
        more: cluster.authorizers,
      }),
      listener: config.listen,
      ...(config.hostService === undefined ? {} : { hostService: config.hostService }),
      flowControl: config.flowControl,
      shutdown: config.shutdown,
      log,
    });
    return {
      ...gateway,
      async drain() {
        await gateway.drain();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** @throws Error if the section is there and names no cluster that can be reached. */
function hostCluster({ cluster }: GatewayConfig): KubeClient | undefined {
  if (cluster === undefined) return undefined;
  const { kubeconfigFile } = cluster;
  const endpoint = kubeconfigFile === undefined ? inClusterEndpoint(process.env) : loadKubeconfig(kubeconfigFile);
  return createKubeClient(endpoint, { userAgent });
}

function webhookOf({ authorization: { webhook } }: GatewayConfig) {
  if (webhook === undefined) return undefined;
  const { kubeconfigFile, allowedSeconds, otherwiseSeconds } = webhook;
  const client = createKubeClient(loadKubeconfig(kubeconfigFile), { userAgent });
  return { client, allowedMs: allowedSeconds * 1000, otherwiseMs: otherwiseSeconds * 1000 };
}

async function inTime(work: Promise<void>, ms: number, why: string): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    late = setTimeout(() => reject(new Error(`${why} (waited ${ms / 1000} s)`)), ms);
  });
  await Promise.race([work, over]).finally(() => clearTimeout(late));
}
