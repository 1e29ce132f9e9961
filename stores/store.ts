/**
 * The bundled stores as commands: `annex store sql|memory`.
 *
 * Exit codes: 0 stopped, 1 it failed, 2 the arguments or a definition are off.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CrdFileError, type ListenOptions, listenFlags, listenOptions, listenUsage, logLine } from "./sdk/sdk.ts";

/** What every bundled store is started with. */
export interface StoreFlags extends ListenOptions {
  /** Folder of the data; for stores that keep any. */
  readonly data: string;
  /** Files and folders of CustomResourceDefinition YAML. */
  readonly crds: readonly string[];
  readonly log: (fields: object, message: string) => void;
}

const usage = `Usage: annex store sql|memory [options]

Serves CustomResourceDefinitions from a store, for a gateway to call. The first line of stdout is the
address.

  --data DIR        where sql keeps its data (default: .annex/sql)
  --crds PATH       file or folder of CustomResourceDefinition YAML; repeatable
                    (default: the small set in stores/sql/examples)
${listenUsage}`;

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
      ...listenFlags,
      data: { type: "string", default: ".annex/sql" },
      crds: { type: "string", multiple: true },
    },
  });
  return {
    ...listenOptions(values),
    data: values.data,
    crds: values.crds ?? [fileURLToPath(new URL("./sql/examples", import.meta.url))],
    log: logLine,
  };
}
