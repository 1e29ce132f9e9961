/**
 * Asks one small thing after the other, as somebody else would, in a thread of its own: what a crowd
 * costs the thread that makes it is not felt here.
 */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type ClientOptions, createClient } from "./client.ts";

/** What the other client saw: 200, or an answer or failure that was none, and the longest time in ms. */
export interface Seen {
  readonly outcomes: ReadonlyMap<string, number>;
  readonly maxMs: number;
}

/** A client that asks on until it is stopped. */
export interface Beside {
  /** Resolves when that many more were answered. */
  more(count: number): Promise<void>;
  stop(): Promise<Seen>;
}

/** Whom it asks, and for what. */
export interface AskedBeside extends ClientOptions {
  readonly path: string;
}

/** Between two requests: a client that is there, not one that loads the server. */
const pauseMs = 5;

/** Begins to ask. */
export function askBeside(asked: AskedBeside): Beside {
  const worker = new Worker(new URL(import.meta.url), { workerData: asked });
  const waiting: { readonly at: number; readonly resolve: () => void }[] = [];
  let done = 0;
  worker.on("message", (message: number | Seen) => {
    if (typeof message !== "number") return;
    done = message;
    for (const { at, resolve } of waiting) if (done >= at) resolve();
  });
  return {
    more: (count) => new Promise((resolve) => waiting.push({ at: done + count, resolve })),
    async stop() {
      worker.postMessage("stop");
      for (;;) {
        const [message] = (await once(worker, "message")) as [number | Seen];
        if (typeof message === "number") continue;
        await worker.terminate();
        return message;
      }
    },
  };
}

async function ask({ path, ...options }: AskedBeside, port: NonNullable<typeof parentPort>): Promise<void> {
  const client = createClient(options);
  const outcomes = new Map<string, number>();
  let maxMs = 0;
  let isStopping = false;
  port.once("message", () => {
    isStopping = true;
  });
  for (let done = 1; !isStopping; done++) {
    const began = performance.now();
    const outcome = await client.ask({ path }).then(
      ({ status, body }) => (status === 200 ? "200" : `${status} ${body}`),
      (error: Error) => error.message,
    );
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    maxMs = Math.max(maxMs, performance.now() - began);
    port.postMessage(done);
    await new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
  }
  client.close();
  port.postMessage({ outcomes, maxMs } satisfies Seen);
}

if (!isMainThread && parentPort !== null) await ask(workerData as AskedBeside, parentPort);
