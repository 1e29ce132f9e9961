/**
 * A gateway's configuration: one document in Kubernetes' component style into one frozen value.
 *
 * A fault names file, line and field. Every default stands here with its reason. Of a running
 * gateway's configuration only the list of stores is taken anew when the file changes; certificates,
 * keys and tokens are files of their own and reloaded by the rooms that read them.
 */
import { createHash } from "node:crypto";
import { readFileSync, watch } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  visit,
} from "yaml";
import { z } from "zod";
import type { JwtIssuer } from "./authn/authn.ts";
import type { NamedCertificate } from "./listen/listen.ts";

/** A configuration that can't be used; the message has a line for each fault, `file:line: field: message`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** What a document must say it is. */
export const configApiVersion = "gateway.annex.dev/v1alpha1";
/** See configApiVersion. */
export const configKind = "GatewayConfiguration";

/** A few lines that alias each other can unfold to gigabytes; nobody writes so many by hand. */
const maxAliasCount = 100;

/** More cores than one gateway was ever given; each takes a hundred megabytes before it serves anything. */
const maxWorkers = 64;

const file = z.string().min(1);
const headerName = z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, "must be a header's name");
const storeAddress = z.string().refine(isStoreAddress, "must be unix:PATH or HOST:PORT");

/** A claim that is prefixed: to be said, so that an issuer's names are not taken for others' by mistake. */
const prefixedClaim = z.strictObject({ claim: z.string().min(1), prefix: z.string() });
const issuerUrl = z.string().refine(isIssuerUrl, "must be an https:// URL without user, query or fragment");
const jwtIssuer = z
  .strictObject({
    issuer: z.strictObject({
      url: issuerUrl,
      discoveryURL: issuerUrl.optional(),
      // Left out: the authorities that Node knows.
      certificateAuthorityFile: file.optional(),
      audiences: z.array(z.string().min(1)).min(1),
      audienceMatchPolicy: z.literal("MatchAny").optional(),
    }),
    claimMappings: z.strictObject({
      username: prefixedClaim,
      groups: prefixedClaim.optional(),
      uid: z.strictObject({ claim: z.string().min(1) }).optional(),
    }),
    claimValidationRules: z.array(z.strictObject({ claim: z.string().min(1), requiredValue: z.string() })).default([]),
  })
  .refine(({ issuer }) => issuer.audiences.length === 1 || issuer.audienceMatchPolicy === "MatchAny", {
    path: ["issuer", "audienceMatchPolicy"],
    message: "must be MatchAny for multiple audiences",
  });

const fields = z.strictObject({
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
    // For clients that ask for other names; without names: those that the certificate bears.
    sni: z
      .array(z.strictObject({ certFile: file, keyFile: file, names: z.array(z.string().min(1)).min(1).optional() }))
      .default([]),
  }),
  authentication: z
    .strictObject({
      clientCAFile: file.optional(),
      tokenFile: file.optional(),
      // Left out: nobody may say in a header who asks.
      requestHeader: z
        .strictObject({
          clientCAFile: file,
          // To be said, not to be forgotten: an empty list is every certificate of that authority.
          allowedNames: z.array(z.string().min(1)),
          // kube-apiserver's own defaults; a uid is not believed unless somebody says so.
          usernameHeaders: z.array(headerName).min(1).default(["X-Remote-User"]),
          uidHeaders: z.array(headerName).default([]),
          groupHeaders: z.array(headerName).default(["X-Remote-Group"]),
          extraHeaderPrefixes: z.array(headerName).default(["X-Remote-Extra-"]),
        })
        .optional(),
      // What the host cluster knows: its ConfigMap extension-apiserver-authentication says whose certificates
      // count, where no file does, and it reviews tokens.
      cluster: z
        .strictObject({
          certificates: z.boolean().default(true),
          tokens: z.boolean().default(true),
          // Empty: the host cluster's own audiences.
          audiences: z.array(z.string().min(1)).default([]),
        })
        .optional(),
      // Issuers of ID tokens, as kube-apiserver's AuthenticationConfiguration has them; asked before reviewers.
      jwt: z.array(jwtIssuer).default([]).refine(haveOwnUrls, "issuers must differ"),
      // TokenReviews to somebody else, asked before the host cluster.
      webhook: z
        .strictObject({
          kubeconfigFile: file,
          audiences: z.array(z.string().min(1)).default([]),
          // As kube-apiserver's delegating servers: short, so that what is taken away is soon gone.
          cacheSeconds: z.number().min(0).max(3600).default(10),
        })
        .optional(),
      // Deny by default: who shows no credentials is nobody.
      anonymous: z.boolean().default(false),
    })
    .prefault({}),
  authorization: z
    .strictObject({
      // What kubelet and load balancers ask without credentials.
      alwaysAllowPaths: z.array(z.string()).default(["/healthz", "/livez", "/readyz"]),
      rbacFiles: z.array(file).default([]),
      // Who says yes for the host cluster, after the files: a review each time, its roles followed here
      // before a review, or they alone (access sets, which have the last word).
      cluster: z.enum(["none", "review", "rolesThenReview", "accessSets"]).default("none"),
      // SubjectAccessReviews to somebody else, asked before the host cluster.
      webhook: z
        .strictObject({
          kubeconfigFile: file,
          // As kube-apiserver's delegating servers: short, so that what is taken away is soon gone.
          allowedSeconds: z.number().min(0).max(3600).default(10),
          otherwiseSeconds: z.number().min(0).max(3600).default(10),
        })
        .optional(),
    })
    .prefault({}),
  admission: z
    .strictObject({
      // Refuses writes into namespaces that are missing or going: else one may never be empty. Left out: where
      // the section cluster says which cluster's namespaces they are.
      namespaceLifecycle: z.boolean().optional(),
    })
    .prefault({}),
  // Where stores ask what the users of their calls may; each shows a certificate with its name.
  hostService: z
    .strictObject({
      host: z.string().default("0.0.0.0"),
      // Beside the public port's 8443.
      port: z.int().min(0).max(65535).default(8444),
      // What stores dial: behind a Service it isn't what is listened on.
      address: storeAddress,
      certFile: file,
      keyFile: file,
      clientCAFile: file,
    })
    .optional(),
  // The cluster that this server extends. Without a kubeconfig: the one that this pod runs in.
  cluster: z.strictObject({ kubeconfigFile: file.optional() }).optional(),
  flowControl: z
    .strictObject({
      // kube-apiserver's own numbers.
      maxReadOnlyInFlight: z.int().min(1).default(400),
      maxMutatingInFlight: z.int().min(1).default(200),
    })
    .prefault({}),
  cache: z
    .strictObject({
      // One resource's objects: past it everything else would be crowded out. It is served uncached then.
      maxCopyBytes: z
        .int()
        .min(0)
        .default(1024 ** 3),
      // One resource's recent events, with some 1.5 KB for each: 18,000 updates of objects of 1 KB.
      maxHistoryBytes: z
        .int()
        .min(0)
        .default(64 * 1024 ** 2),
      // All of them together. A process holds objects about twice, and a pod of 8 GB has room for that.
      maxTotalBytes: z
        .int()
        .min(0)
        .default(3 * 1024 ** 3),
    })
    .prefault({}),
  stores: z
    .array(
      z
        .strictObject({
          name: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be a DNS label"),
          address: storeAddress.optional(),
          // Replicas of one store, in place of `address`.
          addresses: z.array(storeAddress).min(1).optional(),
          // Every store speaks gRPC; the Connect protocol costs less where it is spoken.
          protocol: z.enum(["grpc", "connect"]).default("grpc"),
          // Whether a resource whose store lied of its revisions is answered 503 until somebody has looked: for
          // those to whom a gap is worse than an outage. Else all is read anew.
          quarantine: z.boolean().default(false),
          tls: z
            .strictObject({ caFile: file, certFile: file, keyFile: file, serverName: z.string().default("") })
            .optional(),
        })
        .refine(({ address, addresses }) => (address === undefined) !== (addresses === undefined), {
          path: ["address"],
          message: "must be given, or else addresses",
        })
        .refine(({ addresses = [] }) => new Set(addresses).size === addresses.length, {
          path: ["addresses"],
          message: "must differ",
        }),
    )
    .default([])
    .refine((stores) => new Set(stores.map((store) => store.name)).size === stores.length, "names must differ"),
  // Where the last description of each store is kept: a gateway that starts while a store is down then knows
  // what it serves. Left out: nowhere.
  descriptions: z.strictObject({ folder: file }).optional(),
  // Equal processes on one port, each a whole gateway on a core of its own. One: what a process more costs in
  // memory is for who has more to do than one core can.
  workers: z.int().min(1).max(maxWorkers).default(1),
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

const needsCluster = "needs the section cluster, which says how the host cluster is reached";

const document = fields
  .refine(({ authorization, cluster }) => authorization.cluster === "none" || cluster, {
    path: ["authorization", "cluster"],
    message: needsCluster,
  })
  .refine(({ admission, cluster }) => admission.namespaceLifecycle !== true || cluster, {
    path: ["admission", "namespaceLifecycle"],
    message: needsCluster,
  })
  .refine(({ authentication, cluster }) => authentication.cluster === undefined || cluster, {
    path: ["authentication", "cluster"],
    message: needsCluster,
  });

/** A store of the configuration. `tls` undefined: none. */
export interface ConfiguredStore {
  readonly name: string;
  /** Of its endpoints; at least one. */
  readonly addresses: readonly string[];
  readonly protocol: "grpc" | "connect";
  /** Whether a resource of which it lied is served no longer. */
  readonly quarantine: boolean;
  readonly tls:
    | { readonly caFile: string; readonly certFile: string; readonly keyFile: string; readonly serverName: string }
    | undefined;
}

/** Where stores ask back. `address` is what they dial. */
export interface HostServiceConfig {
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string;
}

/** An issuer of the configuration. */
export interface ConfiguredIssuer extends JwtIssuer {
  /** PEM bundle of who may have issued its certificate. Undefined: the authorities that Node knows. */
  readonly certificateAuthorityFile: string | undefined;
}

/** A gateway's configuration; every path is absolute. */
export interface GatewayConfig {
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly http2: boolean;
    readonly certFile: string;
    readonly keyFile: string;
    readonly sni: readonly NamedCertificate[];
  };
  readonly authentication: {
    readonly clientCaFile: string | undefined;
    readonly tokenFile: string | undefined;
    /** Undefined: headers say nothing about who asks. */
    readonly requestHeader:
      | {
          readonly clientCaFile: string;
          readonly allowedNames: readonly string[];
          readonly usernameHeaders: readonly string[];
          readonly uidHeaders: readonly string[];
          readonly groupHeaders: readonly string[];
          readonly extraHeaderPrefixes: readonly string[];
        }
      | undefined;
    /** Undefined: the host cluster is asked nothing about users. */
    readonly cluster:
      | { readonly certificates: boolean; readonly tokens: boolean; readonly audiences: readonly string[] }
      | undefined;
    readonly jwt: readonly ConfiguredIssuer[];
    readonly webhook:
      | { readonly kubeconfigFile: string; readonly audiences: readonly string[]; readonly cacheSeconds: number }
      | undefined;
    readonly anonymous: boolean;
  };
  readonly authorization: {
    readonly alwaysAllowPaths: readonly string[];
    readonly rbacFiles: readonly string[];
    readonly cluster: "none" | "review" | "rolesThenReview" | "accessSets";
    readonly webhook:
      | { readonly kubeconfigFile: string; readonly allowedSeconds: number; readonly otherwiseSeconds: number }
      | undefined;
  };
  readonly admission: { readonly namespaceLifecycle: boolean };
  /** Undefined: stores can't ask back. */
  readonly hostService: HostServiceConfig | undefined;
  /** Undefined: the host cluster is not asked. Its file undefined: the one that this pod runs in. */
  readonly cluster: { readonly kubeconfigFile: string | undefined } | undefined;
  readonly flowControl: { readonly maxReadOnlyInFlight: number; readonly maxMutatingInFlight: number };
  /** What copies of resources may hold, of each process. */
  readonly cache: { readonly maxCopyBytes: number; readonly maxHistoryBytes: number; readonly maxTotalBytes: number };
  readonly stores: readonly ConfiguredStore[];
  /** Undefined: descriptions are not kept. */
  readonly descriptions: { readonly folder: string } | undefined;
  /** Processes that serve: at least 1. */
  readonly workers: number;
  readonly shutdown: { readonly delaySeconds: number; readonly deadlineSeconds: number };
  readonly log: { readonly level: string };
}

/** Reads a configuration file. @throws ConfigError with every fault of it. */
export function loadGatewayConfig(path: string): GatewayConfig {
  return parseGatewayConfig(readConfigFile(path), path);
}

/** Parses a configuration. Relative paths start at the file's folder. @throws ConfigError. */
export function parseGatewayConfig(text: string, path: string): GatewayConfig {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = yaml.errors[0];
  if (broken !== undefined) {
    const message = broken.code === "MULTIPLE_DOCS" ? "a second document begins here; one is read" : broken.message;
    throw new ConfigError(`${path}:${lines.linePos(broken.pos[0]).line}: ${message}`);
  }
  const parsed = document.safeParse(plainValue(yaml, (offset) => `${path}:${lines.linePos(offset).line}`) ?? {});
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => {
      const places = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
      return places.map((place) => {
        const line = lines.linePos(offsetOf(yaml.contents, place)).line;
        const field = place.length === 0 ? "" : `${formatPlace(place)}: `;
        return { line, text: `${path}:${line}: ${field}${faultText(issue)}` };
      });
    });
    faults.sort((a, b) => a.line - b.line);
    throw new ConfigError(faults.map(({ text }) => text).join("\n"));
  }
  return freeze(absolute(parsed.data, dirname(resolve(path))));
}

/** The document's value. @throws ConfigError over an alias that leads nowhere, or too many. */
function plainValue(yaml: Document.Parsed, placeOf: (offset: number) => string): unknown {
  visit(yaml, {
    Alias(_key, alias) {
      if (alias.resolve(yaml) !== undefined) return;
      throw new ConfigError(`${placeOf(alias.range?.[0] ?? 0)}: nothing is named &${alias.source}`);
    },
  });
  try {
    return yaml.toJS({ maxAliasCount });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new ConfigError(`${placeOf(0)}: its aliases make too large a document`, { cause: error });
  }
}

function isIssuerUrl(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "https:" && url.username === "" && url.password === "" && !/[?#]/.test(text);
}

function haveOwnUrls(issuers: readonly { readonly issuer: { readonly url: string } }[]): boolean {
  return new Set(issuers.map(({ issuer }) => issuer.url)).size === issuers.length;
}

function isStoreAddress(address: string): boolean {
  if (address.startsWith("unix:")) return address.length > "unix:".length;
  const port = /^(?:[^\s:]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(address)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65535;
}

/** What a watch of the configuration's file needs. */
export interface ConfigWatch {
  /** The list that is in force when the watch begins. */
  readonly stores: readonly ConfiguredStore[];
  /** Takes a list that differs from the one before. */
  readonly onStores: (stores: readonly ConfiguredStore[]) => void;
  readonly log: { info(fields: object, text: string): void; warn(fields: object, text: string): void };
  /** Watches a folder. Default: node:fs. */
  readonly watchFolder?: (folder: string, onChange: () => void) => { close(): void };
}

/** How often the file is read whether or not the file system told of a change: some don't. */
const pollMs = 30_000;
/** A change comes as a burst of events; one look at its end is enough. */
const settleMs = 100;

/**
 * Gives the list of stores anew whenever the file says another one. A file that can't be used is
 * logged once and leaves the list as it is.
 *
 * The folder is watched, not the file: a mounted ConfigMap is swapped by a symbolic link beside it.
 */
export function watchConfig(
  path: string,
  { stores, onStores, log, watchFolder = watchWithNode }: ConfigWatch,
): () => void {
  let current = JSON.stringify(stores);
  let seen = "";
  let settle: NodeJS.Timeout | undefined;

  function check(): void {
    try {
      const text = readConfigFile(path);
      const hash = createHash("sha256").update(text).digest("hex");
      if (hash === seen) return;
      seen = hash;
      const next = parseGatewayConfig(text, path).stores;
      if (JSON.stringify(next) === current) return;
      current = JSON.stringify(next);
      log.info({ stores: next.map((store) => store.name) }, "the list of stores changed");
      onStores(next);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      log.warn({ faults: error.message.split("\n") }, "the configuration can't be used; the stores stay as they are");
    }
  }

  check();
  const poll = setInterval(check, pollMs);
  const watcher = watchFolder(dirname(resolve(path)), () => {
    clearTimeout(settle);
    settle = setTimeout(check, settleMs);
  });
  return () => {
    clearInterval(poll);
    clearTimeout(settle);
    watcher.close();
  };
}

function watchWithNode(folder: string, onChange: () => void): { close(): void } {
  const watcher = watch(folder, { persistent: false }, onChange);
  // The folder itself went away: the poll goes on.
  watcher.on("error", () => watcher.close());
  return watcher;
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`${path}: can't be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Where a field stands: its key, or what is nearest above it that is there. */
function offsetOf(root: ParsedNode | null, place: readonly PropertyKey[]): number {
  let offset = root?.range?.[0] ?? 0;
  let node: unknown = root;
  for (const part of place) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (pair === undefined) break;
      if (isNode(pair.key) && pair.key.range) offset = pair.key.range[0];
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      if (isNode(node) && node.range) offset = node.range[0];
    } else break;
  }
  return offset;
}

function faultText(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") return "is no field of this document";
  if (issue.message.endsWith("received undefined")) return "must be given";
  return issue.message.replace(/^Invalid input: expected (?=")/, "must be ").replace(/^Invalid input: /, "");
}

function absolute(data: z.infer<typeof document>, folder: string): GatewayConfig {
  const at = (path: string) => resolve(folder, path);
  const optional = (path: string | undefined) => (path === undefined ? undefined : at(path));
  const { listen, authentication, authorization, cluster, flowControl, cache, workers, shutdown, log } = data;
  return {
    listen: {
      ...listen,
      certFile: at(listen.certFile),
      keyFile: at(listen.keyFile),
      sni: listen.sni.map(({ certFile, keyFile, names }) => ({
        certFile: at(certFile),
        keyFile: at(keyFile),
        ...(names === undefined ? {} : { names }),
      })),
    },
    authentication: {
      clientCaFile: optional(authentication.clientCAFile),
      tokenFile: optional(authentication.tokenFile),
      requestHeader: requestHeaderOf(authentication.requestHeader, at),
      cluster: authentication.cluster,
      jwt: authentication.jwt.map((one) => issuerOf(one, optional)),
      webhook: authentication.webhook && {
        ...authentication.webhook,
        kubeconfigFile: at(authentication.webhook.kubeconfigFile),
      },
      anonymous: authentication.anonymous,
    },
    authorization: {
      ...authorization,
      rbacFiles: authorization.rbacFiles.map(at),
      webhook: authorization.webhook && {
        ...authorization.webhook,
        kubeconfigFile: at(authorization.webhook.kubeconfigFile),
      },
    },
    admission: { namespaceLifecycle: data.admission.namespaceLifecycle ?? cluster !== undefined },
    hostService: hostServiceOf(data.hostService, at),
    cluster: cluster && { kubeconfigFile: optional(cluster.kubeconfigFile) },
    flowControl,
    cache,
    stores: data.stores.map(({ name, address, addresses = [], protocol, quarantine, tls }) => ({
      name,
      addresses: [...(address === undefined ? [] : [address]), ...addresses].map((one) =>
        one.startsWith("unix:") ? `unix:${at(one.slice("unix:".length))}` : one,
      ),
      protocol,
      quarantine,
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
    descriptions: data.descriptions && { folder: at(data.descriptions.folder) },
    workers,
    shutdown,
    log,
  };
}

function hostServiceOf(
  given: z.infer<typeof document>["hostService"],
  at: (path: string) => string,
): HostServiceConfig | undefined {
  if (given === undefined) return undefined;
  const { clientCAFile, certFile, keyFile, ...place } = given;
  return { ...place, certFile: at(certFile), keyFile: at(keyFile), clientCaFile: at(clientCAFile) };
}

function issuerOf(
  { issuer, claimMappings, claimValidationRules }: z.infer<typeof jwtIssuer>,
  optional: (path: string | undefined) => string | undefined,
): ConfiguredIssuer {
  const { username, groups, uid } = claimMappings;
  return {
    url: issuer.url,
    discoveryUrl: issuer.discoveryURL,
    certificateAuthorityFile: optional(issuer.certificateAuthorityFile),
    audiences: issuer.audiences,
    claims: { username, groups, uid: uid?.claim, required: claimValidationRules },
  };
}

function requestHeaderOf(
  given: z.infer<typeof document>["authentication"]["requestHeader"],
  at: (path: string) => string,
): GatewayConfig["authentication"]["requestHeader"] {
  if (given === undefined) return undefined;
  const { clientCAFile, ...rules } = given;
  return { ...rules, clientCaFile: at(clientCAFile) };
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
