/**
 * The store's side of the writer: what waits goes as one batch, as soon as the batch before is done.
 *
 * So a lone write pays one fsync, and sixty-four that wait together pay one as well. States: open,
 * failed (the thread died: nothing is written any more), closed.
 */
import { Worker } from "node:worker_threads";
import { exhausted, unavailable } from "../sdk/sdk.ts";
import type { Incarnation, WriteRequest, WriteResult, WriterAnswer, WriterRequest } from "./writes.ts";

/** Writes that may wait, and their bytes. More are refused: a store that far behind would only fall further. */
const maxWaiting = 10_000;
const maxWaitingBytes = 128 * 1024 * 1024;
/** Writes of one transaction and their bytes, so that the first of them doesn't wait for a thousand others. */
const maxBatch = 512;
const maxBatchBytes = 8 * 1024 * 1024;
/** Seconds after which a full disk is worth another try. */
const fullRetrySeconds = 10;

interface Waiting {
  readonly write: WriteRequest;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: Error) => void;
}

/** The writer. */
export interface Writer {
  /** As it was found at the start. */
  readonly opened: Incarnation;
  /** Resolves when the thread died: the store can't go on. */
  readonly failed: Promise<Error>;
  /**
   * Gives what became of a write once it is durable.
   * @throws ConnectError RESOURCE_EXHAUSTED (too many wait, or no room on the disk), UNAVAILABLE (the disk fails).
   */
  write(write: WriteRequest): Promise<WriteResult>;
  /** Removes one portion of history. Gives the revision up to which it is gone. @throws ConnectError as write(). */
  compact(upTo: bigint, before: number): Promise<bigint>;
  /** Begins a new epoch above a revision. @throws ConnectError as write(). */
  begin(above: bigint): Promise<Incarnation>;
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
  const thread = new URL(`./writer-thread.${extension}`, import.meta.url);
  // Flags of the process (an inspector, a script on the command line) are not for the thread.
  const worker = new Worker(thread, { workerData: file, execArgv: [] });
  const asked: { resolve: (answer: WriterAnswer) => void; reject: (error: Error) => void }[] = [];
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let isBusy = false;
  let isClosed = false;
  let broken: Error | undefined;
  let onFailed: (error: Error) => void = () => {};
  const failed = new Promise<Error>((resolve) => {
    onFailed = resolve;
  });

  worker.on("message", (answer: WriterAnswer) => asked.shift()?.resolve(answer));
  worker.on("error", (error) => fail(error as Error));
  worker.on("exit", (code) => fail(new Error(`the writer's thread ended with code ${code}`)));

  function fail(error: Error): void {
    if (broken !== undefined || isClosed) return;
    broken = error;
    for (const { reject } of asked.splice(0)) reject(error);
    for (const { reject } of waiting.splice(0)) reject(unavailable("the store's writer failed"));
    onFailed(error);
  }

  /** The thread answers in the order in which it was asked. */
  function ask(request: WriterRequest | undefined, given: readonly ArrayBuffer[] = []): Promise<WriterAnswer> {
    if (broken !== undefined) return Promise.reject(unavailable("the store's writer failed"));
    return new Promise((resolve, reject) => {
      asked.push({ resolve, reject });
      if (request !== undefined) worker.postMessage(request, given);
    });
  }

  async function work(): Promise<void> {
    if (isBusy) return;
    isBusy = true;
    while (waiting.length > 0) await writeBatch(nextBatch());
    isBusy = false;
  }

  function nextBatch(): readonly Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { write } of waiting) {
      if (count > 0 && (count >= maxBatch || bytes + write.json.length > maxBatchBytes)) break;
      count++;
      bytes += write.json.length;
    }
    waitingBytes -= bytes;
    return waiting.splice(0, count);
  }

  async function writeBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const writes = batch.map((item) => item.write);
      const { packed, bytes } = pack(writes);
      const answer = await ask({ type: "batch", writes: packed }, [bytes.buffer]);
      if (answer.type !== "batch") throw refusal(answer);
      onBatch(writes, answer.results);
      for (const [index, item] of batch.entries()) item.resolve(answer.results[index] as WriteResult);
    } catch (error) {
      const shown = broken === undefined ? (error as Error) : unavailable("the store's writer failed");
      for (const { reject } of batch) reject(shown);
    }
  }

  const first = await ask(undefined);
  if (first.type !== "opened") throw new Error("the writer did not open its file");
  return {
    opened: first,
    failed,
    write(write) {
      if (broken !== undefined) return Promise.reject(unavailable("the store's writer failed"));
      if (waiting.length >= maxWaiting || waitingBytes >= maxWaitingBytes) {
        return Promise.reject(exhausted("too many writes are waiting"));
      }
      return new Promise((resolve, reject) => {
        waiting.push({ write, resolve, reject });
        waitingBytes += write.json.length;
        // What else arrives in this turn of the event loop goes along.
        if (!isBusy && waiting.length === 1) setImmediate(() => void work());
      });
    },
    async compact(upTo, before) {
      const answer = await ask({ type: "compact", upTo, before });
      if (answer.type !== "compacted") throw refusal(answer);
      return answer.compacted;
    },
    async begin(above) {
      const answer = await ask({ type: "begin", above });
      if (answer.type !== "begun") throw refusal(answer);
      return answer;
    },
    async close() {
      while (isBusy || waiting.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (broken === undefined) await ask({ type: "close" });
      isClosed = true;
      await worker.terminate();
    },
  };
}

/**
 * Gives the same writes with their JSON in one buffer, which can be handed over. Sent as they are, each would
 * take along a copy of all that it was received with, 64 KB and more.
 */
function pack(writes: readonly WriteRequest[]) {
  const bytes = new Uint8Array(writes.reduce((sum, { json }) => sum + json.length, 0));
  let end = 0;
  const packed = writes.map((write) => {
    const begin = end;
    end += write.json.length;
    bytes.set(write.json, begin);
    return { ...write, json: bytes.subarray(begin, end) };
  });
  return { packed, bytes };
}

function refusal(answer: WriterAnswer): Error {
  if (answer.type !== "failed") return unavailable("the store's writer gave no answer");
  return answer.isFull
    ? exhausted(`the store has no room left: ${answer.message}`, fullRetrySeconds)
    : unavailable(`the store can't write: ${answer.message}`);
}
