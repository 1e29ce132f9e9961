/**
 * A thread for large objects' fields, so that no object holds the event loop.
 *
 * States: none yet, running from the first job on, none again when it has died (what waits is refused; the
 * next job starts another), closed. It does one job at a time.
 */
import { Worker } from "node:worker_threads";
import { tooManyRequests } from "../apimachinery/status.ts";
import type { FieldAnswer, FieldJob } from "./field-job.ts";

/** Bytes of objects that may wait: some ten of the largest, a few seconds' work. */
const maxWaitingBytes = 64 * 1024 * 1024;
/** The largest object as values, twice, with its sets. */
const maxHeapMb = 512;

interface Waiting {
  readonly bytes: number;
  readonly resolve: (answer: FieldAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** The thread. */
export interface FieldThread {
  /** @throws StatusError 429 if too much waits. Error if the thread dies. */
  run(job: FieldJob): Promise<FieldAnswer>;
  close(): void;
}

/** Makes the thread; it starts with its first job. */
export function createFieldThread(): FieldThread {
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let worker: Worker | undefined;

  function start(): Worker {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const main = new URL(`./field-thread-main.${extension}`, import.meta.url);
    // Flags of the process (an inspector, a script on the command line) are not for the thread.
    const started = new Worker(main, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: maxHeapMb } });
    started.unref();
    started.on("message", (answer: FieldAnswer) => take()?.resolve(answer));
    started.on("error", (error) => fail(started, error as Error));
    started.on("exit", () => fail(started, new Error("the thread for managedFields ended")));
    return started;
  }

  function take(): Waiting | undefined {
    const first = waiting.shift();
    waitingBytes -= first?.bytes ?? 0;
    if (waiting.length === 0) worker?.unref();
    return first;
  }

  function fail(which: Worker, error: Error): void {
    if (worker !== which) return;
    worker = undefined;
    while (waiting.length > 0) take()?.reject(error);
  }

  return {
    run(job) {
      const bytes = bytesOf(job);
      if (waiting.length > 0 && waitingBytes + bytes > maxWaitingBytes) {
        return Promise.reject(tooManyRequests("too many large objects are being written, please try again later", 1));
      }
      worker ??= start();
      worker.ref();
      waitingBytes += bytes;
      return new Promise((resolve, reject) => {
        waiting.push({ bytes, resolve, reject });
        worker?.postMessage(job);
      });
    },
    close() {
      const running = worker;
      if (running === undefined) return;
      fail(running, new Error("the gateway is closed"));
      void running.terminate();
    },
  };
}

function bytesOf({ object, live, known }: FieldJob): number {
  let bytes = object.length + (live?.length ?? 0);
  for (const [key, converted] of known ?? []) bytes += key.length + ("json" in converted ? converted.json.length : 0);
  return bytes;
}
