/**
 * A gateway's configuration: one document in Kubernetes' component style into one frozen value.
 *
 * A fault names file, line and field. Every default stands here with its reason.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";

/** A configuration that can't be used; the message has a line for each fault, `file:line: field: message`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export const configApiVersion = "gateway.annex.dev/v1alpha1";
export const configKind = "GatewayConfiguration";

const file = z.string().min(1);
const storeAddress = z
  .string()
  .regex(/^(unix:.+|[^\s:]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5})$/, "must be unix:PATH or HOST:PORT");

const document = z.strictObject({
  apiVersion: z.literal(configApiVersion),
  kind: z.literal(configKind),
  listen: z.strictObject({
    // Every interface: behind a Service the address is the pod's.
    host: z.string().default("0.0.0.0"),
    // Free to bind without privileges; the Service maps 443 to it.
    port: z.int().min(0).max(65535).default(8443),
    // HTTP/1.1 drains without losing a request; HTTP/2 is for one busy kube-apiserver. See the README.
    http2: z.boolean().default(false),
    certFile: file,
    keyFile: file,
  }),
  authentication: z
    .strictObject({
      clientCAFile: file.optional(),
      tokenFile: file.optional(),
      // Deny by default: who shows no credentials is nobody.
      anonymous: z.boolean().default(false),
    })
    .prefault({}),
  authorization: z
    .strictObject({
      // What kubelet and load balancers ask without credentials.
      alwaysAllowPaths: z.array(z.string()).default(["/healthz", "/livez", "/readyz"]),
      rbacFiles: z.array(file).default([]),
    })
    .prefault({}),
  flowControl: z
    .strictObject({
      // kube-apiserver's own numbers.
      maxReadOnlyInFlight: z.int().min(1).default(400),
      maxMutatingInFlight: z.int().min(1).default(200),
    })
    .prefault({}),
  stores: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be a DNS label"),
        address: storeAddress,
        // Every store speaks gRPC; the Connect protocol costs less where it is spoken.
        protocol: z.enum(["grpc", "connect"]).default("grpc"),
        tls: z
          .strictObject({ caFile: file, certFile: file, keyFile: file, serverName: z.string().default("") })
          .optional(),
      }),
    )
    .default([])
    .refine((stores) => new Set(stores.map((store) => store.name)).size === stores.length, "names must differ"),
  shutdown: z
    .strictObject({
      // Set it to what a load balancer needs to see that readyz fails.
      delaySeconds: z.number().min(0).max(600).default(0),
      // As long as the longest ordinary request.
      deadlineSeconds: z.number().min(0).max(3600).default(60),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(["fatal", "error", "warn", "info", "debug", "trace"]).default("info") })
    .prefault({}),
});

/** A store of the configuration. `tls` undefined: none. */
export interface ConfiguredStore {
  readonly name: string;
  readonly address: string;
  readonly protocol: "grpc" | "connect";
  readonly tls:
    | { readonly caFile: string; readonly certFile: string; readonly keyFile: string; readonly serverName: string }
    | undefined;
}

/** A gateway's configuration; every path is absolute. */
export interface GatewayConfig {
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly http2: boolean;
    readonly certFile: string;
    readonly keyFile: string;
  };
  readonly authentication: {
    readonly clientCAFile: string | undefined;
    readonly tokenFile: string | undefined;
    readonly anonymous: boolean;
  };
  readonly authorization: { readonly alwaysAllowPaths: readonly string[]; readonly rbacFiles: readonly string[] };
  readonly flowControl: { readonly maxReadOnlyInFlight: number; readonly maxMutatingInFlight: number };
  readonly stores: readonly ConfiguredStore[];
  readonly shutdown: { readonly delaySeconds: number; readonly deadlineSeconds: number };
  readonly log: { readonly level: string };
}

/** Reads a configuration file. @throws ConfigError with every fault of it. */
export function loadGatewayConfig(path: string): GatewayConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`${path}: ${(error as Error).message}`, { cause: error });
  }
  return parseGatewayConfig(text, path);
}

/** Parses a configuration. Relative paths start at the file's folder. @throws ConfigError. */
export function parseGatewayConfig(text: string, path: string): GatewayConfig {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = yaml.errors[0];
  if (broken !== undefined) {
    throw new ConfigError(`${path}:${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  }
  const parsed = document.safeParse(yaml.toJS({ maxAliasCount: 100 }) ?? {});
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => {
      const places = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
      const message = issue.code === "unrecognized_keys" ? "is no field of this document" : issue.message;
      return places.map((place) => `${path}:${lineOf(place)}: ${formatPlace(place)}: ${message}`);
    });
    throw new ConfigError(faults.join("\n"));
  }
  return freeze(absolute(parsed.data, dirname(resolve(path))));

  function lineOf(place: readonly PropertyKey[]): number {
    for (let length = place.length; length >= 0; length--) {
      const node = yaml.getIn(place.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}

function absolute(data: z.infer<typeof document>, folder: string): GatewayConfig {
  const at = (path: string) => resolve(folder, path);
  const optional = (path: string | undefined) => (path === undefined ? undefined : at(path));
  const { listen, authentication, authorization, flowControl, shutdown, log } = data;
  return {
    listen: { ...listen, certFile: at(listen.certFile), keyFile: at(listen.keyFile) },
    authentication: {
      clientCAFile: optional(authentication.clientCAFile),
      tokenFile: optional(authentication.tokenFile),
      anonymous: authentication.anonymous,
    },
    authorization: { ...authorization, rbacFiles: authorization.rbacFiles.map(at) },
    flowControl,
    stores: data.stores.map(({ name, address, protocol, tls }) => ({
      name,
      address: address.startsWith("unix:") ? `unix:${at(address.slice("unix:".length))}` : address,
      protocol,
      tls:
        tls === undefined
          ? undefined
          : {
              caFile: at(tls.caFile),
              certFile: at(tls.certFile),
              keyFile: at(tls.keyFile),
              serverName: tls.serverName,
            },
    })),
    shutdown,
    log,
  };
}

function formatPlace(place: readonly PropertyKey[]): string {
  return place.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text === "" ? String(part) : `${text}.${String(part)}`,
    "",
  );
}

function freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === "object" && child !== null) freeze(child);
  return Object.freeze(value);
}
