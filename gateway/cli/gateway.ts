/** `annex gateway --config FILE`: a gateway in production. */
import { watch } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "pino";
import { ManifestError } from "../authz/authz.ts";
import { ConfigError, type GatewayConfig, loadGatewayConfig } from "../config.ts";
import { type RunningGateway, startGateway } from "../main.ts";
import { createLogger } from "./logger.ts";
import { stopSignal } from "./signals.ts";

/** How often the list of stores is read again, whether or not the folder told of a change. */
const pollMs = 30_000;
const settleMs = 100;

/** Runs until a signal. @returns the exit code. */
export async function gateway(flags: { readonly config: string }): Promise<number> {
  let running: RunningGateway;
  let log: Logger;
  try {
    const config = loadGatewayConfig(flags.config);
    log = createLogger(config.log.level);
    running = await startGateway(config, { log });
  } catch (error) {
    process.stderr.write(`annex gateway: ${(error as Error).message}\n`);
    return error instanceof ConfigError || error instanceof ManifestError ? 2 : 1;
  }
  const stopWatching = watchStores(flags.config, running, log);
  process.stdout.write(`ready ${running.url}\n`);
  await stopSignal();
  stopWatching();
  await running.drain();
  return 0;
}

/** Takes the list of stores anew when the file changes; a file that can't be used is logged and left. */
function watchStores(path: string, running: RunningGateway, log: Logger): () => void {
  let known = "";
  let settle: NodeJS.Timeout | undefined;
  const check = () => {
    try {
      const config: GatewayConfig = loadGatewayConfig(path);
      const stores = JSON.stringify(config.stores);
      if (known !== "" && stores !== known) {
        running.configureStores(config.stores);
        log.info({ stores: config.stores.map((store) => store.name) }, "the list of stores was changed");
      }
      known = stores;
    } catch (error) {
      log.warn({ err: error }, "the changed configuration can't be used; the stores stay as they are");
    }
  };
  check();
  const poll = setInterval(check, pollMs);
  // The folder, not the file: a ConfigMap is swapped by a symlink beside it.
  const watcher = watch(dirname(path), { persistent: false }, () => {
    clearTimeout(settle);
    settle = setTimeout(check, settleMs);
  });
  return () => {
    clearInterval(poll);
    clearTimeout(settle);
    watcher.close();
  };
}
