/**
 * One session with a store, from the caller's side: calls in flight, each with a deadline and a way
 * to be cancelled, answered in any order.
 *
 * States: opening (until the store's hello), open, leaving (no new calls, those in flight finish),
 * ended. What ends it: the stream, a ping without an answer, `end`. Ending fails every call in
 * flight as UNAVAILABLE at once; what they asked for may or may not have had its effect.
 * Source: proto/annex/store/v1/session.proto.
 */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import {
  OpenResponseSchema,
  type SessionFrame,
  SessionRequestSchema,
  type SessionResult,
} from "../../gen/annex/store/v1/session_pb.js";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { Deadlines } from "./deadlines.ts";
import { Gathered } from "./gathered.ts";
import { InFlight } from "./in-flight.ts";
import { SessionOutbox, writeVarint } from "./session-outbox.ts";
import type { OpenSessionStream } from "./session-stream.ts";

/** A call that was in flight when its session broke: whether it had its effect isn't known. */
export class SessionBroken extends ConnectError {
  // Its base takes every ConnectError for one of any subclass.
  static override [Symbol.hasInstance](value: unknown): boolean {
    return Object.prototype.isPrototypeOf.call(SessionBroken.prototype, value as object);
  }
  constructor(cause: unknown) {
    super("the session with the store broke", Code.Unavailable, undefined, undefined, cause);
  }
}

/** A session. */
export interface Session {
  /** Whether new calls may begin. */
  readonly isOpen: boolean;
  /** Whether one more is within what the store takes, and what may wait here. */
  readonly hasRoom: boolean;
  /** After which the store wants it replaced, counted from its hello; Infinity: never, or it isn't open yet. */
  readonly maxAgeMs: number;
  /** Resolves at the store's hello. @throws what ended it before. */
  readonly opened: Promise<void>;
  /** Resolves when it ended, however. */
  readonly ended: Promise<void>;
  /**
   * Makes a call.
   * @param timeoutMs undefined: no deadline.
   * @throws ConnectError as the RPC of the same name; SessionBroken.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    message: MessageInitShape<I>,
    options: { readonly signal: AbortSignal | undefined; readonly timeoutMs: number | undefined },
  ): Promise<MessageShape<O>>;
  /** Begins no more calls, and ends when those in flight are done. */
  leave(): void;
  /** Ends it now. */
  end(): void;
}

/** What a session is made with. */
export interface SessionOptions {
  readonly open: OpenSessionStream;
  /** Largest answer in bytes: the bound against a broken store. */
  readonly maxMessageBytes: number;
}

/** What the store may send before it hears more, and calls that it may answer: the contract's own numbers. */
const creditBytes = 1024 * 1024;
const defaultMaxCalls = 1_024;
/** However many more a store would take: all that are cancelled at once stay below `maxWaitingFrames`. */
const mostCalls = 8_192;
/** A store that says nothing for this long is asked, and one that doesn't answer is taken for dead. */
const pingEveryMs = 15_000;
const pingTimeoutMs = 5_000;

/** Bytes of requests that wait to be sent: beyond, calls are made one RPC at a time. */
const maxWaitingBytes = 64 * 1024 * 1024;

/** Frames without a message that wait because the store reads nothing: it asks, by pings, for what it doesn't take. */
const maxWaitingFrames = 10_000;

interface PendingCall {
  readonly method: DescMethodUnary;
  /** In milliseconds of performance.now(); Infinity: none. */
  readonly endsAt: number;
  /** Undefined: no part of the answer has come. */
  answer: Gathered | undefined;
  readonly settle: (outcome: { message: Message } | { error: ConnectError }) => void;
}

/** Opens a session. */
export function openSession(options: SessionOptions): Session {
  const stream = options.open({ message: read, ended: finish });
  const outbox = new SessionOutbox(creditBytes, stream);
  const calls = new InFlight<PendingCall>();
  const deadlines = new Deadlines(expire);
  let state: "opening" | "open" | "leaving" | "ended" = "opening";
  let maxCalls = defaultMaxCalls;
  let maxAgeMs = Number.POSITIVE_INFINITY;
  let lastCall = 0;
  /** Bytes that the store may still send, and those that it is yet to be told of. */
  let allowed = creditBytes;
  let consumed = 0;
  let heardAt = performance.now();
  let askedAt: number | undefined;
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  // Whoever opens it may only look at `ended`.
  opened.promise.catch(() => {});

  outbox.send(0, {
    case: "hello",
    value: { $typeName: "annex.store.v1.SessionHello", initialCreditBytes: creditBytes, maxCalls: 0, maxAgeMs: 0 },
  });
  const pulse = setInterval(watchPulse, pingTimeoutMs);
  pulse.unref();

  function read(bytes: Uint8Array): void {
    heardAt = performance.now();
    askedAt = undefined;
    for (const frame of decodeMessage(OpenResponseSchema, bytes).frames) {
      take(frame);
      if (outbox.waitingFrames > maxWaitingFrames)
        throw new ConnectError("the store reads nothing", Code.ResourceExhausted);
    }
    if (consumed <= creditBytes / 4) return;
    outbox.send(0, { case: "credit", value: { $typeName: "annex.store.v1.SessionCredit", bytes: consumed } });
    allowed += consumed;
    consumed = 0;
  }

  /** Counts bytes of messages against the credit that the store has. */
  function consume(bytes: number): void {
    allowed -= bytes;
    consumed += bytes;
    if (allowed < 0) throw new ConnectError("the store sends more than its credit", Code.ResourceExhausted);
  }

  function take({ call, frame }: SessionFrame): void {
    const id = Number(call);
    switch (frame.case) {
      case "hello":
        outbox.addCredit((frame.value.initialCreditBytes || creditBytes) - creditBytes);
        maxCalls = Math.min(frame.value.maxCalls || defaultMaxCalls, mostCalls);
        maxAgeMs = frame.value.maxAgeMs || Number.POSITIVE_INFINITY;
        if (state === "opening") state = "open";
        opened.resolve();
        return;
      case "result":
        return takeResult(id, frame.value);
      case "chunk":
        consume(frame.value.data.length);
        return takePart(id, frame.value.data, frame.value.more);
      case "credit":
        return outbox.addCredit(frame.value.bytes);
      case "ping": {
        const { number, isAnswer } = frame.value;
        if (isAnswer) return;
        return outbox.send(0, {
          case: "ping",
          value: { $typeName: "annex.store.v1.SessionPing", number, isAnswer: true },
        });
      }
      case "goAway":
        return leave();
      default:
        throw new ConnectError(`a store sends no ${frame.case ?? "empty"} frame`, Code.DataLoss);
    }
  }

  function takeResult(id: number, result: SessionResult): void {
    const { data, more } = result.answer ?? noAnswer;
    consume(data.length);
    if (result.code === 0) return takePart(id, data, more);
    const error = new ConnectError(result.message, result.code as Code);
    if (result.detail.length > 0) error.details.push({ type: ErrorDetailSchema.typeName, value: result.detail });
    settle(id, { error });
  }

  function takePart(id: number, data: Uint8Array, more: boolean): void {
    // One that was cancelled: its answer was on its way.
    const call = calls.get(id);
    if (call === undefined) return;
    if (data.length + (call.answer?.length ?? 0) > options.maxMessageBytes) {
      return settle(id, { error: new ConnectError("the answer is too large", Code.ResourceExhausted) });
    }
    if (more) call.answer ??= new Gathered();
    call.answer?.add(data);
    if (more) return;
    const bytes = call.answer?.whole() ?? data;
    try {
      settle(id, { message: decodeMessage(call.method.output, bytes) });
    } catch (error) {
      settle(id, { error: new ConnectError("the answer can't be read", Code.DataLoss, undefined, undefined, error) });
    }
  }

  function settle(id: number, outcome: Parameters<PendingCall["settle"]>[0]): void {
    const call = calls.get(id);
    if (call === undefined) return;
    calls.delete(id);
    call.settle(outcome);
    if (state === "leaving" && calls.size === 0) outbox.end();
  }

  function cancel(id: number, error: ConnectError): void {
    if (calls.get(id) === undefined) return;
    if (!outbox.drop(id)) outbox.send(id, { case: "cancel", value: { $typeName: "annex.store.v1.SessionCancel" } });
    settle(id, { error });
  }

  /** Ends the calls whose deadline is over. @returns the earliest of the others. */
  function expire(now: number): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const [id, { endsAt }] of calls.all()) {
      if (endsAt <= now) cancel(id, new ConnectError("the deadline is over", Code.DeadlineExceeded));
      else if (endsAt < earliest) earliest = endsAt;
    }
    return earliest;
  }

  function watchPulse(): void {
    const now = performance.now();
    // After this turn, so that an answer that came while this process was held up is read first.
    if (askedAt !== undefined && now - askedAt >= pingTimeoutMs) setImmediate(giveUp);
    if (askedAt !== undefined || now - heardAt < pingEveryMs) return;
    askedAt = now;
    outbox.send(0, {
      case: "ping",
      value: { $typeName: "annex.store.v1.SessionPing", number: BigInt(Math.round(now)), isAnswer: false },
    });
  }

  function giveUp(): void {
    if (askedAt === undefined || state === "ended") return;
    stream.abort();
    finish(new ConnectError("the store answers no ping", Code.Unavailable));
  }

  function leave(): void {
    if (state === "ended") return;
    state = "leaving";
    if (calls.size === 0) outbox.end();
  }

  function finish(cause: unknown): void {
    if (state === "ended") return;
    state = "ended";
    clearInterval(pulse);
    deadlines.close();
    outbox.end();
    opened.reject(cause);
    for (const [id] of calls.all()) settle(id, { error: new SessionBroken(cause) });
    ended.resolve();
  }

  return {
    get isOpen() {
      return state === "open";
    },
    get hasRoom() {
      return calls.size < maxCalls && outbox.waitingBytes < maxWaitingBytes;
    },
    get maxAgeMs() {
      return maxAgeMs;
    },
    opened: opened.promise,
    ended: ended.promise,
    call(method, message, { signal, timeoutMs }) {
      if (state !== "open") return Promise.reject(new SessionBroken(undefined));
      if (signal?.aborted) return Promise.reject(gone());
      return new Promise((resolve, reject) => {
        const encoded = encodeMessage(method.input, message);
        const id = ++lastCall;
        const onAbort = () => cancel(id, gone());
        signal?.addEventListener("abort", onAbort, { once: true });
        const settleCall: PendingCall["settle"] = (outcome) => {
          signal?.removeEventListener("abort", onAbort);
          if ("error" in outcome) reject(outcome.error);
          else resolve(outcome.message as MessageShape<typeof method.output>);
        };
        const endsAt = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
        calls.add(id, { method, endsAt, answer: undefined, settle: settleCall });
        deadlines.add(endsAt);
        outbox.sendMessage(id, encoded, { field: 3, head: requestHead(method, timeoutMs) });
      });
    },
    leave,
    end() {
      stream.abort();
      finish(new ConnectError("the session was ended", Code.Canceled));
    },
  };
}

function gone(): ConnectError {
  return new ConnectError("the caller went away", Code.Canceled);
}

const noAnswer = { data: new Uint8Array(), more: false };

/** Encoded `method` of each method that was called: a handful. */
const methodFields = new Map<DescMethodUnary, Uint8Array>();

/** Gives the fields that a call begins with, before its message. */
function requestHead(method: DescMethodUnary, timeoutMs: number | undefined): Uint8Array {
  let head = methodFields.get(method);
  if (head === undefined) {
    const name = `${method.parent.typeName}/${method.name}`;
    head = toBinary(SessionRequestSchema, create(SessionRequestSchema, { method: name }));
    methodFields.set(method, head);
  }
  if (timeoutMs === undefined) return head;
  const out = Buffer.allocUnsafe(head.length + timeoutBytes);
  out.set(head);
  out[head.length] = timeoutTag;
  const wholeMs = Math.min(Math.max(1, Math.ceil(timeoutMs)), maxTimeoutMs);
  return out.subarray(0, writeVarint(out, head.length + 1, wholeMs));
}

/** `timeout_ms`: field 2, a varint of at most 32 bits. */
const timeoutTag = 2 << 3;
const timeoutBytes = 1 + 5;
const maxTimeoutMs = 2 ** 32 - 1;
