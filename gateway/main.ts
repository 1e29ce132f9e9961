/**
 * A gateway from its configuration, and the package's door for programs that embed one.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import { createNamespaceLifecycle } from "./admission/admission.ts";
import {
  createAuthentication,
  createClusterAuthentication,
  issuedTokens,
  type TokenAuthenticator,
} from "./authn/authn.ts";
import { createAuthorizer, createClusterAuthorization } from "./authz/authz.ts";
import type { ConfiguredIssuer, GatewayConfig } from "./config.ts";
import { createGateway, type GatewayOptions, type HostServiceOptions, type RunningGateway } from "./gateway.ts";
import {
  createKubeClient,
  inClusterEndpoint,
  type KubeClient,
  type KubeEndpoint,
  loadKubeconfig,
  writeEvent,
} from "./kubeclient/kubeclient.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { gatewayVersion } from "./version.ts";
import type { Siblings } from "./workers/workers.ts";

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
export { createMetrics, type Metrics } from "./metrics/metrics.ts";
export type { CallObject, HostRecord, KeepRecord, RecordedEvent } from "./registry/registry.ts";

const clock = () => new Date();
const userAgent = `annex/${gatewayVersion}`;
/** How long the host cluster may take until its roles are known; then whoever started us tries again. */
const syncTimeoutMs = 60_000;

/**
 * Starts a gateway in this process, whatever `workers` says.
 * @param siblings the processes that serve with this one.
 * @throws Error with a sentence for people if a file can't be read, the port is taken or the host
 *   cluster doesn't tell whom it trusts or what its roles are.
 */
export async function startGateway(
  config: GatewayConfig,
  {
    log,
    siblings,
    ...given
  }: { readonly log: Logger; readonly siblings?: Siblings } & Pick<GatewayOptions, "bookmarkEveryMs">,
): Promise<RunningGateway> {
  const { authentication, authorization } = config;
  const manifests = authorization.rbacFiles.map((file) => ({ file, text: readFileSync(file, "utf8") }));
  const clients = clientsOf(config);
  const metrics = createMetrics();
  const observe = metrics.access.decided;
  const common = { random: Math.random, log };
  const users = createClusterAuthentication({
    ...common,
    observe: metrics.access,
    cluster: authentication.cluster && { ...authentication.cluster, client: clients.host() },
    webhook: authentication.webhook && {
      ...authentication.webhook,
      client: clients.of(authentication.webhook.kubeconfigFile),
      cacheMs: authentication.webhook.cacheSeconds * 1000,
    },
  });
  const roles = createClusterAuthorization({
    ...common,
    observe,
    mode: authorization.cluster,
    client: authorization.cluster === "none" ? undefined : clients.host(),
    webhook: authorization.webhook && {
      client: clients.of(authorization.webhook.kubeconfigFile),
      allowedMs: authorization.webhook.allowedSeconds * 1000,
      otherwiseMs: authorization.webhook.otherwiseSeconds * 1000,
    },
  });
  const namespaces = config.admission.namespaceLifecycle
    ? createNamespaceLifecycle({ ...common, client: clients.host() })
    : undefined;
  const close = () => {
    namespaces?.close();
    users.cluster?.close();
    roles.close();
    clients.close();
    metrics.close();
  };
  try {
    await inTime(users.cluster?.synced(), syncTimeoutMs, "the host cluster doesn't say whose certificates count");
    await inTime(roles.synced(), syncTimeoutMs, "the host cluster's roles and bindings can't be read");
    const gateway = await createGateway({
      ...given,
      stores: config.stores,
      authenticator: createAuthentication({
        ...authentication,
        cluster: users.cluster,
        tokens: [...authentication.jwt.map((issuer) => tokensOf(issuer, clients)), ...users.tokens],
        clock,
        log,
      }),
      authorizer: createAuthorizer({
        allowedPaths: authorization.alwaysAllowPaths,
        manifests,
        more: roles.authorizers,
        observe,
      }),
      ...(namespaces === undefined ? {} : { admit: namespaces.admit }),
      listener: config.listen,
      ...(config.hostService === undefined
        ? {}
        : { hostService: { ...config.hostService, ...recordIn(config, clients) } }),
      descriptionFolder: config.descriptions?.folder,
      flowControl: config.flowControl,
      cache: config.cache,
      shutdown: config.shutdown,
      siblings,
      metrics,
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

/** Who knows an issuer's tokens. Its documents may be anywhere, behind the same authorities. */
function tokensOf(issuer: ConfiguredIssuer, clients: Clients): TokenAuthenticator {
  const { certificateAuthorityFile: ca } = issuer;
  const fetchJson = async (url: URL) =>
    await clients.at(url.origin, ca).request({ method: "GET", path: `${url.pathname}${url.search}`, accept: "*/*" });
  return issuedTokens({ issuer, fetchJson, clock, now: () => performance.now() });
}

/** What stores say about objects are events of the host cluster, if there is one. */
function recordIn({ cluster }: GatewayConfig, clients: Clients): Pick<HostServiceOptions, "record"> {
  if (cluster === undefined) return {};
  const options = { client: clients.host(), clock, uuid: randomUUID };
  return {
    async record({ store, object, events }) {
      if (object === undefined) return;
      const component = `annex.dev/${store}`;
      await Promise.all(events.map((event) => writeEvent({ ...event, component, about: object }, options)));
    },
  };
}

type Clients = ReturnType<typeof clientsOf>;

/** Clients of the host cluster, of webhooks and of issuers: one for each, made when it is asked for. */
function clientsOf({ cluster }: GatewayConfig) {
  const made = new Map<string, KubeClient>();
  const keep = (name: string, endpoint: () => KubeEndpoint): KubeClient => {
    const client = made.get(name) ?? createKubeClient(endpoint(), { userAgent });
    made.set(name, client);
    return client;
  };
  return {
    of: (kubeconfigFile: string) => keep(kubeconfigFile, () => loadKubeconfig(kubeconfigFile)),
    host() {
      const file = cluster?.kubeconfigFile;
      return file === undefined ? keep("", () => inClusterEndpoint(process.env)) : this.of(file);
    },
    /** Without credentials of ours. */
    at: (origin: string, caFile: string | undefined) =>
      keep(`${origin} ${caFile}`, () => ({
        server: new URL(origin),
        serverName: undefined,
        ca: caFile === undefined ? undefined : { file: caFile },
        skipVerify: false,
        clientCertificate: undefined,
        clientKey: undefined,
        token: undefined,
      })),
    close() {
      for (const client of made.values()) client.close();
    },
  };
}

async function inTime(work: Promise<void> | undefined, ms: number, why: string): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    late = setTimeout(() => reject(new Error(`${why} (waited ${ms / 1000} s)`)), ms);
  });
  await Promise.race([work, over]).finally(() => clearTimeout(late));
}
