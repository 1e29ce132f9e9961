/** `annex gateway` with several workers: this process supervises, and its children serve. */
import { type ConfiguredStore, type GatewayConfig, watchConfig } from "../config.ts";
import { createWholeMetrics } from "../metrics/metrics.ts";
import { forkWorker, superviseWorkers } from "../workers/workers.ts";
import { createLogger } from "./logger.ts";
import { aborted } from "./signals.ts";

/** What a worker may take to end beyond its drain. */
const stopMarginMs = 10_000;

/** Supervises until it is told to stop, and all have drained. @returns the exit code. */
export async function supervise(config: GatewayConfig, file: string, stop: AbortSignal): Promise<number> {
  const log = createLogger(config.log.level);
  const figures = createWholeMetrics();
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const supervisor = superviseWorkers<GatewayConfig, readonly ConfiguredStore[]>({
    workers: config.workers,
    config,
    launch: forkWorker(new URL(`./worker-main.${extension}`, import.meta.url)),
    figures,
    stopTimeoutMs: (config.shutdown.delaySeconds + config.shutdown.deadlineSeconds) * 1000 + stopMarginMs,
    log,
  });
  const stopWatching = watchConfig(file, {
    stores: config.stores,
    onStores: (stores) => supervisor.configureStores(stores),
    log,
  });
  void supervisor.ready.then((url) => process.stdout.write(`ready ${url}\n`));
  void aborted(stop).then(() => supervisor.stop());
  const exitCode = await supervisor.ended;
  stopWatching();
  figures.close();
  return exitCode;
}
