/** The flags by which every store is told where to listen. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { parseAddress } from "./address.ts";
import type { TlsFiles } from "./listener.ts";

/** The flags, for parseArgs(). */
export const listenFlags = {
  listen: { type: "string" },
  "tls-ca": { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
} as const satisfies ParseArgsOptionsConfig;

/** What the flags say, for people. */
export const listenUsage = `  --listen ADDRESS  unix:PATH or HOST:PORT (default: a fresh unix socket)
  --tls-ca FILE     with --tls-cert and --tls-key: mutual TLS on a TCP address
  --tls-cert FILE
  --tls-key FILE
`;

/** Where to listen, and how. */
export interface ListenOptions {
  readonly listen: string | undefined;
  readonly tls: TlsFiles | undefined;
}

/** Reads the values of the flags. @throws Error with a sentence for people. */
export function listenOptions(values: { readonly [flag in keyof typeof listenFlags]?: string }): ListenOptions {
  const { listen, "tls-ca": caFile, "tls-cert": certFile, "tls-key": keyFile } = values;
  if (listen !== undefined) parseAddress(listen);
  const files = [caFile, certFile, keyFile].filter((file) => file !== undefined);
  if (files.length !== 0 && files.length !== 3) throw new Error("--tls-ca, --tls-cert and --tls-key go together");
  return { listen, tls: caFile && certFile && keyFile ? { caFile, certFile, keyFile } : undefined };
}

/** Reads a command line that has these flags and nothing else. @throws Error with a sentence for people. */
export function parseListenOptions(argv: readonly string[]): ListenOptions {
  return listenOptions(parseArgs({ args: [...argv], options: listenFlags }).values);
}
