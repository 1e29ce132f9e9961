/**
 * The process itself: CPU, memory, and how late the event loop is, in the names that Prometheus'
 * clients give them.
 */
import { readdirSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Family, gauge, toldCounter, type Whole } from "./family.ts";

/** Looks at the process; its watch over the event loop runs until `close`. */
export interface ProcessMetrics {
  readonly families: readonly Family[];
  /** Brings the families up to date. Delays are those since it was called last. */
  read(): void;
  close(): void;
}

/** How often the event loop's delay is measured: a shorter one no client would notice, and each look wakes an idle process. */
const delayEveryMs = 50;
const nanoseconds = 1e9;

/** Makes the families. */
export function createProcessMetrics(): ProcessMetrics {
  const declare = (name: string, help: string, whole: Whole = "sum") => gauge({ name, help, labels: [], whole });
  const cpu = toldCounter({
    name: "process_cpu_seconds_total",
    help: "CPU time of the process, user and system.",
    labels: [],
  });
  const memory = declare("process_resident_memory_bytes", "Memory of the process that is in RAM.");
  const started = declare("process_start_time_seconds", "When the process started, in seconds since 1970.", "min");
  const files = declare("process_open_fds", "Files and sockets that are open.");
  const heap = declare("nodejs_heap_size_used_bytes", "JavaScript objects.");
  const external = declare(
    "nodejs_external_memory_bytes",
    "Memory outside the heap that objects hold, buffers above all.",
  );
  const delayMean = declare(
    "nodejs_eventloop_lag_mean_seconds",
    "How late the event loop was, since the last look: mean.",
    "max",
  );
  const delay99 = declare(
    "nodejs_eventloop_lag_p99_seconds",
    "How late the event loop was, since the last look: 99th percentile.",
    "max",
  );
  const delayMax = declare(
    "nodejs_eventloop_lag_max_seconds",
    "How late the event loop was, since the last look: worst.",
    "max",
  );
  const delay = monitorEventLoopDelay({ resolution: delayEveryMs });
  delay.enable();
  started.with().set(Math.round(performance.timeOrigin / 10) / 100);
  return {
    families: [cpu, memory, started, files, heap, external, delayMean, delay99, delayMax],
    read() {
      const { user, system } = process.cpuUsage();
      cpu.with().set((user + system) / 1e6);
      const used = process.memoryUsage();
      memory.with().set(used.rss);
      heap.with().set(used.heapUsed);
      external.with().set(used.external);
      const open = openFiles();
      if (open !== undefined) files.with().set(open);
      if (delay.count > 0) {
        // What is measured is the whole interval between two looks.
        const late = (ns: number) => Math.max(0, ns / nanoseconds - delayEveryMs / 1000);
        delayMean.with().set(late(delay.mean));
        delay99.with().set(late(delay.percentile(99)));
        delayMax.with().set(late(delay.max));
      }
      delay.reset();
    },
    close: () => void delay.disable(),
  };
}

/** Undefined where the system doesn't tell. */
function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
