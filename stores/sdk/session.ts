/**
 * One session, from the store's side: its unary calls as frames on one long stream.
 *
 * A call by session runs the very function that the RPC of the same name runs, so it can't mean
 * anything else. A session lives until the caller ends it or it breaks. When the store stops, or the
 * session is old, it asks the caller to go away: the caller knows what it has on the way, so the end is
 * its to make, and what comes until then is answered.
 * Source: proto/annex/store/v1/session.proto.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import { type SessionFrame, type SessionRequest, SessionResultSchema } from "../../gen/annex/store/v1/session_pb.js";
import { maxMessageBytes } from "./catalog-routes.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { Deadlines } from "./deadlines.ts";
import { Gathered } from "./gathered.ts";
import { InFlight } from "./in-flight.ts";
import { methodsOf, type UnaryMethod } from "./methods.ts";
import type { ServingState } from "./serving-state.ts";
import { SessionContext } from "./session-context.ts";
import { type FirstFrame, SessionOutbox } from "./session-outbox.ts";

/** What a caller may send before it hears more: the contract's own number. */
const creditBytes = 1024 * 1024;
/**
 * Many: a small call in flight holds 5 KB on both sides, the RPC in its place 40 KB and twenty times the work. All
 * refused at once stay below `maxWaitingFrames`.
 */
const maxCalls = 8_192;
/**
 * Far below the age at which a gateway renews its connections: what replaces sessions happens every day, and
 * costs a stream.
 */
const defaultMaxAgeMs = 5 * 60_000;
/** Bytes of one session's requests that are not whole yet, or of its answers that can't leave: a few of the largest. */
const maxPendingBytes = 4 * maxMessageBytes;

/** Frames without a message that wait because the caller reads nothing: answers to pings, refusals. */
const maxWaitingFrames = 10_000;

/** One call, from its request's first part until its result. */
interface Call {
  readonly known: UnaryMethod;
  readonly context: SessionContext;
  /** Undefined: there are no parts that wait for others. */
  request: Gathered | undefined;
  /** Whether its request is whole. */
  isRunning: boolean;
}

/** Where a session's answers go. */
export interface AnswerWire {
  /** Sends a gRPC message as it is; `done`: the next one may come. */
  write(batch: Buffer, done: () => void): void;
  /** Ends the sending side, once. `failure`: the caller broke the rules. */
  end(failure: ConnectError | undefined): void;
}

/** A session that is being served. */
export interface ServedSession {
  /** Takes frames in order. A fault in them ends the session. */
  receive(frames: readonly SessionFrame[]): void;
  /** Ends it: nobody waits for what is in flight. `failure`: why, if it isn't the caller's wish. */
  close(failure?: ConnectError): void;
}

/** Begins a session. */
export type SessionServer = (wire: AnswerWire) => ServedSession;

/**
 * Makes the server of a store's sessions.
 * @param routes functions that register the services whose unary methods a session carries.
 * @param maxAgeMs of a session; the caller is told, and asked to go away when it has stayed so long.
 */
export function createSessionServer(
  routes: readonly ((router: ConnectRouter) => void)[],
  state: ServingState,
  maxAgeMs = defaultMaxAgeMs,
): SessionServer {
  const methods = methodsOf("unary", routes);
  return (wire) => serveSession(methods, state, maxAgeMs, wire);
}

function serveSession(
  methods: ReadonlyMap<string, UnaryMethod>,
  state: ServingState,
  maxAgeMs: number,
  wire: AnswerWire,
): ServedSession {
  const outbox = new SessionOutbox(creditBytes, {
    write: (batch, done) => wire.write(batch, done),
    end: () => wire.end(failure),
  });
  const calls = new InFlight<Call>();
  const deadlines = new Deadlines(expire);
  let pendingBytes = 0;
  /** Bytes that the caller may still send, and those that it is yet to be told of. */
  let allowed = creditBytes;
  let consumed = 0;
  let isBegun = false;
  let isClosed = false;
  let failure: ConnectError | undefined;

  outbox.send(0, hello(maxAgeMs));
  const onStop = () => sendAway("the store stops");
  state.stopping.addEventListener("abort", onStop, { once: true });
  if (state.stopping.aborted) onStop();
  const aged = setTimeout(sendAway, maxAgeMs, "the session is old");
  aged.unref();

  function sendAway(reason: string): void {
    outbox.send(0, { case: "goAway", value: { $typeName: "annex.store.v1.SessionGoAway", reason } });
  }

  function fail(message: string, code = Code.InvalidArgument): never {
    throw new ConnectError(message, code);
  }

  function receive(frames: readonly SessionFrame[]): void {
    if (isClosed) return;
    try {
      for (const frame of frames) {
        if (!isBegun && frame.frame.case !== "hello") fail("the first frame of a session is hello");
        isBegun = true;
        take(frame);
        if (outbox.waitingFrames > maxWaitingFrames) fail("the caller reads nothing", Code.ResourceExhausted);
      }
      if (consumed <= creditBytes / 4) return;
      outbox.send(0, { case: "credit", value: { $typeName: "annex.store.v1.SessionCredit", bytes: consumed } });
      allowed += consumed;
      consumed = 0;
    } catch (error) {
      close(ConnectError.from(error));
    }
  }

  /** Counts bytes of messages against the credit that the caller has. */
  function consume(bytes: number): void {
    allowed -= bytes;
    consumed += bytes;
    if (allowed < 0) fail("the caller sends more than its credit", Code.ResourceExhausted);
  }

  function take({ call, frame }: SessionFrame): void {
    const id = Number(call);
    switch (frame.case) {
      case "hello":
        // What it allows beyond the contract's numbers.
        outbox.addCredit((frame.value.initialCreditBytes || creditBytes) - creditBytes);
        return;
      case "request":
        return begin(id, frame.value);
      case "chunk": {
        consume(frame.value.data.length);
        const call = calls.get(id);
        // One that was cancelled or refused: its chunks were on their way.
        if (call === undefined) return;
        if (call.isRunning) fail(`the message of call ${id} was whole`);
        return gather(id, call, frame.value.data, frame.value.more);
      }
      case "cancel": {
        const call = calls.get(id);
        if (call === undefined) return;
        outbox.drop(id);
        forget(id, call);
        return call.context.abort(new ConnectError("the caller cancelled", Code.Canceled));
      }
      case "credit":
        return outbox.addCredit(frame.value.bytes);
      case "ping":
        if (!frame.value.isAnswer) {
          const { number } = frame.value;
          outbox.send(0, { case: "ping", value: { $typeName: "annex.store.v1.SessionPing", number, isAnswer: true } });
        }
        return;
      case "goAway":
        return;
      default:
        fail(`a caller sends no ${frame.case ?? "empty"} frame`);
    }
  }

  function begin(id: number, request: SessionRequest): void {
    const { data, more } = request.message ?? noMessage;
    consume(data.length);
    if (id === 0 || calls.get(id) !== undefined) fail(`the call ${id} can't begin`);
    const known = methods.get(request.method);
    if (known === undefined) return refuse(id, `${request.method} is not offered`, Code.Unimplemented);
    if (calls.size >= maxCalls) return refuse(id, "too many calls in flight", Code.ResourceExhausted);
    if (outbox.waitingBytes > maxPendingBytes) return refuse(id, "too many answers wait", Code.ResourceExhausted);
    const call = { known, context: new SessionContext(known.method, request), request: undefined, isRunning: false };
    calls.add(id, call);
    deadlines.add(call.context.endsAt);
    gather(id, call, data, more);
  }

  /** Takes a part of a request; its last one runs the call. */
  function gather(id: number, call: Call, data: Uint8Array, more: boolean): void {
    if (!more && call.request === undefined) {
      void run(id, call, data);
      return;
    }
    call.request ??= new Gathered();
    pendingBytes += data.length;
    const isTooLarge = call.request.length + data.length > maxMessageBytes;
    if (isTooLarge || pendingBytes > maxPendingBytes) {
      pendingBytes -= data.length;
      forget(id, call);
      return refuse(id, isTooLarge ? "the message is too large" : "too many requests wait", Code.ResourceExhausted);
    }
    call.request.add(data);
    if (more) return;
    const bytes = call.request.whole();
    drop(call);
    void run(id, call, bytes);
  }

  async function run(id: number, call: Call, bytes: Uint8Array): Promise<void> {
    const { method, answer } = call.known;
    call.isRunning = true;
    try {
      const given = await answer(decodeMessage(method.input, bytes) as never, call.context);
      if (calls.get(id) !== call) return;
      const encoded = encodeMessage(method.output, given as never);
      outbox.sendMessage(id, encoded, answerFrame);
    } catch (error) {
      if (calls.get(id) !== call) return;
      sendError(id, ConnectError.from(error, Code.Internal));
    } finally {
      if (calls.get(id) === call) forget(id, call);
    }
  }

  function refuse(id: number, message: string, code: Code): void {
    sendError(id, new ConnectError(message, code));
  }

  function sendError(id: number, error: ConnectError): void {
    const detail = error.findDetails(ErrorDetailSchema)[0];
    const bytes = detail === undefined ? new Uint8Array() : toBinary(ErrorDetailSchema, detail);
    const value = create(SessionResultSchema, { code: error.code, message: error.rawMessage, detail: bytes });
    outbox.send(id, { case: "result", value });
  }

  function forget(id: number, call: Call): void {
    calls.delete(id);
    drop(call);
  }

  /** Keeps no parts of a request any more. */
  function drop(call: Call): void {
    pendingBytes -= call.request?.length ?? 0;
    call.request = undefined;
  }

  /** Ends the calls whose deadline is over. @returns the earliest of the others. */
  function expire(now: number): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const [id, call] of calls.all()) {
      if (call.context.endsAt > now) {
        earliest = Math.min(earliest, call.context.endsAt);
        continue;
      }
      const error = new ConnectError("the deadline is over", Code.DeadlineExceeded);
      call.context.abort(error);
      // Nobody will send the rest of its request.
      if (call.isRunning) continue;
      sendError(id, error);
      forget(id, call);
    }
    return earliest;
  }

  function close(cause?: ConnectError): void {
    if (isClosed) return;
    isClosed = true;
    failure = cause;
    state.stopping.removeEventListener("abort", onStop);
    clearTimeout(aged);
    deadlines.close();
    for (const [id, call] of calls.all()) {
      forget(id, call);
      call.context.abort(new ConnectError("the session ended", Code.Canceled));
    }
    outbox.end();
  }

  return { receive, close };
}

function hello(maxAgeMs: number): { case: "hello"; value: SessionHelloValue } {
  return {
    case: "hello",
    value: {
      $typeName: "annex.store.v1.SessionHello",
      initialCreditBytes: creditBytes,
      maxCalls,
      maxAgeMs,
    },
  };
}

type SessionHelloValue = Extract<SessionFrame["frame"], { case: "hello" }>["value"];

/** The frame that an answer begins with: nothing but the answer. */
const answerFrame: FirstFrame = { field: 5, head: new Uint8Array() };
const noMessage = { data: new Uint8Array(), more: false };
