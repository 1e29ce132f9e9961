/**
 * The command line: which subcommand, with which flags.
 *
 * A subcommand is loaded when it is asked for: what supervises others needs little of what serves.
 * Exit codes: 0 fine, 1 it failed, 2 the arguments (or a definition, or the configuration) are off.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { gatewayVersion } from "../version.ts";

/** Runs a command line as Node gives it. @returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command("annex")
    .description("A Kubernetes extension API server whose storage lives in other processes.")
    .version(gatewayVersion)
    .exitOverride()
    .showHelpAfterError();

  program
    .command("dev")
    .description("the local loop: certificates, an embedded store, a gateway and a kubeconfig")
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port to listen on; 0 takes a free one", parsePort, 8443)
    .option("--data <folder>", "where certificates, kubeconfig and data are kept", ".annex")
    .option("--crds <path>", "file or folder of CustomResourceDefinition YAML; repeatable", collect, [])
    .addOption(new Option("--store <store>", "which bundled store").choices(["sqlite", "memory"]).default("sqlite"))
    .option("--http2", "offer HTTP/2 beside HTTP/1.1", false)
    .addOption(
      new Option("--log-level <level>", "which logs go to stderr")
        .choices(["fatal", "error", "warn", "info", "debug", "trace"])
        .default("warn"),
    )
    .action(async (flags) => {
      exitCode = await (await import("./dev.ts")).dev(flags);
    });

  program
    .command("gateway")
    .description("a gateway in production")
    .requiredOption("--config <file>", "a GatewayConfiguration document")
    .action(async (flags) => {
      exitCode = await (await import("./gateway.ts")).gateway(flags);
    });

  program
    .command("store")
    .description("a bundled store by itself: annex store sql|memory (see annex store --help)")
    .action(() => {
      exitCode = 2;
    });

  program
    .command("certify")
    .description("whether a store keeps the contract: annex certify ADDRESS | -- COMMAND (see annex certify --help)")
    .action(() => {
      exitCode = 2;
    });

  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : 2;
  }
  return exitCode;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port;
  throw new InvalidArgumentError("must be a number from 0 to 65535");
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
