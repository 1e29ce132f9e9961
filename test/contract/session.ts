/**
 * A session with a store, frame by frame: promises can do with it what a caller does, and what none should.
 *
 * It keeps the frames that came, gives credit for what it has read unless told not to, and sends no
 * more than it is allowed. States: open until the store ends the stream, end() or close().
 * Source: proto/annex/store/v1/session.proto.
 */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Client, type Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { runUnaryCall } from "@connectrpc/connect/protocol";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import type {
  OpenRequestSchema,
  SessionFrame,
  SessionFrameSchema,
  SessionRequestSchema,
  SessionService,
} from "../../gen/annex/store/v1/session_pb.js";
import { Broken, hold } from "./promise.ts";

type FrameInit = MessageInitShape<typeof SessionFrameSchema>;
type RequestInit = Omit<MessageInitShape<typeof SessionRequestSchema>, "$typeName" | "message">;

/** How a session is opened. */
export interface SessionOptions {
  /** Bytes of answers that the store may send before it has a credit; no credit is given then. 0: credit as it is read. */
  readonly onlyBytes?: number;
  /** Leave out the hello. */
  readonly isUngreeted?: boolean;
}

/** Largest part of a message. */
export const partBytes = 64 * 1024;
/** What a hello without a number allows. */
const defaultCreditBytes = 1024 * 1024;
/** How long a promise waits for a frame. */
const patienceMs = 10_000;

/** A session that is open. */
export class FrameSession {
  /** All that came, oldest first. */
  readonly frames: SessionFrame[] = [];
  /** Bytes of answers that came. */
  bytes = 0;
  /** Set once the store has ended the stream. */
  ended: { readonly error: ConnectError | undefined } | undefined;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  readonly #sends: FrameInit[] = [];
  readonly #results = new Map<bigint, SessionFrame[]>();
  readonly #givesCredit: boolean;
  #isEnding = false;
  #credit = 0;
  #calls = 0n;

  constructor(client: Client<typeof SessionService>, options: SessionOptions = {}) {
    const { onlyBytes = 0, isUngreeted = false } = options;
    this.#givesCredit = onlyBytes === 0;
    if (!isUngreeted) this.send({ frame: { case: "hello", value: { initialCreditBytes: onlyBytes } } });
    void this.#read(client);
  }

  /** A number that no call of this session has had. */
  next(): bigint {
    this.#calls += 1n;
    return this.#calls;
  }

  /** Sends frames as they are. */
  send(...frames: readonly FrameInit[]): void {
    this.#sends.push(...frames);
    this.#wake();
  }

  /** Sends a call's request as far as `bytes` of its message, in parts; without it, the whole. */
  async begin(call: bigint, request: RequestInit, message: Uint8Array, bytes?: number): Promise<void> {
    const end = bytes ?? message.length;
    let at = 0;
    for (let isFirst = true; isFirst || at < end; isFirst = false) {
      if (end > 0) await this.until(() => this.#credit > 0, "a credit for a request");
      const size = Math.min(partBytes, this.#credit, end - at);
      const chunk = { data: message.subarray(at, at + size), more: at + size < message.length || end < message.length };
      this.#credit -= size;
      at += size;
      if (isFirst) this.send({ call, frame: { case: "request", value: { ...request, message: chunk } } });
      else this.send({ call, frame: { case: "chunk", value: chunk } });
    }
  }

  /** Waits for a call's whole answer. @throws ConnectError that it was answered with; Broken if none comes. */
  async result(call: bigint): Promise<Uint8Array> {
    const isWhole = () => this.#results.get(call)?.at(-1)?.frame.value !== undefined && this.#isWhole(call);
    await this.until(isWhole, `the answer to call ${call}`);
    const [first, ...rest] = this.#results.get(call) ?? [];
    hold(first?.frame.case === "result", `the answer to call ${call} begins with a ${first?.frame.case} frame`);
    const { code, message, detail, answer } = first.frame.value;
    if (code !== 0) {
      const details =
        detail.length === 0 ? [] : [{ desc: ErrorDetailSchema, value: fromBinary(ErrorDetailSchema, detail) }];
      throw new ConnectError(message, code as Code, undefined, details);
    }
    const parts = rest.map(({ frame }) => (frame.case === "chunk" ? frame.value.data : new Uint8Array()));
    return Buffer.concat([answer?.data ?? new Uint8Array(), ...parts]);
  }

  /** Makes a call. @throws ConnectError that it was answered with. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    message: MessageShape<I>,
    options: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<MessageShape<O>> {
    const call = this.next();
    const cancel = () => this.send({ call, frame: { case: "cancel", value: {} } });
    options.signal?.addEventListener("abort", cancel, { once: true });
    try {
      const request = { method: nameOfMethod(method), timeoutMs: options.timeoutMs ?? 0 };
      await this.begin(call, request, toBinary(method.input, message));
      return fromBinary(method.output, await this.result(call));
    } finally {
      options.signal?.removeEventListener("abort", cancel);
    }
  }

  /** Waits until something has come. @throws Broken if it doesn't; ConnectError if the session ended. */
  async until(isThere: () => boolean, what: string): Promise<void> {
    const till = performance.now() + patienceMs;
    while (!isThere()) {
      if (this.ended !== undefined) throw this.ended.error ?? new Broken(`the session ended before ${what}`);
      const left = till - performance.now();
      if (left <= 0) throw new Broken(`${what} did not come by session within ${patienceMs / 1000} s`);
      await this.#woken(left);
    }
  }

  /** Sends nothing more, and waits until the store has ended its side. */
  async end(): Promise<ConnectError | undefined> {
    this.#isEnding = true;
    this.#wake();
    return await this.over();
  }

  /** Waits until the store has ended the stream. */
  async over(): Promise<ConnectError | undefined> {
    const till = performance.now() + patienceMs;
    while (this.ended === undefined) {
      const left = till - performance.now();
      hold(left > 0, `the session did not end within ${patienceMs / 1000} s`);
      await this.#woken(left);
    }
    return this.ended.error;
  }

  close(): void {
    this.#isEnding = true;
    this.#stop.abort();
    this.#wake();
  }

  async *#requests(): AsyncGenerator<MessageInitShape<typeof OpenRequestSchema>> {
    for (;;) {
      if (this.#sends.length > 0) yield { frames: this.#sends.splice(0) };
      else if (this.#isEnding) return;
      else await this.#woken();
    }
  }

  async #read(client: Client<typeof SessionService>): Promise<void> {
    let error: ConnectError | undefined;
    try {
      const stream = client.open(this.#requests(), { signal: this.#stop.signal, timeoutMs: 0 });
      for await (const { frames } of stream) for (const frame of frames) this.#take(frame);
    } catch (failed) {
      error = ConnectError.from(failed);
    }
    this.ended = { error };
    this.#wake();
  }

  #take(frame: SessionFrame): void {
    this.frames.push(frame);
    const { case: kind, value } = frame.frame;
    if (kind === "hello") this.#credit += value.initialCreditBytes || defaultCreditBytes;
    if (kind === "credit") this.#credit += value.bytes;
    if (kind === "result" || kind === "chunk") {
      const size = (kind === "result" ? value.answer?.data.length : value.data.length) ?? 0;
      this.bytes += size;
      this.#results.set(frame.call, [...(this.#results.get(frame.call) ?? []), frame]);
      if (this.#givesCredit && size > 0) this.send({ frame: { case: "credit", value: { bytes: size } } });
    }
    this.#wake();
  }

  #isWhole(call: bigint): boolean {
    const last = this.#results.get(call)?.at(-1)?.frame;
    if (last?.case === "result") return last.value.answer?.more !== true;
    return last?.case === "chunk" && !last.value.more;
  }

  #wake(): void {
    for (const waiter of [...this.#waiting]) waiter();
  }

  async #woken(ms?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting;
      const timer = ms === undefined ? undefined : setTimeout(done, ms);
      function done(): void {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
    });
  }
}

/** `annex.store.v1.StoreService/Get`. */
export function nameOfMethod(method: {
  readonly parent: { readonly typeName: string };
  readonly name: string;
}): string {
  return `${method.parent.typeName}/${method.name}`;
}

/** A transport whose unary calls go by a session; its streams go as they are. */
export function sessionTransport(session: FrameSession, plain: Transport, interceptors: Interceptor[]): Transport {
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      return await runUnaryCall<typeof method.input, typeof method.output>({
        interceptors,
        ...(signal === undefined ? {} : { signal }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        req: {
          stream: false,
          service: method.parent,
          method,
          requestMethod: "POST",
          url: `session:/${nameOfMethod(method)}`,
          header: new Headers(header),
          contextValues: contextValues as never,
          message: input,
        },
        next: async (req) => ({
          stream: false,
          service: method.parent,
          method,
          header: new Headers(),
          trailer: new Headers(),
          message: await session.call(method, create(method.input, req.message as never), { timeoutMs, signal }),
        }),
      });
    },
    stream: (...call) => plain.stream(...call),
  };
}
