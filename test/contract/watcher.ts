/**
 * One watch: reads its frames as they come and lets a promise wait for what it is after.
 *
 * Holds events of this run's objects only: others may use the store meanwhile. Ends with close(), or
 * with the stream.
 */
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  type StoreService,
  type WatchEvent,
  WatchEventType,
  type WatchResponse,
} from "../../gen/annex/store/v1/store_pb.js";
import { Broken, hold, show } from "./promise.ts";
import { keyText } from "./recorder.ts";

/** One event as a promise reads it. */
export interface Change {
  readonly type: "put" | "delete";
  readonly key: string;
  readonly revision: bigint;
  readonly uid: string;
  readonly json: Uint8Array;
  readonly previous: { readonly revision: bigint; readonly json: Uint8Array } | undefined;
}

/** How a watch ended. */
export interface WatchEnd {
  readonly code: Code | undefined;
  readonly expired: { readonly oldestResumable: bigint; readonly head: bigint; readonly epoch: string } | undefined;
}

type WatchInit = Parameters<Client<typeof StoreService>["watch"]>[0];

/** How long a promise waits for a frame: far above what any store needs on a busy machine. */
const patienceMs = 10_000;

/** A watch that is being read. */
export class Watcher {
  readonly frames: WatchResponse["frame"][] = [];
  readonly changes: Change[] = [];
  /** Greatest revision that an event or progress has told. */
  reached = 0n;
  ended: WatchEnd | undefined;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  readonly #isMine: (key: string) => boolean;
  #gate: Promise<void> = Promise.resolve();

  /** Opens a watch. `isMine` says whose events count. */
  constructor(store: Client<typeof StoreService>, request: WatchInit, isMine: (key: string) => boolean) {
    this.#isMine = isMine;
    void this.#read(store, request);
  }

  /** The first frame. @throws Broken if it is none, or another. */
  async started(): Promise<{ readonly revision: bigint; readonly epoch: string; readonly oldestResumable: bigint }> {
    await this.#until(() => this.frames.length > 0 || this.ended !== undefined, "the first frame");
    const [first] = this.frames;
    hold(first?.case === "started", `the first frame of the watch is ${first?.case ?? this.#endText()}, not started`);
    const { mark, oldestResumable } = first.value;
    return { revision: mark?.revision ?? 0n, epoch: mark?.epoch ?? "", oldestResumable };
  }

  /** Waits until so many events have come. */
  async take(count: number): Promise<readonly Change[]> {
    await this.#until(() => this.changes.length >= count || this.ended !== undefined, `event ${count}`);
    if (this.changes.length < count) {
      throw new Broken(`the watch gave ${this.changes.length} events of ${count}, then ${this.#endText()}`);
    }
    return this.changes;
  }

  /** Waits until the watch has told that it has come to a revision, by an event or by progress. */
  async reaches(revision: bigint): Promise<readonly Change[]> {
    await this.#until(() => this.reached >= revision || this.ended !== undefined, `revision ${revision}`);
    if (this.reached < revision)
      throw new Broken(`the watch came to ${this.reached}, not to ${revision}, then ${this.#endText()}`);
    return this.changes;
  }

  /** Waits until so many progress frames have come. */
  async progress(count: number): Promise<readonly bigint[]> {
    const marks = () => this.frames.flatMap((one) => (one.case === "progress" ? [one.value.mark?.revision ?? 0n] : []));
    await this.#until(() => marks().length >= count || this.ended !== undefined, `${count} progress frames`);
    return marks();
  }

  /** Waits for a frame of a kind. */
  async frame(kind: NonNullable<WatchResponse["frame"]["case"]>): Promise<void> {
    await this.#until(
      () => this.frames.some((one) => one.case === kind) || this.ended !== undefined,
      `a frame ${kind}`,
    );
    hold(
      this.frames.some((one) => one.case === kind),
      `the watch gave no ${kind}, but ${this.#endText()}`,
    );
  }

  /** Waits until the stream has ended. */
  async end(): Promise<WatchEnd> {
    await this.#until(() => this.ended !== undefined, "the end of the stream");
    return this.ended ?? { code: undefined, expired: undefined };
  }

  /** Whether the watch told that it must start over: by a frame, or by the code. */
  get isExpired(): boolean {
    return this.ended?.expired !== undefined || this.ended?.code === Code.OutOfRange;
  }

  /** Stops reading until the function that it gives is called: a slow reader. */
  pause(): () => void {
    let go = () => {};
    this.#gate = new Promise((resolve) => {
      go = resolve;
    });
    return go;
  }

  close(): void {
    this.#stop.abort();
  }

  async #read(store: Client<typeof StoreService>, request: WatchInit): Promise<void> {
    let expired: WatchEnd["expired"];
    let code: Code | undefined;
    try {
      // It lasts as long as its promise, which has a limit of its own.
      for await (const { frame } of store.watch(request, { signal: this.#stop.signal, timeoutMs: 0 })) {
        await this.#gate;
        if (expired !== undefined) this.#fault(`a frame ${frame.case} came after expired`);
        expired = this.#take(frame);
        this.#wake();
      }
    } catch (error) {
      code = ConnectError.from(error).code;
    }
    this.ended = { code, expired };
    this.#wake();
  }

  #take(frame: WatchResponse["frame"]): WatchEnd["expired"] {
    this.frames.push(frame);
    switch (frame.case) {
      case "started":
        this.reached = frame.value.mark?.revision ?? 0n;
        return undefined;
      case "events":
        for (const event of frame.value.events) this.#event(event);
        return undefined;
      case "progress":
      case "initialEnd":
        this.#reach(frame.value.mark?.revision ?? 0n);
        return undefined;
      case "expired": {
        const { oldestResumable, mark } = frame.value;
        return { oldestResumable, head: mark?.revision ?? 0n, epoch: mark?.epoch ?? "" };
      }
      default:
        return undefined;
    }
  }

  #event({ type, object, previous }: WatchEvent): void {
    const key = keyText(object?.key);
    if (object !== undefined) this.#reach(object.revision);
    if (object === undefined || !this.#isMine(key)) return;
    this.changes.push({
      type: type === WatchEventType.DELETE ? "delete" : "put",
      key,
      revision: object.revision,
      uid: object.uid,
      json: object.json,
      previous: previous === undefined ? undefined : { revision: previous.revision, json: previous.json },
    });
  }

  #reach(revision: bigint): void {
    if (revision > this.reached) this.reached = revision;
  }

  /** What can't be thrown where somebody waits ends the watch. */
  #fault(message: string): never {
    this.#stop.abort();
    throw new Broken(message);
  }

  #wake(): void {
    for (const waiter of [...this.#waiting]) waiter();
  }

  async #until(isThere: () => boolean, what: string): Promise<void> {
    const until = performance.now() + patienceMs;
    while (!isThere()) {
      const left = until - performance.now();
      if (left <= 0)
        throw new Broken(`the watch did not give ${what} within ${patienceMs / 1000} s; it gave ${this.#seen()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, left);
        const waiting = this.#waiting;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }

  #seen(): string {
    const revisions = this.changes.map((change) => change.revision);
    return `${this.changes.length} events ${show(revisions.slice(-10))}, and has come to ${this.reached}`;
  }

  #endText(): string {
    if (this.ended === undefined) return "nothing";
    if (this.ended.expired !== undefined) return "an expired frame";
    return this.ended.code === undefined ? "the end of the stream" : `the error ${Code[this.ended.code]}`;
  }
}
