/**
 * Starts a gateway from its configuration, and drains it.
 *
 * Order of an end: readyz fails, the delay passes so that load balancers see it, then the listener
 * drains (requests in flight finish, watches end), then the registry's connections close.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import type { ResourceDefinition, ResourceVersionDefinition, ServedResource } from "./apimachinery/resource.ts";
import { createAuthentication } from "./authn/authn.ts";
import { assertAllowed, attributesOf, createAuthorizer } from "./authz/authz.ts";
import type { GatewayConfig } from "./config.ts";
import { createFlowControl } from "./flowcontrol/flowcontrol.ts";
import { createHealth, versionDocument } from "./health/health.ts";
import { createListener } from "./listen/listen.ts";
import { createOpenApi } from "./openapi/openapi.ts";
import { createRegistry, type StoreConfig, type StoreReport } from "./registry/registry.ts";
import { compileTable, type TableColumns } from "./render/render.ts";
import { compileSchema, type Schema } from "./schema/schema.ts";
import { createHandler } from "./server.ts";
import { present, type VerbTools } from "./verbs/verbs.ts";
import { gatewayVersion } from "./version.ts";
import { createWatchCache } from "./watchcache/watchcache.ts";

/** A gateway that is listening. */
export interface RunningGateway {
  /** `https://host:port`. */
  readonly url: string;
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
  configureStores(stores: readonly StoreConfig[]): void;
}

/** Starts a gateway. @throws Error with a sentence for people if a file can't be read or the port is taken. */
export async function startGateway(config: GatewayConfig, { log }: { log: Logger }): Promise<RunningGateway> {
  const schemas = new WeakMap<ResourceVersionDefinition, Schema>();
  const tables = new WeakMap<ResourceVersionDefinition, TableColumns>();
  const state = { isShuttingDown: false };

  const authentication = createAuthentication({
    ...(config.authentication.clientCAFile === undefined ? {} : { clientCaFile: config.authentication.clientCAFile }),
    ...(config.authentication.tokenFile === undefined ? {} : { tokenFile: config.authentication.tokenFile }),
    anonymous: config.authentication.anonymous,
    clock: () => new Date(),
    log,
  });
  const manifests = config.authorization.rbacFiles.map((file) => ({ file, text: readFileSync(file, "utf8") }));
  const authorizer = createAuthorizer({ allowedPaths: config.authorization.alwaysAllowPaths, manifests });
  const registry = createRegistry({
    stores: config.stores,
    gateway: { name: "annex", version: gatewayVersion },
    admit: (definition) => compileDefinition(definition, schemas),
    log,
  });
  const schemaOf = (version: ResourceVersionDefinition) => schemas.get(version);
  const watchcache = createWatchCache({
    registry,
    log,
    present: (definition, version, stored, revision) => present(schemaOf, definition, version, stored, revision),
  });
  const tools: VerbTools = {
    registry,
    watchcache,
    schemaOf,
    columnsOf: (resource) => columnsOf(resource, tables),
    clock: () => new Date(),
    random: Math.random,
    uuid: randomUUID,
    authorize: (request, verb, name) =>
      assertAllowed(authorizer, attributesOf({ ...request.info, verb, name }, request.user), request.info.path),
  };
  const health = createHealth({
    checks: [
      { name: "ping", endpoints: ["healthz", "livez", "readyz"], check: () => undefined },
      {
        name: "shutdown",
        endpoints: ["readyz"],
        check: () => (state.isShuttingDown ? "process is shutting down" : undefined),
      },
    ],
  });
  const handler = createHandler({
    registry,
    authentication,
    authorizer,
    flowControl: createFlowControl({
      maxReadOnly: config.flowControl.maxReadOnlyInFlight,
      maxMutating: config.flowControl.maxMutatingInFlight,
    }),
    health,
    openApi: createOpenApi(),
    version: versionDocument(gatewayVersion),
    tools,
    log,
  });
  const close = () => {
    watchcache.close();
    registry.close();
    authentication.close();
  };
  const listener = await createListener({
    ...config.listen,
    clientCas: () => authentication.clientCas(),
    handle: handler,
    log,
  }).catch((error: unknown) => {
    close();
    throw error;
  });
  const host = config.listen.host.includes(":") ? `[${config.listen.host}]` : config.listen.host;
  return {
    url: `https://${host}:${listener.port}`,
    async drain() {
      state.isShuttingDown = true;
      await new Promise<void>((resolve) => setTimeout(resolve, config.shutdown.delaySeconds * 1000));
      await listener.drain({ deadlineMs: config.shutdown.deadlineSeconds * 1000 });
      close();
    },
    stores: () => registry.stores(),
    served: () =>
      registry.table().resources.map(({ group, plural, kind, versions }) => ({
        group,
        plural,
        kind,
        versions: versions.filter((version) => version.served).map((version) => version.name),
      })),
    configureStores: (stores) => registry.configure(stores),
  };
}

/** Compiles every version's schema. Gives the first fault's path and text if one is not structural. */
async function compileDefinition(
  definition: ResourceDefinition,
  schemas: WeakMap<ResourceVersionDefinition, Schema>,
): Promise<string | undefined> {
  for (const [index, version] of definition.versions.entries()) {
    if (version.schema === undefined) continue;
    const compiled = compileSchema(version.schema);
    if ("faults" in compiled) {
      const fault = compiled.faults[0];
      return `spec.versions[${index}].schema.openAPIV3Schema.${fault?.path}: ${fault?.message}`;
    }
    schemas.set(version, compiled.schema);
    // Large schemas take milliseconds each: requests go in between.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return undefined;
}

function columnsOf(resource: ServedResource, tables: WeakMap<ResourceVersionDefinition, TableColumns>): TableColumns {
  let columns = tables.get(resource.version);
  if (columns === undefined) {
    columns = compileTable(resource.version.columns);
    tables.set(resource.version, columns);
  }
  return columns;
}
