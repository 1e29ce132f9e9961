/**
 * SessionService: the store's unary calls as frames on one long stream.
 *
 * A call by session runs the very function that the RPC of the same name runs, so it can't mean
 * anything else. A session lives until the caller ends it or it breaks. When the store stops it asks
 * the caller to go away: the caller knows what it has on the way, so the end is its to make.
 * Source: proto/annex/store/v1/session.proto.
 */
import { create, type DescMethodUnary, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import {
  type OpenRequest,
  OpenResponseSchema,
  type SessionFrame,
  type SessionRequest,
  SessionResultSchema,
  SessionService,
} from "../../gen/annex/store/v1/session_pb.js";
import { maxMessageBytes } from "./catalog-routes.ts";
import type { ServingState } from "./serving-state.ts";
import { sessionContext } from "./session-context.ts";
import { type FirstFrame, SessionOutbox } from "./session-outbox.ts";

/** A unary method and what answers it. */
export interface UnaryMethod {
  readonly method: DescMethodUnary;
  readonly answer: (request: never, context: HandlerContext) => unknown;
}

/** What a caller may send before it hears more: the contract's own numbers. */
const creditBytes = 1024 * 1024;
const maxCalls = 1_024;
/** Bytes of requests that are not whole yet, of one session: a few of the largest. */
const maxPendingBytes = 4 * maxMessageBytes;

/** One call, from its request's first part until its result. */
interface Call {
  readonly request: SessionRequest;
  parts: Uint8Array[];
  bytes: number;
  readonly context: ReturnType<typeof sessionContext>;
}

/**
 * Registers SessionService over what other routes register.
 * @param routes functions that register the services whose unary methods a session carries.
 */
export function sessionRoutes(
  routes: readonly ((router: ConnectRouter) => void)[],
  state: ServingState,
): (router: ConnectRouter) => void {
  const methods = unaryMethods(routes);
  return (router) => {
    router.service(SessionService, {
      async *open(requests) {
        const session = createSession(methods, state);
        void session.read(requests);
        try {
          for await (const raw of session.outbox) yield { ...emptyResponse, $unknown: raw };
        } finally {
          session.close();
        }
        if (session.failure !== undefined) throw session.failure;
      },
    });
  };
}

/** Gives each unary method that the routes register, by `package.Service/Method`. */
function unaryMethods(routes: readonly ((router: ConnectRouter) => void)[]): ReadonlyMap<string, UnaryMethod> {
  const methods = new Map<string, UnaryMethod>();
  const recorder = {
    handlers: [],
    rpc: () => recorder,
    service(service: { methods: readonly DescMethodUnary[] }, implementation: Record<string, UnaryMethod["answer"]>) {
      for (const method of service.methods) {
        const answer = implementation[method.localName];
        if (method.methodKind !== "unary" || answer === undefined) continue;
        methods.set(`${method.parent.typeName}/${method.name}`, { method, answer: answer.bind(implementation) });
      }
      return recorder;
    },
  };
  for (const route of routes) route(recorder as unknown as ConnectRouter);
  return methods;
}

function createSession(methods: ReadonlyMap<string, UnaryMethod>, state: ServingState) {
  const outbox = new SessionOutbox(creditBytes);
  const calls = new Map<number, Call>();
  let pendingBytes = 0;
  let consumed = 0;
  let isLeaving = false;
  let failure: ConnectError | undefined;

  outbox.send(0, hello());
  state.stopping.addEventListener("abort", leave, { once: true });
  if (state.stopping.aborted) leave();

  function leave(): void {
    isLeaving = true;
    outbox.send(0, {
      case: "goAway",
      value: { $typeName: "annex.store.v1.SessionGoAway", reason: "the store stops" },
    });
  }

  function fail(message: string): never {
    throw new ConnectError(message, Code.InvalidArgument);
  }

  async function read(requests: AsyncIterable<OpenRequest>): Promise<void> {
    try {
      let isFirst = true;
      for await (const { frames } of requests) {
        for (const frame of frames) {
          if (isFirst && frame.frame.case !== "hello") fail("the first frame of a session is hello");
          isFirst = false;
          take(frame);
        }
        if (consumed > creditBytes / 4) {
          outbox.send(0, { case: "credit", value: { $typeName: "annex.store.v1.SessionCredit", bytes: consumed } });
          consumed = 0;
        }
      }
    } catch (error) {
      failure = ConnectError.from(error);
    }
    // The caller ended it, or broke the rules: nobody waits for what is in flight.
    close();
    outbox.end();
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
        const call = calls.get(id);
        // One that was cancelled or refused: its chunks were on their way.
        if (call !== undefined) return gather(id, call, frame.value.data, frame.value.more);
        consumed += frame.value.data.length;
        return;
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
        isLeaving = true;
        return;
      default:
        fail(`a caller sends no ${frame.case ?? "empty"} frame`);
    }
  }

  function begin(id: number, request: SessionRequest): void {
    if (id === 0 || calls.has(id)) fail(`the call ${id} can't begin`);
    const known = methods.get(request.method);
    if (known === undefined) return refuse(id, request, `${request.method} is not offered`, Code.Unimplemented);
    if (isLeaving) return refuse(id, request, "the session ends", Code.Unavailable);
    if (calls.size >= maxCalls) return refuse(id, request, "too many calls in flight", Code.ResourceExhausted);
    const call = { request, parts: [], bytes: 0, context: sessionContext(known.method, request) };
    calls.set(id, call);
    if (request.message?.more) call.context.signal.addEventListener("abort", () => expire(id, call), { once: true });
    gather(id, call, request.message?.data ?? new Uint8Array(), request.message?.more ?? false);
  }

  /** Takes a part of a request; its last one runs the call. */
  function gather(id: number, call: Call, data: Uint8Array, more: boolean): void {
    consumed += data.length;
    call.bytes += data.length;
    pendingBytes += data.length;
    if (call.bytes > maxMessageBytes || pendingBytes > maxPendingBytes) {
      forget(id, call);
      return sendError(id, new ConnectError("the message is too large", Code.ResourceExhausted));
    }
    call.parts.push(data);
    if (more) return;
    const bytes = call.parts.length === 1 ? data : Buffer.concat(call.parts);
    pendingBytes -= call.bytes;
    call.parts = [];
    call.bytes = 0;
    void run(id, call, bytes);
  }

  /** Answers a call whose deadline has come before its request was whole: nobody will send the rest. */
  function expire(id: number, call: Call): void {
    if (calls.get(id) !== call || call.parts.length === 0) return;
    forget(id, call);
    sendError(id, new ConnectError("the deadline is over", Code.DeadlineExceeded));
  }

  async function run(id: number, call: Call, bytes: Uint8Array): Promise<void> {
    const { method, answer } = methods.get(call.request.method) as UnaryMethod;
    try {
      const given = await answer(fromBinary(method.input, bytes) as never, call.context);
      if (calls.get(id) !== call) return;
      const encoded = toBinary(method.output, create(method.output, given as never));
      outbox.sendMessage(id, encoded, answerFrame);
    } catch (error) {
      if (calls.get(id) !== call) return;
      sendError(id, ConnectError.from(error, Code.Internal));
    } finally {
      if (calls.get(id) === call) forget(id, call);
    }
  }

  function refuse(id: number, request: SessionRequest, message: string, code: Code): void {
    consumed += request.message?.data.length ?? 0;
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
    pendingBytes -= call.bytes;
    call.bytes = 0;
    call.context.finish();
  }

  function close(): void {
    state.stopping.removeEventListener("abort", leave);
    for (const [id, call] of [...calls]) {
      forget(id, call);
      call.context.abort(new ConnectError("the session ended", Code.Canceled));
    }
  }

  return {
    outbox,
    read,
    close,
    get failure() {
      return failure;
    },
  };
}

function hello(): { case: "hello"; value: SessionHelloValue } {
  return {
    case: "hello",
    value: {
      $typeName: "annex.store.v1.SessionHello",
      initialCreditBytes: creditBytes,
      maxCalls,
      maxAgeMs: 0,
    },
  };
}

type SessionHelloValue = Extract<SessionFrame["frame"], { case: "hello" }>["value"];

/** The frame that an answer begins with: nothing but the answer. */
const answerFrame: FirstFrame = { field: 5, head: new Uint8Array(), chunkField: 4 };
const emptyResponse = create(OpenResponseSchema);
