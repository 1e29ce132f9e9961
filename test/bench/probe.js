/**
 * Loaded into the gateway's process by `--import`: measures its event loop, counts who connects, and
 * answers over the channel to its parent.
 *
 * The histogram of delays holds the time between two turns of a 10 ms timer, so 10 ms is an idle loop
 * and each figure is that much too high rather than too low. The other one holds what the thread
 * computed between such turns: unlike the delay, it is the same on a machine that others keep busy.
 * Plain JavaScript: to strip types Node loads what a gateway that is built never needs, 34 MB.
 */
import { subscribe } from "node:diagnostics_channel";
import { createHistogram, monitorEventLoopDelay } from "node:perf_hooks";

const resolution = 10;
const delay = monitorEventLoopDelay({ resolution });
delay.enable();

const busy = createHistogram();
let before = threadMicros();
setInterval(() => {
  const now = threadMicros();
  busy.record(Math.max(1, now - before));
  before = now;
}, resolution).unref();

let connections = 0;
subscribe("net.server.socket", () => {
  connections++;
});

function threadMicros() {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

process.on("message", (message) => {
  if (message !== "read the event loop") return;
  /** @param {number} nanoseconds */
  const ms = (nanoseconds) => nanoseconds / 1e6;
  process.send?.({
    p50: ms(delay.percentile(50)),
    p99: ms(delay.percentile(99)),
    max: ms(delay.max),
    busyP99: busy.percentile(99) / 1000,
    busyMax: busy.max / 1000,
    connections,
  });
  delay.reset();
  busy.reset();
  connections = 0;
});
