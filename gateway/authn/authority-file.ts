/** A bundle of certificate authorities in a file, followed as it changes. */
import { type Certificate, parseCertificates } from "./certificate.ts";
import { createWatchedFile, type Log, type WatchFile } from "./watched-file.ts";

/** The authorities of now, until `close`; then of then. */
export interface Authorities {
  roots(): readonly Certificate[];
  /** The same as text, for TLS to name them. */
  pem(): string;
  close(): void;
}

/** Which file, and who wants to know of a change. */
export interface AuthorityFileOptions {
  readonly path: string;
  /** What it is called in an error: `client CA file`. */
  readonly title: string;
  readonly log: Log;
  readonly watchFile: WatchFile;
  /** Refuses a bundle by throwing; the last good one stays. */
  readonly check?: (roots: readonly Certificate[]) => void;
  /** Called after each change, not for what is found at first. */
  readonly onChange: () => void;
}

/**
 * Reads a PEM bundle and follows it.
 * @throws Error naming the file if it can't be read or holds no certificate.
 */
export function createAuthorityFile(options: AuthorityFileOptions): Authorities {
  const { path, title, log, watchFile, check, onChange } = options;
  let roots: readonly Certificate[] = [];
  let pem = "";
  const load = (text: string) => {
    const next = parseAuthorities(text, `${title} ${path}`);
    check?.(next);
    roots = next;
    const isFirst = pem === "";
    pem = text;
    if (!isFirst) onChange();
  };
  const file = createWatchedFile({ path, load, log, watchFile });
  return { roots: () => roots, pem: () => pem, close: () => file.close() };
}

/**
 * Checks that the front proxy's authorities are not the clients': without allowed names every client
 * could then say that it is somebody else.
 * @throws Error if they have a certificate in common.
 */
export function assertApart(frontProxy: readonly Certificate[], clients: readonly Certificate[]): void {
  if (!frontProxy.some((root) => clients.some((one) => one.raw.equals(root.raw)))) return;
  throw new Error(
    "the front proxy's authority and the clients' share a certificate; " +
      "without allowed names every client could say that it is somebody else",
  );
}

/** Gives a bundle's certificates, at least one. @throws Error that begins with `title`. */
export function parseAuthorities(pem: string, title: string): readonly Certificate[] {
  try {
    const certificates = parseCertificates(pem);
    if (certificates.length === 0) throw new Error("it holds no PEM block of type CERTIFICATE");
    return certificates;
  } catch (error) {
    throw new Error(`${title}: ${(error as Error).message}`, { cause: error });
  }
}
