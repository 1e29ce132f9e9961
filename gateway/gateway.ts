/**
 * Makes a gateway of its rooms: the one that `annex gateway` runs, and the one that a program embeds.
 *
 * An embedder says who is known and who may what with functions of its own, and lets the gateway
 * listen, or mounts it under a prefix of its own server, or both. Stores stay processes.
 *
 *     const gateway = await createGateway({ stores, authenticator, authorizer, listener: "none" });
 *     http.createServer(gateway.handler("/ext")).listen(8080);
 *
 * Order of an end: readyz fails, the delay passes so that load balancers see it, then the listener
 * drains (requests in flight finish, watches end), then the registry's connections close.
 * Source of the options: rancher/steve pkg/ext (ExtensionAPIServerOptions).
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Admit, admitAll } from "./admission/admission.ts";
import { formatGroupVersion } from "./apimachinery/gvk.ts";
import type { HttpAnswer } from "./apimachinery/http.ts";
import { Recent } from "./apimachinery/recent.ts";
import type { ResourceDefinition, ResourceVersionDefinition, ServedResource } from "./apimachinery/resource.ts";
import { finishInSlices } from "./apimachinery/steps.ts";
import { createFieldManagement } from "./apply/apply.ts";
import { type Authenticating, type Authenticator, givenAuthentication } from "./authn/authn.ts";
import { type Authorizer, assertAllowed, attributesOf, noticingAggregator } from "./authz/authz.ts";
import { createFlowControl } from "./flowcontrol/flowcontrol.ts";
import { createHealth, type HealthCheck, versionDocument } from "./health/health.ts";
import {
  createCertificateSource,
  createListener,
  createMountedHandler,
  type Listener,
  type ListenerOptions,
  type NamedCertificate,
  type RawReply,
  type RawRequest,
} from "./listen/listen.ts";
import { answeringForAll, createMetrics, type Metrics, type StoreFigures } from "./metrics/metrics.ts";
import { createOpenApi, type NameReplacements } from "./openapi/openapi.ts";
import {
  createHostTickets,
  createRegistry,
  descriptionFolder,
  type HostAuthorize,
  type HostTickets,
  type KeepRecord,
  type Registry,
  type StoreConfig,
  type StoreReport,
  serveHost,
} from "./registry/registry.ts";
import { compileTable, type KeptRows, type TableColumns } from "./render/render.ts";
import { compileSchemaSteps, type Schema } from "./schema/schema.ts";
import { createHandler } from "./server.ts";
import { createStreamSeats, present, presentInSlices, type VerbTools } from "./verbs/verbs.ts";
import { gatewayVersion } from "./version.ts";
import { type CacheLimits, createWatchCache, type WatchCache } from "./watchcache/watchcache.ts";
import type { HeldTicket, Siblings } from "./workers/workers.ts";

/** Where the gateway listens by itself; TLS always. */
export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** PEM files, read again when they change. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificates for clients that ask for other names. Default: none. */
  readonly sni?: readonly NamedCertificate[];
  /** Whether HTTP/2 is offered beside HTTP/1.1. Default: false. */
  readonly http2?: boolean;
}

/** What a gateway is made with. */
export interface GatewayOptions {
  /** At least their names, and an address or several, of endpoints that are replicas; none is fine. */
  readonly stores: readonly (Pick<StoreConfig, "name"> &
    ({ readonly address: string } | Pick<StoreConfig, "addresses">) &
    Partial<StoreConfig>)[];
  /** Says who asks. Undefined, or a failure: 401. Of a whole authentication the CAs are named in TLS. */
  readonly authenticator: Authenticator | Authenticating;
  /** Says who may what. Whoever is not allowed gets 403. */
  readonly authorizer: Authorizer;
  /** Lets a write pass, or throws a StatusError. Default: all pass. */
  readonly admit?: Admit;
  /** `"none"`: requests come through `handler` alone. */
  readonly listener: ListenOptions | "none";
  /** Other names for OpenAPI definitions. Default: none. */
  readonly openApiNames?: NameReplacements;
  /** A group's versions, the first preferred: by Kubernetes' rules, or as stores describe them. Default: the first. */
  readonly versionOrder?: "kubernetes" | "registration";
  /** Where the last description of each store is kept, for a start while it is down. Default: nowhere. */
  readonly descriptionFolder?: string | undefined;
  /** Which Kubernetes `/version` says, as `major.minor`. Default: the one that is followed. */
  readonly effectiveVersion?: string;
  /** Where stores ask what the users of their calls may, and add to the record of requests. Default: nowhere. */
  readonly hostService?: HostServiceOptions;
  /** Requests at once. Default: kube-apiserver's numbers. */
  readonly flowControl?: { readonly maxReadOnlyInFlight: number; readonly maxMutatingInFlight: number };
  /** What copies of resources may hold. Default: 1 GiB of objects and 64 MiB of history of each, 3 GiB in all. */
  readonly cache?: CacheLimits;
  /** About how often a watch that asked for bookmarks gets one. Default: a minute, as kube-apiserver's. */
  readonly bookmarkEveryMs?: number;
  /** What else counts into the same figures, and ends with the gateway. Default: its own. */
  readonly metrics?: Metrics;
  /** The other processes that serve with this one; see workers/. Default: none do. */
  readonly siblings?: Siblings | undefined;
  /** Default: no delay, and a minute for what is in flight. */
  readonly shutdown?: { readonly delaySeconds: number; readonly deadlineSeconds: number };
  readonly log: GatewayLog;
}

/** A port for stores alone: mutual TLS, the client's name being the store's. */
export interface HostServiceOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** `host:port` by which stores reach it. Default: where it listens. */
  readonly address?: string;
  /** PEM files, read again when they change. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Who issues the stores' certificates. */
  readonly clientCaFile: string;
  /** Keeps what stores add to the record of a request, beside the log. Default: the log alone. */
  readonly record?: KeepRecord;
}

/** Takes fields and a sentence. A pino logger is one. */
export interface GatewayLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A gateway that runs. */
export interface RunningGateway {
  /** `https://host:port`; `""` if it doesn't listen. */
  readonly url: string;
  /** Resolves when each store has said what it serves; after ten seconds without those that haven't. See readyz. */
  readonly ready: Promise<void>;
  /** Resolves when kube-apiserver's aggregation layer has asked for the first time. */
  readonly registered: Promise<void>;
  /** Gives what a Node server calls with its requests; the prefix is taken off their paths. */
  handler(prefix?: string): (request: RawRequest, reply: RawReply) => void;
  /** Ends it: see the file's header. */
  drain(): Promise<void>;
  stores(): readonly StoreReport[];
  /** What is served now, in order of registration. */
  served(): readonly {
    readonly group: string;
    readonly plural: string;
    readonly kind: string;
    readonly versions: readonly string[];
  }[];
  /** Takes a new list of stores. */
  configureStores(stores: GatewayOptions["stores"]): void;
}

/** A store that starts beside its gateway takes seconds; one that is down must not keep the others from being served. */
const describedTimeoutMs = 10_000;
/** As kube-apiserver's. */
const defaultBookmarkEveryMs = 60_000;
/** kube-apiserver's own numbers. */
const defaultFlowControl = { maxReadOnlyInFlight: 400, maxMutatingInFlight: 200 };
/** See config.ts for the reasons. */
const defaultCache: CacheLimits = {
  maxCopyBytes: 1024 ** 3,
  maxHistoryBytes: 64 * 1024 ** 2,
  maxTotalBytes: 3 * 1024 ** 3,
};
/** As long as the longest ordinary request. */
const defaultShutdown = { delaySeconds: 0, deadlineSeconds: 60 };

/**
 * Makes a gateway, and listens if it is to.
 * @throws Error with a sentence for people: an option that must be there and isn't, a file that can't
 *   be read, a port that is taken.
 */
export async function createGateway(options: GatewayOptions): Promise<RunningGateway> {
  assertProvided(options);
  const { log, siblings, shutdown = defaultShutdown, flowControl = defaultFlowControl } = options;
  const schemas = new WeakMap<ResourceVersionDefinition, Schema>();
  const tables = new WeakMap<ResourceVersionDefinition, TableColumns>();
  const keptRows: KeptRows = new Recent(maxKeptRowBytes);
  const fields = createFieldManagement();
  let listener: Listener | undefined;
  const state = { isShuttingDown: false, isReady: false, isRegistered: false, registeredVersions: new Set<string>() };
  const registered = Promise.withResolvers<void>();
  const isRegistered = () => state.isRegistered || siblings?.whole().isRegistered === true;
  const version = versionDocument(gatewayVersion, options.effectiveVersion);
  const { metrics = createMetrics() } = options;

  const authentication = givenAuthentication(options.authenticator, log);
  authentication.onAttempt?.(metrics.access.authenticated);
  const { authorizer } = options;
  const hostService =
    options.hostService && (await startHostService(options.hostService, { authorizer, siblings, log }));
  const registry = createRegistry({
    stores: options.stores.map(storeConfig),
    gateway: { name: "annex", version: gatewayVersion },
    admit: (definition) => compileDefinition(definition, schemas),
    ...(hostService === undefined ? {} : { tickets: hostService.tickets }),
    descriptions:
      options.descriptionFolder === undefined ? siblings?.descriptions : descriptionFolder(options.descriptionFolder),
    versionOrder: options.versionOrder === "registration" ? "registration" : undefined,
    observe: metrics.stores.called,
    log,
  });
  const schemaOf = (version: ResourceVersionDefinition) => schemas.get(version);
  const watchcache = createWatchCache({
    registry,
    limits: options.cache ?? defaultCache,
    log,
    observe: (definition) => metrics.watches.copy(definition, registry.storeOf(definition)),
    quarantines: (definition) => registry.quarantines(definition),
    presenterOf: (definition) => ({
      now: (version, stored, revision) => present(schemaOf, definition, version, stored, revision),
      inSlices: (version, stored, revision) => presentInSlices(schemaOf, { definition, version }, stored, revision),
    }),
  });
  const tools: VerbTools = {
    registry,
    watchcache,
    schemaOf,
    columnsOf: (resource) => columnsOf(resource, tables, keptRows),
    fields,
    clock: () => new Date(),
    random: Math.random,
    uuid: randomUUID,
    bookmarkEveryMs: options.bookmarkEveryMs ?? defaultBookmarkEveryMs,
    authorize: async (request, verb, name) =>
      await assertAllowed(authorizer, attributesOf({ ...request.info, verb, name }, request.user), request.info.path),
    admit: options.admit ?? admitAll,
    observeWatch: metrics.watches.watch,
    streamSeats: createStreamSeats(),
    log,
  };
  const health = createHealth({
    observe: metrics.checked,
    checks: [
      { name: "ping", endpoints: ["healthz", "livez", "readyz"], check: () => undefined },
      {
        name: "shutdown",
        endpoints: ["readyz"],
        check: () => (state.isShuttingDown ? "process is shutting down" : undefined),
      },
      {
        ...{ name: "stores-described", endpoints: ["readyz"] },
        check: () => (state.isReady ? undefined : "stores have not said yet what they serve"),
      },
      ...(siblings === undefined ? [] : [workersCheck(siblings)]),
      {
        // It can't be what readiness waits for: kube-apiserver asks only who is ready.
        ...{ name: "registered", endpoints: ["readyz"], isDetail: true },
        check: () => (isRegistered() ? undefined : "kube-apiserver's aggregation layer has not asked yet"),
      },
    ],
  });
  const ready = atMost(registry.described, describedTimeoutMs).then(() => {
    state.isReady = true;
  });
  const figures = () => ({
    isRegistered: isRegistered(),
    version,
    listener: listener?.figures(),
    stores: storeFigures(registry, watchcache, state.registeredVersions),
  });
  siblings?.answerWith({
    figures: async (request) => await textOf(metrics.answer(request, figures)),
    holderOf: (ticket) => heldTicket(hostService?.tickets.holderOf(ticket)),
  });
  const handle = createHandler({
    registry,
    isReady: () => state.isReady,
    authentication,
    authorizer: noticingAggregator(authorizer, {
      onSeen(user) {
        log.info({ user }, "kube-apiserver's aggregation layer has found this gateway");
        state.isRegistered = true;
        registered.resolve();
        siblings?.registered();
      },
      onGroupVersion(groupVersion) {
        if (registry.table().resources.some((definition) => groupVersionsOf(definition).includes(groupVersion)))
          state.registeredVersions.add(groupVersion);
      },
    }),
    flowControl: createFlowControl(
      { maxReadOnly: flowControl.maxReadOnlyInFlight, maxMutating: flowControl.maxMutatingInFlight },
      metrics.inFlight,
    ),
    health,
    metrics: siblings === undefined ? metrics : answeringForAll(metrics, siblings.figures),
    figures,
    openApi: createOpenApi({ names: options.openApiNames ?? {} }),
    version,
    tools,
    log,
  });
  const mounted = createMountedHandler({ handle, log });
  const close = async () => {
    mounted.close();
    watchcache.close();
    registry.close();
    fields.close();
    authentication.close();
    metrics.close();
    await hostService?.close();
  };
  const listening = options.listener === "none" ? undefined : listenerOptions(options.listener, siblings);
  if (siblings?.listensWhenReady === true) await ready;
  listener =
    listening &&
    (await createListener({ ...listening, clientCas: () => authentication.clientCas(), handle, log }).catch(
      async (error: unknown) => {
        await close();
        throw error;
      },
    ));
  if (listener !== undefined) authentication.onClientCas(() => listener.reload());
  return {
    url: listener === undefined ? "" : urlOf(listener),
    ready,
    registered: registered.promise,
    handler: (prefix = "") => {
      const path = prefix.replace(/\/+$/, "");
      return (request, reply) => mounted.handle(request, reply, path);
    },
    async drain() {
      state.isShuttingDown = true;
      await new Promise<void>((resolve) => setTimeout(resolve, shutdown.delaySeconds * 1000));
      await listener?.drain({ deadlineMs: shutdown.deadlineSeconds * 1000 });
      await close();
    },
    stores: () => registry.stores(),
    served: () =>
      registry.table().resources.map(({ group, plural, kind, versions }) => ({
        group,
        plural,
        kind,
        versions: versions.filter((version) => version.served).map((version) => version.name),
      })),
    configureStores: (stores) => registry.configure(stores.map(storeConfig)),
  };
}

/** Gives an answer's whole body. */
async function textOf(answer: Promise<HttpAnswer> | undefined): Promise<string> {
  const body = (await answer)?.body ?? [];
  return Buffer.concat(body as readonly Uint8Array[]).toString();
}

/** Waits for the work, but not longer than told. */
async function atMost(work: Promise<void>, timeoutMs: number): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    late = setTimeout(resolve, timeoutMs).unref();
  });
  await Promise.race([work, over]);
  clearTimeout(late);
}

/** Gives how stores and feeds are now. @param registered groups and versions that kube-apiserver has asked for. */
function storeFigures(registry: Registry, watchcache: WatchCache, registered: ReadonlySet<string>): StoreFigures[] {
  const { resources } = registry.table();
  return registry.stores().map(({ name, state, sessions, endpoints, refused }) => {
    const mine = resources.filter((definition) => registry.storeOf(definition) === name);
    const feeds = mine.flatMap((definition) => {
      const figures = watchcache.figures(definition);
      return figures === undefined ? [] : [{ group: definition.group, resource: definition.plural, ...figures }];
    });
    const groupVersions = [...new Set(mine.flatMap(groupVersionsOf))].map((groupVersion) => {
      const [group = "", version = ""] = groupVersion.split("/");
      return { group, version, isRegistered: registered.has(groupVersion) };
    });
    return { name, state, sessions, endpoints, refused: refused.length, groupVersions, feeds };
  });
}

/** `group/version` of each version that is served. */
function groupVersionsOf({ group, versions }: ResourceDefinition): string[] {
  return versions.filter(({ served }) => served).map(({ name }) => formatGroupVersion(group, name));
}

/** Who asks if the whole is ready asks one of several: none is before all have been. */
function workersCheck(siblings: Siblings): HealthCheck {
  const check = () => (siblings.whole().isReady ? undefined : "not every worker is ready yet");
  return { name: "workers", endpoints: ["readyz"], check };
}

async function startHostService(
  options: HostServiceOptions,
  { authorizer, siblings, log }: Pick<GatewayOptions, "siblings" | "log"> & { readonly authorizer: Authorizer },
) {
  const { host, certFile, keyFile, clientCaFile } = options;
  const clientCas = () => readFileSync(clientCaFile, "utf8");
  const certificates = createCertificateSource({ certFile, keyFile, clientCas, log });
  let address = options.address ?? "";
  const tickets = createHostTickets(() => address, siblings && askedFrom(siblings));
  try {
    const authorize = hostAuthorize(authorizer);
    const record = loggedRecord(log, options.record);
    const listening = await serveHost({
      ...{ host, port: options.port, isShared: siblings !== undefined, certificates },
      ...{ tickets, authorize, record, log },
    });
    address ||= hostPort({ host, port: listening.port });
    log.info({ address }, "stores may ask here what their users may do");
    return {
      tickets,
      async close() {
        certificates.close();
        await listening.close();
      },
    };
  } catch (error) {
    certificates.close();
    throw error;
  }
}

/** Tickets of the other processes: a store's connection may lead to any of them. */
function askedFrom(siblings: Siblings): HostTickets["anywhere"] {
  return async (ticket) => {
    const held = await siblings.holderOf(ticket);
    if (held === undefined) return undefined;
    const { object } = held;
    return { ...held, object: object && (() => object) };
  };
}

function heldTicket(holder: ReturnType<HostTickets["holderOf"]>): HeldTicket | undefined {
  return holder && { ...holder, object: holder.object?.() };
}

/** A store's question as the authorizer is asked it; whoever can't decide fails the question. */
function hostAuthorize(authorizer: Authorizer): HostAuthorize {
  return async (user, question) => {
    const isResourceRequest = question.nonResourcePath === "";
    const { outcome, reason, error } = await authorizer({
      user,
      verb: question.verb,
      isResourceRequest,
      path: question.nonResourcePath,
      apiGroup: question.group,
      apiVersion: question.version,
      resource: question.resource,
      subresource: question.subresource,
      namespace: question.namespace,
      name: question.name,
      fieldSelector: "",
      labelSelector: "",
    });
    if (outcome !== "allow" && error !== undefined) throw error;
    return { allowed: outcome === "allow", reason };
  };
}

/** The log has it all, by the audit id. */
function loggedRecord(log: GatewayLog, keep: KeepRecord | undefined): KeepRecord {
  return async (record) => {
    log.info({ ...record, user: record.user.name }, "a store adds to the record of a request");
    await keep?.(record);
  };
}

/** For embedders without a type checker: what decides who may what is never left out by mistake. */
function assertProvided(options: Partial<GatewayOptions>): void {
  for (const name of ["authenticator", "authorizer", "listener"] as const) {
    if (options[name] === undefined || options[name] === null) throw new Error(`${name} must be provided`);
  }
}

function storeConfig(store: GatewayOptions["stores"][number]): StoreConfig {
  const { name, protocol = "grpc", tls, quarantine = false } = store;
  return { name, addresses: "address" in store ? [store.address] : store.addresses, protocol, tls, quarantine };
}

function listenerOptions(
  { http2 = false, ...options }: ListenOptions,
  siblings: Siblings | undefined,
): Omit<ListenerOptions, "clientCas" | "handle" | "log"> {
  return { ...options, http2, share: siblings?.share };
}

function urlOf(place: { readonly host: string; readonly port: number }): string {
  return `https://${hostPort(place)}`;
}

function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Compiles every version's schema. Gives the first fault's path and text if one is not structural. */
async function compileDefinition(
  definition: ResourceDefinition,
  schemas: WeakMap<ResourceVersionDefinition, Schema>,
): Promise<string | undefined> {
  for (const [index, version] of definition.versions.entries()) {
    if (version.schema === undefined) continue;
    const compiled = await finishInSlices(compileSchemaSteps(version.schema));
    if ("faults" in compiled) {
      const fault = compiled.faults[0];
      return `spec.versions[${index}].schema.openAPIV3Schema.${fault?.path}: ${fault?.message}`;
    }
    schemas.set(version, compiled.schema);
  }
  return undefined;
}

/** Of Tables' rows that are kept for whoever lists them next, with their objects: those of twelve thousand of 1 KB. */
const maxKeptRowBytes = 32 * 1024 * 1024;

function columnsOf(
  resource: ServedResource,
  tables: WeakMap<ResourceVersionDefinition, TableColumns>,
  kept: KeptRows,
): TableColumns {
  let columns = tables.get(resource.version);
  if (columns === undefined) {
    columns = compileTable(resource.version.columns, kept);
    tables.set(resource.version, columns);
  }
  return columns;
}
