/**
 * A worker's process: serves what its supervisor tells it to, until SIGTERM or the supervisor's end.
 *
 * Ctrl-C at the terminal reaches it too, and is the supervisor's affair; so is a second signal, which ends
 * all at once.
 */
import type { ConfiguredStore, GatewayConfig } from "../config.ts";
import { startGateway } from "../main.ts";
import { joinWorkers } from "../workers/workers.ts";
import { createLogger } from "./logger.ts";
import { withExitCode } from "./serve.ts";
import { aborted } from "./signals.ts";
import { limitYoungGeneration } from "./young-generation.ts";

const stopping = new AbortController();
const stop = stopping.signal;
const end = () => stopping.abort();
process.on("SIGINT", () => {});
process.on("SIGTERM", end);
const member = await joinWorkers<GatewayConfig, readonly ConfiguredStore[]>(end);
const { config, stores, worker, port } = member.start;

process.exitCode = await withExitCode(async () => {
  limitYoungGeneration();
  const log = createLogger(config.log.level, worker);
  const listen = { ...config.listen, port: port ?? config.listen.port };
  const mine = { ...config, listen, stores: stores ?? config.stores };
  const running = await startGateway(mine, { log, siblings: member.siblings });
  member.listening({ url: running.url, port: Number(new URL(running.url).port) });
  member.onStores((list) => running.configureStores(list));
  await Promise.race([running.ready, aborted(stop)]);
  member.ready();
  await aborted(stop);
  await running.drain();
});
member.leave();
