/** `annex gateway --config FILE`: a gateway in production. */
import { ManifestError } from "../authz/authz.ts";
import { ConfigError, loadGatewayConfig, watchConfig } from "../config.ts";
import { KubeconfigError } from "../kubeclient/kubeclient.ts";
import { startGateway } from "../main.ts";
import { createLogger } from "./logger.ts";
import { sentenceFor } from "./sentence.ts";
import { aborted, stopSignal } from "./signals.ts";

/** Runs until a signal. @returns the exit code. */
export async function gateway(flags: { readonly config: string }): Promise<number> {
  const stop = stopSignal();
  try {
    const config = loadGatewayConfig(flags.config);
    const log = createLogger(config.log.level);
    const running = await startGateway(config, { log });
    const stopWatching = watchConfig(flags.config, {
      stores: config.stores,
      onStores: (stores) => running.configureStores(stores),
      log,
    });
    await Promise.race([running.ready, aborted(stop)]);
    process.stdout.write(`ready ${running.url}\n`);
    await aborted(stop);
    stopWatching();
    await running.drain();
    return 0;
  } catch (error) {
    // These name file and field themselves, a line for each fault.
    if (error instanceof ConfigError || error instanceof ManifestError || error instanceof KubeconfigError) {
      process.stderr.write(`${error.message}\n`);
      return 2;
    }
    process.stderr.write(`annex gateway: ${sentenceFor(error)}\n`);
    return 1;
  }
}
