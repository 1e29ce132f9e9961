/** A gateway in this process: from its configuration to its drain. */
import { ManifestError } from "../authz/authz.ts";
import { type GatewayConfig, watchConfig } from "../config.ts";
import { KubeconfigError } from "../kubeclient/kubeclient.ts";
import { startGateway } from "../main.ts";
import { createLogger } from "./logger.ts";
import { sentenceFor } from "./sentence.ts";
import { aborted } from "./signals.ts";
import { limitYoungGeneration } from "./young-generation.ts";

/** Serves until it is told to stop. @param file the configuration's, for its list of stores. @returns the exit code. */
export async function serve(config: GatewayConfig, file: string, stop: AbortSignal): Promise<number> {
  return await withExitCode(async () => {
    limitYoungGeneration();
    const log = createLogger(config.log.level);
    const running = await startGateway(config, { log });
    const stopWatching = watchConfig(file, {
      stores: config.stores,
      onStores: (stores) => running.configureStores(stores),
      log,
    });
    await Promise.race([running.ready, aborted(stop)]);
    process.stdout.write(`ready ${running.url}\n`);
    await aborted(stop);
    stopWatching();
    await running.drain();
  });
}

/** Gives 0, or says what went wrong and gives the code for it. */
export async function withExitCode(work: () => Promise<void>): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    // These name file and field themselves, a line for each fault.
    if (error instanceof ManifestError || error instanceof KubeconfigError) {
      process.stderr.write(`${error.message}\n`);
      return 2;
    }
    process.stderr.write(`annex gateway: ${sentenceFor(error)}\n`);
    return 1;
  }
}
