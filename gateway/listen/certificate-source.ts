/**
 * The serving certificate, read again when its files change.
 *
 * Folders are watched, not files: a ConfigMap or Secret is swapped by renaming a symlink beside
 * them. A poll finds what no event told. A pair that can't be used is logged and left; the last good
 * one goes on serving.
 */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { type FSWatcher, readFileSync, watch } from "node:fs";
import { dirname } from "node:path";
import { createSecureContext } from "node:tls";

/** A certificate chain, its key and the CAs that are named to clients; PEM. */
export interface ServingPair {
  readonly cert: string;
  readonly key: string;
  readonly ca: string[];
}

/** The files, and where faults are told. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCas: () => string;
  readonly log: { warn(fields: object, message: string): void };
}

/** A source of the present pair. */
export interface CertificateSource {
  current(): ServingPair;
  onChange(listener: (pair: ServingPair) => void): void;
  /** Looks at once, when somebody knows of a change. */
  check(): void;
  close(): void;
}

/** How often files are compared, whether or not an event came. */
const pollMs = 30_000;
/** A swap is several events; they settle in this time. */
const settleMs = 50;

/**
 * Reads the pair and watches it.
 * @throws Error naming the file if it can't be read or the key doesn't fit.
 */
export function createCertificateSource(files: CertificateFiles): CertificateSource {
  let pair = readPair(files);
  let digest = digestOf(pair);
  let faultTold = "";
  let settle: NodeJS.Timeout | undefined;
  const listeners: ((pair: ServingPair) => void)[] = [];

  const check = () => {
    try {
      const fresh = readPair(files);
      const freshDigest = digestOf(fresh);
      faultTold = "";
      if (freshDigest === digest) return;
      pair = fresh;
      digest = freshDigest;
      for (const listener of listeners) listener(pair);
    } catch (error) {
      // Each look finds the same fault until somebody mends it.
      if (String(error) === faultTold) return;
      faultTold = String(error);
      files.log.warn({ err: error }, "the changed serving certificate can't be used; the last good one stays");
    }
  };
  const poll = setInterval(check, pollMs);
  poll.unref();
  const watchers = [...new Set([dirname(files.certFile), dirname(files.keyFile)])].flatMap((folder) =>
    watched(folder, () => {
      clearTimeout(settle);
      settle = setTimeout(check, settleMs);
      settle.unref();
    }),
  );
  return {
    current: () => pair,
    check,
    onChange: (listener) => listeners.push(listener),
    close() {
      clearInterval(poll);
      clearTimeout(settle);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function watched(folder: string, onEvent: () => void): FSWatcher[] {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    // A folder that goes away: the poll goes on.
    watcher.on("error", () => watcher.close());
    return [watcher];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return [];
  }
}

function readPair(files: CertificateFiles): ServingPair {
  const cert = readFileSync(files.certFile, "utf8");
  const key = readFileSync(files.keyFile, "utf8");
  const leaf = new X509Certificate(cert);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) {
    throw new Error(`the key in ${files.keyFile} is not that of the certificate in ${files.certFile}`);
  }
  const cas = files.clientCas();
  const pair = { cert, key, ca: cas === "" ? [] : [cas] };
  // What is wrong further down the chain or in the bundle shows here, before anything takes it.
  createSecureContext(pair);
  return pair;
}

function digestOf(pair: ServingPair): string {
  return createHash("sha256").update(pair.cert).update(pair.key).update(pair.ca.join()).digest("hex");
}
