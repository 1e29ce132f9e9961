/**
 * The bundled stores as commands: `annex store sql|memory`.
 *
 * Exit codes: 0 stopped, 1 it failed, 2 the arguments or a definition are off.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CrdFileError, parseAddress } from "./sdk/sdk.ts";

/** What every bundled store is started with. */
export interface StoreFlags {
  /** `unix:PATH` or `HOST:PORT`; undefined: a fresh unix socket. */
  readonly listen: string | undefined;
  /** Folder of the data; for stores that keep any. */
  readonly data: string;
  /** Files and folders of CustomResourceDefinition YAML. */
  readonly crds: readonly string[];
  readonly tls: { readonly caFile: string; readonly certFile: string; readonly keyFile: string } | undefined;
  readonly log: (fields: object, message: string) => void;
}

const usage = `Usage: annex store sql|memory [options]

Serves CustomResourceDefinitions from a store, for a gateway to call. The first line of stdout is the
address.

  --listen ADDRESS  unix:PATH or HOST:PORT (default: a fresh unix socket)
  --data DIR        where sql keeps its data (default: .annex/sql)
  --crds PATH       file or folder of CustomResourceDefinition YAML; repeatable
                    (default: the small set in stores/sql/examples)
  --tls-ca FILE     with --tls-cert and --tls-key: mutual TLS on a TCP address
  --tls-cert FILE
  --tls-key FILE
`;

/** Runs a bundled store. `argv` begins with its name. */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || rest.includes("--help")) {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  let flags: StoreFlags;
  try {
    flags = flagsFrom(rest);
  } catch (error) {
    process.stderr.write(`annex store: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  try {
    if (name === "memory") return await (await import("./memory/main.ts")).runMemory(flags);
    if (name === "sql") return await (await import("./sql/main.ts")).runSql(flags);
  } catch (error) {
    if (error instanceof CrdFileError) {
      process.stderr.write(`${error.message}\n`);
      return 2;
    }
    process.stderr.write(`annex store ${name}: ${(error as Error).message}\n`);
    return 1;
  }
  process.stderr.write(`annex store: "${name}" is none of sql, memory\n\n${usage}`);
  return 2;
}

function flagsFrom(args: readonly string[]): StoreFlags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      listen: { type: "string" },
      data: { type: "string", default: ".annex/sql" },
      crds: { type: "string", multiple: true },
      "tls-ca": { type: "string" },
      "tls-cert": { type: "string" },
      "tls-key": { type: "string" },
    },
  });
  if (values.listen !== undefined) parseAddress(values.listen);
  const { "tls-ca": caFile, "tls-cert": certFile, "tls-key": keyFile } = values;
  const files = [caFile, certFile, keyFile].filter((file) => file !== undefined);
  if (files.length !== 0 && files.length !== 3) throw new Error("--tls-ca, --tls-cert and --tls-key go together");
  const tls = caFile && certFile && keyFile ? { caFile, certFile, keyFile } : undefined;
  return {
    listen: values.listen,
    data: values.data,
    crds: values.crds ?? [fileURLToPath(new URL("./sql/examples", import.meta.url))],
    tls,
    log: (fields, message) => {
      process.stderr.write(`${JSON.stringify({ time: Date.now(), ...fields, msg: message })}\n`);
    },
  };
}
