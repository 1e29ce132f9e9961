/**
 * Says who asks: client certificate, bearer token, or nobody known.
 *
 *     x509 -> bearer -> (more) -> + system:authenticated
 *                   all silent -> system:anonymous, if that is allowed
 *     one failed, none succeeded -> 401
 *
 * Only the User leaves this room; tokens and certificates don't. What failed, and why, is for the
 * log alone: a client is told Unauthorized and nothing else.
 * Source: apiserver pkg/authentication/authenticatorfactory/delegating.go, pkg/endpoints/filters/authentication.go.
 */
import type { HttpRequest } from "../apimachinery/http.ts";
import { unauthorized } from "../apimachinery/status.ts";
import { anonymousUser, systemUnauthenticated, type User } from "../apimachinery/user.ts";
import { bearerAuthenticator, staticTokens, type TokenAuthenticator } from "./bearer.ts";
import { type Certificate, parseCertificates } from "./certificate.ts";
import { parseTokenFile } from "./token-file.ts";
import { type Authenticator, unionAuthenticator, withAuthenticatedGroup } from "./union.ts";
import { createWatchedFile, type Log, type WatchFile, watchOnDisk } from "./watched-file.ts";
import { x509Authenticator } from "./x509.ts";

export { givenAuthentication } from "./given.ts";
export { type Authenticator, unionAuthenticator } from "./union.ts";

/** Who asks, and what the answer's Warning headers should say about how it was asked. */
export interface Authentication {
  readonly user: User;
  readonly warnings: readonly string[];
}

/** What users are known by. Without a file its kind of credentials is not looked at. */
export interface AuthenticationOptions {
  /** PEM bundle of the authorities whose client certificates count. */
  readonly clientCaFile?: string;
  /** CSV of static tokens. */
  readonly tokenFile?: string;
  /** Whether a request without credentials is let through as system:anonymous. */
  readonly anonymous: boolean;
  readonly clock: () => Date;
  readonly log: Log;
  /** Asked after certificates and tokens, in order. */
  readonly more?: readonly Authenticator[];
  /** Called with each new bundle after the first, so that TLS can name the right authorities. */
  readonly onClientCas?: (pem: string) => void;
  /** Tells of changed files. Default: from the disk. */
  readonly watchFile?: WatchFile;
}

/** Open from its creation until `close`; after that it goes on with what it last loaded. */
export interface Authenticating {
  /** @throws StatusError 401 if credentials are wrong, or missing where nobody may be anonymous. */
  authenticate(request: HttpRequest): Promise<Authentication>;
  /** The authorities' bundle as PEM, `""` without one. */
  clientCas(): string;
  /** Stops watching files. */
  close(): void;
}

/**
 * Loads what users are known by and keeps it loaded.
 * @throws Error naming file and line if a file can't be read or makes no sense.
 */
export function createAuthentication(options: AuthenticationOptions): Authenticating {
  const { log, clock, onClientCas, watchFile = watchOnDisk } = options;
  const files: { close(): void }[] = [];
  const authenticators: Authenticator[] = [];
  let pem = "";

  if (options.clientCaFile !== undefined) {
    const path = options.clientCaFile;
    let roots: readonly Certificate[] = [];
    const load = (text: string) => {
      roots = readBundle(text, path);
      const isFirst = pem === "";
      pem = text;
      if (!isFirst) onClientCas?.(text);
    };
    files.push(createWatchedFile({ path, load, log, watchFile }));
    authenticators.push(x509Authenticator({ roots: () => roots, clock }));
  }
  if (options.tokenFile !== undefined) {
    const path = options.tokenFile;
    let userOf: TokenAuthenticator = () => undefined;
    const load = (text: string) => {
      const { users, warnings } = parseTokenFile(text, path);
      for (const warning of warnings) log.warn({ file: path }, warning);
      userOf = staticTokens(users);
    };
    files.push(createWatchedFile({ path, load, log, watchFile }));
    authenticators.push(bearerAuthenticator((token) => userOf(token)));
  }
  const union = unionAuthenticator([...authenticators, ...(options.more ?? [])]);

  return {
    async authenticate(request) {
      const warnings: string[] = [];
      const user = await known(union, request, warnings, log);
      if (user !== undefined) return { user: withAuthenticatedGroup(user), warnings };
      if (!options.anonymous) throw unauthorized();
      return { user: anonymous, warnings };
    },
    clientCas: () => pem,
    close() {
      for (const file of files) file.close();
    },
  };
}

const anonymous: User = { name: anonymousUser, uid: "", groups: [systemUnauthenticated], extra: {} };

async function known(
  authenticator: Authenticator,
  request: HttpRequest,
  warnings: string[],
  log: Log,
): Promise<User | undefined> {
  try {
    return await authenticator(request, (text) => warnings.push(text));
  } catch (error) {
    log.warn(
      { error: (error as Error).message, remoteAddress: request.remoteAddress },
      "unable to authenticate a request",
    );
    throw unauthorized();
  }
}

function readBundle(text: string, path: string): readonly Certificate[] {
  try {
    const certificates = parseCertificates(text);
    if (certificates.length === 0) throw new Error("it holds no PEM block of type CERTIFICATE");
    return certificates;
  } catch (error) {
    throw new Error(`client CA file ${path}: ${(error as Error).message}`, { cause: error });
  }
}
