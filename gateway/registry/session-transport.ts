/**
 * A Connect transport that makes unary calls by session where the store offers one.
 *
 *        ┌──────── hello ───────┐
 *   opening ── UNIMPLEMENTED ─► plain       (asked again after a while: a newer store may offer it)
 *        ▲                      │
 *        └── back-off ◄── broken ◄── open ── near its age ──► the next one opens, then this one leaves
 *
 * While there is no session, or no room in it, calls are made one RPC at a time. Streams always are, but a store
 * that has a session need not be asked for them in a generic way. A call whose session broke is made once more if a
 * second time does no harm.
 */
import type { DescMessage, DescMethodServerStreaming, DescMethodStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport, type UnaryResponse } from "@connectrpc/connect";
import type { PlainStream } from "./plain-stream.ts";
import { openSession, type Session, SessionBroken } from "./session.ts";
import type { OpenSessionStream } from "./session-stream.ts";
import { repeatable } from "./unreceived.ts";

/** A transport with a life. */
export interface SessionTransport extends Transport {
  /** How many sessions are open: one, or none. */
  sessions(): number;
  /** Ends its session, and opens no other. */
  close(): void;
}

/** What it is made with. */
export interface SessionTransportOptions {
  /** For streams, and for calls while there is no session. */
  readonly plain: Transport;
  readonly open: OpenSessionStream;
  /** For streams of answers without a deadline, while there is a session. */
  readonly stream: PlainStream;
  readonly maxMessageBytes: number;
  /** Between 0 and 1. Default: Math.random. */
  readonly random?: (() => number) | undefined;
}

/** Back-off between two attempts to open a session. */
const minBackoffMs = 50;
const maxBackoffMs = 5_000;
/** A store that doesn't offer sessions is asked again after this long. */
const refusedMs = 60_000;
/** A session is replaced after a part of its age between these: in time, and not all of them at once. */
const replacedFrom = 0.7;
const replacedUntil = 0.9;
/** A store that wants sessions replaced sooner isn't heeded: they would do nothing else. */
const minAgeMs = 1_000;
/** A longer timer fires at once. */
const maxTimerMs = 2 ** 31 - 1;

/** Makes a transport. Its first session opens with its first call. */
export function createSessionTransport({
  plain,
  open,
  stream,
  maxMessageBytes,
  random = Math.random,
}: SessionTransportOptions): SessionTransport {
  const sessions = new Set<Session>();
  let current: Session | undefined;
  /** When the current one is to be replaced, in milliseconds of performance.now(). */
  let replaceAt = 0;
  let replacing: NodeJS.Timeout | undefined;
  let backoffMs = minBackoffMs;
  let nextAttempt: number | undefined = 0;
  let isClosed = false;

  function session(): Session | undefined {
    if (isClosed) return undefined;
    const now = performance.now();
    const isDue = current?.isOpen !== true || now >= replaceAt;
    if (isDue && nextAttempt !== undefined && now >= nextAttempt) {
      nextAttempt = undefined;
      void keepOne();
    }
    return current?.isOpen === true ? current : undefined;
  }

  /** Opens a session in the place of the current one; when it fails, the next attempt waits. */
  async function keepOne(): Promise<void> {
    const opening = openSession({ open, maxMessageBytes });
    sessions.add(opening);
    void opening.ended.then(() => sessions.delete(opening));
    try {
      await opening.opened;
      current?.leave();
      current = opening;
      replaceLater(Math.max(minAgeMs, opening.maxAgeMs));
      backoffMs = minBackoffMs;
      nextAttempt = 0;
    } catch (error) {
      const isRefused = ConnectError.from(error).code === Code.Unimplemented;
      nextAttempt = performance.now() + (isRefused ? refusedMs : backoffMs);
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs);
    }
  }

  /** Not only with the next call: the store may end a session that has its age. */
  function replaceLater(ageMs: number): void {
    const waitMs = ageMs * (replacedFrom + (replacedUntil - replacedFrom) * random());
    replaceAt = performance.now() + waitMs;
    clearTimeout(replacing);
    replacing = setTimeout(session, Math.min(waitMs, maxTimerMs));
    replacing.unref();
  }

  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const open = session();
      if (!open?.hasRoom) return await plain.unary(method, signal, timeoutMs, header, input, contextValues);
      try {
        return new Answer(method, await open.call(method, input, { signal, timeoutMs }));
      } catch (error) {
        if (!(error instanceof SessionBroken && contextValues?.get(repeatable))) throw error;
        return await plain.unary(method, signal, timeoutMs, header, input, contextValues);
      }
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      // Who has opened a session speaks gRPC; a deadline is the generic client's to keep.
      const isPlain = isServerStreaming(method) && (timeoutMs ?? 0) <= 0 && current?.isOpen === true;
      if (isPlain) return await stream(method, signal, input);
      return await plain.stream(method, signal, timeoutMs, header, input, contextValues);
    },
    sessions: () => [...sessions].filter((one) => one.isOpen).length,
    close() {
      isClosed = true;
      clearTimeout(replacing);
      for (const one of sessions) one.end();
    },
  };
}

function isServerStreaming<I extends DescMessage, O extends DescMessage>(
  method: DescMethodStreaming<I, O>,
): method is DescMethodServerStreaming<I, O> {
  return method.methodKind === "server_streaming";
}

/** An answer as Connect's clients take it. Its headers, of which there are none, are made when asked for. */
class Answer<I extends DescMessage, O extends DescMessage> implements UnaryResponse<I, O> {
  readonly stream = false;
  readonly method: DescMethodUnary<I, O>;
  readonly message: UnaryResponse<I, O>["message"];
  constructor(method: DescMethodUnary<I, O>, message: UnaryResponse<I, O>["message"]) {
    this.method = method;
    this.message = message;
  }
  get service() {
    return this.method.parent;
  }
  get header() {
    return new Headers();
  }
  get trailer() {
    return new Headers();
  }
}
