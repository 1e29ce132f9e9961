/**
 * The store's side of the writer: what waits goes as one batch, as soon as the batch before is done.
 *
 * So a lone write pays one fsync, and sixty-four that wait together pay one as well.
 */
import { Worker } from "node:worker_threads";
import { exhausted, unavailable } from "../sdk/sdk.ts";
import type { WriteRequest, WriteResult, WriterAnswer, WriterRequest } from "./writes.ts";

/** Writes that may wait. More are refused: a store that is that far behind would only fall further. */
const maxWaiting = 10_000;
/** Writes of one transaction, so that the first of them doesn't wait for a thousand others. */
const maxBatch = 512;

interface Waiting {
  readonly write: WriteRequest;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: Error) => void;
}

/** What the writer found when it opened the data. */
export interface Opened {
  readonly head: bigint;
  readonly epoch: string;
  readonly compacted: bigint;
}

/** The writer. */
export interface Writer {
  readonly opened: Opened;
  /**
   * Gives what became of a write once it is durable.
   * @throws ConnectError RESOURCE_EXHAUSTED (too many wait, or no room on the disk), UNAVAILABLE (the disk fails).
   */
  write(write: WriteRequest): Promise<WriteResult>;
  /** Removes one portion of history. Gives the revision up to which it is gone. */
  compact(upTo: bigint, before: number): Promise<bigint>;
  close(): Promise<void>;
}

/**
 * Starts the writer on a database file.
 *
 * @param onBatch told of each durable batch, in order, before anyone is acknowledged.
 * @throws Error if the file can't be opened.
 */
export async function startWriter(
  file: string,
  onBatch: (writes: readonly WriteRequest[], results: readonly WriteResult[]) => void,
): Promise<Writer> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./writer-thread.${extension}`, import.meta.url), { workerData: file });
  let onAnswer: (answer: WriterAnswer) => void = () => {};
  let onFailure: (error: Error) => void = () => {};
  worker.on("message", (answer: WriterAnswer) => onAnswer(answer));
  worker.on("error", (error) => onFailure(error));

  const ask = (request: WriterRequest | undefined): Promise<WriterAnswer> =>
    new Promise((resolve, reject) => {
      onAnswer = resolve;
      onFailure = reject;
      if (request !== undefined) worker.postMessage(request);
    });

  const first = await ask(undefined);
  if (first.type !== "opened") throw new Error("the writer did not open its file");
  const waiting: Waiting[] = [];
  const compactions: {
    upTo: bigint;
    before: number;
    resolve: (compacted: bigint) => void;
    reject: (error: Error) => void;
  }[] = [];
  let isBusy = false;
  let broken: Error | undefined;

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    try {
      while (waiting.length > 0 || compactions.length > 0) {
        const batch = waiting.splice(0, maxBatch);
        if (batch.length > 0) await writeBatch(batch);
        const compaction = compactions.shift();
        if (compaction === undefined) continue;
        const answer = await ask({ type: "compact", upTo: compaction.upTo, before: compaction.before });
        if (answer.type === "compacted") compaction.resolve(answer.compacted);
        else compaction.reject(new Error("the history could not be compacted"));
      }
    } catch (error) {
      broken = error as Error;
      for (const { reject } of waiting.splice(0)) reject(unavailable("the store's writer failed"));
    } finally {
      isBusy = false;
    }
  }

  async function writeBatch(batch: readonly Waiting[]): Promise<void> {
    const writes = batch.map((item) => item.write);
    let answer: WriterAnswer;
    try {
      answer = await ask({ type: "batch", writes });
    } catch (error) {
      for (const { reject } of batch) reject(unavailable("the store's writer failed"));
      throw error;
    }
    if (answer.type !== "batch") {
      const failed = answer.type === "failed" ? answer : { message: "no answer", isFull: false };
      for (const { reject } of batch) {
        reject(
          failed.isFull
            ? exhausted(`the store has no room left: ${failed.message}`, 10)
            : unavailable(`the store can't write: ${failed.message}`),
        );
      }
      return;
    }
    onBatch(writes, answer.results);
    for (const [index, item] of batch.entries()) item.resolve(answer.results[index] as WriteResult);
  }

  return {
    opened: first,
    write(write) {
      if (broken !== undefined) return Promise.reject(unavailable("the store's writer failed"));
      if (waiting.length >= maxWaiting) return Promise.reject(exhausted("too many writes are waiting"));
      return new Promise((resolve, reject) => {
        waiting.push({ write, resolve, reject });
        // What else arrives in this turn of the event loop goes along.
        setImmediate(() => void work());
      });
    },
    compact(upTo, before) {
      return new Promise((resolve, reject) => {
        compactions.push({ upTo, before, resolve, reject });
        void work();
      });
    },
    async close() {
      while (isBusy) await new Promise<void>((resolve) => setImmediate(resolve));
      if (broken === undefined) await ask({ type: "close" });
      await worker.terminate();
    },
  };
}
