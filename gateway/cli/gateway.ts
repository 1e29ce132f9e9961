/**
 * `annex gateway --config FILE`: a gateway in production, in one process or several.
 *
 * What serves is loaded only where it serves: a supervisor is a small process.
 */
import { ConfigError, type GatewayConfig, loadGatewayConfig } from "../config.ts";
import { stopSignal } from "./signals.ts";

/** Runs until a signal. @returns the exit code. */
export async function gateway(flags: { readonly config: string }): Promise<number> {
  const stop = stopSignal();
  let config: GatewayConfig;
  try {
    config = loadGatewayConfig(flags.config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // It names file and field itself, a line for each fault.
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
  if (config.workers > 1) return await (await import("./supervise.ts")).supervise(config, flags.config, stop);
  return await (await import("./serve.ts")).serve(config, flags.config, stop);
}
