/**
 * Says who asks: front proxy, client certificate, bearer token, or nobody known.
 *
 *     request header -> x509 -> bearer -> WebSocket -> (more) -> + system:authenticated
 *                    all silent -> system:anonymous, if that is allowed
 *     one failed, none succeeded -> 401
 *
 * Only the User leaves this room; tokens, certificates and the headers that name a user don't: the
 * request goes on without them. What failed, and why, is for the log alone: a client is told
 * Unauthorized and nothing else.
 * Source: apiserver pkg/authentication/authenticatorfactory/delegating.go, pkg/endpoints/filters/authentication.go.
 */
import type { HttpRequest } from "../apimachinery/http.ts";
import { after } from "../apimachinery/promise.ts";
import { anonymousUser, systemUnauthenticated, type User } from "../apimachinery/user.ts";
import { type Attempt, authenticatingBy } from "./attempts.ts";
import { type Authorities, assertApart, createAuthorityFile } from "./authority-file.ts";
import { bearerAuthenticator, staticTokens, type TokenAuthenticator, unionTokens } from "./bearer.ts";
import type { Certificate } from "./certificate.ts";
import type { ClusterCertificates } from "./cluster-certificates.ts";
import { withoutCredentials } from "./credentials.ts";
import { type FrontProxyRules, lowerCased, requestHeaderAuthenticator } from "./request-header.ts";
import { parseTokenFile } from "./token-file.ts";
import { type Authenticator, unionAuthenticator, withAuthenticatedGroup } from "./union.ts";
import { createWatchedFile, type Log, type WatchFile, watchOnDisk } from "./watched-file.ts";
import { webSocketAuthenticator } from "./websocket.ts";
import { x509Authenticator } from "./x509.ts";

export type { Attempt } from "./attempts.ts";
export type { TokenAuthenticator } from "./bearer.ts";
export { createClusterAuthentication } from "./cluster-authentication.ts";
export { givenAuthentication } from "./given.ts";
export { actingUser } from "./impersonation.ts";
export { issuedTokens, type JwtIssuer } from "./jwt.ts";
export type { ObserveTokens } from "./token-cache.ts";
export { type Authenticator, unionAuthenticator } from "./union.ts";

/** Who asks, and what the answer's Warning headers should say about how it was asked. */
export interface Authentication {
  readonly user: User;
  readonly warnings: readonly string[];
  /** The request without what said who asks. */
  readonly request: HttpRequest;
}

/** A front proxy's authority and names, as files and values. */
export interface RequestHeaderOptions extends Omit<FrontProxyRules, "roots"> {
  /** PEM bundle. It must be another authority than the clients': whose certificate it signs may name any user. */
  readonly clientCaFile: string;
}

/** What users are known by. What isn't there is not looked at. */
export interface AuthenticationOptions {
  /** Whom the host cluster trusts, for the kinds of authority that have no file here. Closed with the rest. */
  readonly cluster?: ClusterCertificates | undefined;
  readonly requestHeader?: RequestHeaderOptions | undefined;
  /** PEM bundle of the authorities whose client certificates count. */
  readonly clientCaFile?: string | undefined;
  /** CSV of static tokens. */
  readonly tokenFile?: string | undefined;
  /** Say whose a token is, after the file: a Bearer header's, or a WebSocket's. */
  readonly tokens?: readonly TokenAuthenticator[];
  /** Whether a request without credentials is let through as system:anonymous. */
  readonly anonymous: boolean;
  readonly clock: () => Date;
  readonly log: Log;
  /** Asked after certificates and tokens, in order. */
  readonly more?: readonly Authenticator[];
  /** Tells of changed files. Default: from the disk. */
  readonly watchFile?: WatchFile;
}

/** Open from its creation until `close`; after that it goes on with what it last loaded. */
export interface Authenticating {
  /** @throws StatusError 401 if credentials are wrong, or missing where nobody may be anonymous. */
  authenticate(request: HttpRequest): Promise<Authentication>;
  /** PEM of all authorities that a client's certificate may come from, `""` without one. */
  clientCas(): string;
  /** Calls back whenever `clientCas` gives something else, so that TLS can name the right authorities. */
  onClientCas(listener: () => void): void;
  /** Calls back with what came of each request's credentials. Without it nothing is counted. */
  onAttempt?(listener: (attempt: Attempt) => void): void;
  /** Stops watching files. */
  close(): void;
}

/**
 * Loads what users are known by and keeps it loaded.
 * @throws Error naming file and line if a file can't be read or makes no sense.
 */
export function createAuthentication(options: AuthenticationOptions): Authenticating {
  const { log, clock, cluster, requestHeader, watchFile = watchOnDisk } = options;
  const files: { close(): void }[] = [];
  const bundles = new Map<string, Authorities>();
  const authenticators: Authenticator[] = [];
  const listeners: (() => void)[] = [];
  const onChange = () => {
    for (const listener of listeners) listener();
  };
  const follow = (path: string, title: string): Authorities => {
    const check = (roots: readonly Certificate[]) => {
      if (requestHeader?.allowedNames.length !== 0) return;
      assertApart(
        roots,
        [...bundles].filter(([name]) => name !== title).flatMap(([, one]) => one.roots()),
      );
    };
    const authorities = createAuthorityFile({ path, title, log, watchFile, check, onChange });
    bundles.set(title, authorities);
    files.push(authorities);
    return authorities;
  };

  const frontProxy = frontProxyOf(
    requestHeader && { ...requestHeader, ...follow(requestHeader.clientCaFile, "request header client CA file") },
    cluster,
  );
  const clients =
    options.clientCaFile === undefined ? cluster?.clients : follow(options.clientCaFile, "client CA file").roots;
  cluster?.onChange(onChange);
  if (frontProxy !== undefined) authenticators.push(requestHeaderAuthenticator({ rules: frontProxy, clock }));
  if (clients !== undefined) authenticators.push(x509Authenticator({ roots: clients, clock }));

  const tokens = [...(options.tokens ?? [])];
  if (options.tokenFile !== undefined) {
    const path = options.tokenFile;
    let userOf: TokenAuthenticator = () => undefined;
    const load = (text: string) => {
      const { users, warnings } = parseTokenFile(text, path);
      for (const warning of warnings) log.warn({ file: path }, warning);
      userOf = staticTokens(users);
    };
    files.push(createWatchedFile({ path, load, log, watchFile }));
    tokens.unshift((token) => userOf(token));
  }
  if (tokens.length > 0) {
    const userOf = unionTokens(tokens);
    authenticators.push(bearerAuthenticator(userOf), webSocketAuthenticator(userOf));
  }
  const union = unionAuthenticator([...authenticators, ...(options.more ?? [])]);

  function identify(request: HttpRequest): ReturnType<Parameters<typeof authenticatingBy>[0]> {
    const warnings: string[] = [];
    return after(
      union(request, (text) => warnings.push(text)),
      (user) => {
        if (user === undefined && !options.anonymous) return undefined;
        return {
          user: user === undefined ? anonymous : withAuthenticatedGroup(user),
          warnings,
          request: withoutCredentials(request, frontProxy?.()),
        };
      },
    );
  }

  return {
    ...authenticatingBy(identify, log),
    clientCas: () =>
      [...bundles.values(), ...(cluster === undefined ? [] : [cluster])].map((one) => one.pem()).join("\n"),
    onClientCas: (listener) => void listeners.push(listener),
    close() {
      for (const file of files) file.close();
      cluster?.close();
    },
  };
}

/** Rules of files, with the authorities of now; else the host cluster's. Undefined: nobody's. */
function frontProxyOf(
  given: (RequestHeaderOptions & Authorities) | undefined,
  cluster: ClusterCertificates | undefined,
): (() => FrontProxyRules | undefined) | undefined {
  if (given === undefined) return cluster?.frontProxy;
  let rules = lowerCased({ ...given, roots: given.roots() });
  return () => {
    const roots = given.roots();
    if (rules.roots !== roots) rules = { ...rules, roots };
    return rules;
  };
}

const anonymous: User = { name: anonymousUser, uid: "", groups: [systemUnauthenticated], extra: {} };
