/** Mutants whose calls by session mean something else than RPCs. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import {
  type OpenRequest,
  type OpenResponse,
  OpenResponseSchema,
  type SessionFrame,
  SessionService,
} from "../../../gen/annex/store/v1/session_pb.js";
import { StoreService, UpdateRequestSchema } from "../../../gen/annex/store/v1/store_pb.js";
import { nameOfMethod } from "../session.ts";
import { honestStore } from "./honest.ts";
import { type Mutant, onceIn } from "./mutant.ts";

/** What a mutant does to the frames of one session; each is given batches as they come. */
interface FrameChange {
  readonly requests?: (frames: readonly SessionFrame[]) => readonly SessionFrame[];
  readonly answers?: (frames: readonly SessionFrame[]) => readonly SessionFrame[];
}

const spoilt =
  (makeChange: () => FrameChange): Interceptor =>
  (next) =>
  async (req) => {
    if (!req.stream || req.service.typeName !== SessionService.typeName) return await next(req);
    const { requests, answers } = makeChange();
    async function* asked(messages: AsyncIterable<OpenRequest>) {
      for await (const message of messages)
        yield { ...message, frames: [...(requests?.(message.frames) ?? message.frames)] };
    }
    async function* told(messages: AsyncIterable<OpenResponse>) {
      for await (const message of messages) {
        // The SDK writes its frames as raw fields.
        const read = fromBinary(OpenResponseSchema, toBinary(OpenResponseSchema, message));
        yield answers === undefined ? read : { ...read, frames: [...answers(read.frames)] };
      }
    }
    const response = await next({ ...req, message: asked(req.message as AsyncIterable<OpenRequest>) } as typeof req);
    if (!response.stream) return response;
    return { ...response, message: told(response.message as AsyncIterable<OpenResponse>) };
  };

function mutant(name: string, does: string, breaks: readonly string[], makeChange: () => FrameChange): Mutant {
  const seen = "contract: whatever a call means as an RPC, it means by session";
  return {
    name,
    does,
    seen,
    breaks,
    make: () => [{ store: honestStore(), interceptors: [spoilt(makeChange)] }],
  };
}

const update = nameOfMethod(StoreService.method.update);
const resultOf = ({ frame }: SessionFrame) => (frame.case === "result" ? frame.value : undefined);

export const sessionMutants: readonly Mutant[] = [
  mutant(
    "swapped-answers",
    "gives two calls each other's answers, in one batch of three",
    ["session.many", "session.cancelled", "session.parts"],
    () => {
      const isOff = onceIn(3);
      return {
        answers(frames) {
          const whole = frames.filter((frame) => resultOf(frame)?.code === 0 && !resultOf(frame)?.answer?.more);
          const [first, second] = whole;
          if (first === undefined || second === undefined || !isOff()) return frames;
          return frames.map((frame) => {
            if (frame === first) return { ...frame, call: second.call };
            return frame === second ? { ...frame, call: first.call } : frame;
          });
        },
      };
    },
  ),
  mutant("bare-errors", "leaves the detail of an error out", ["session.same-errors", "session.codes"], () => ({
    answers: (frames) =>
      frames.map((frame) => {
        const result = resultOf(frame);
        if (result === undefined || result.code === 0) return frame;
        return { ...frame, frame: { case: "result", value: { ...result, detail: new Uint8Array() } } };
      }),
  })),
  mutant("unbounded-answers", "sends all that it has, whatever it is allowed", ["session.credit"], () => ({
    requests: (frames) =>
      frames.map((frame) =>
        frame.frame.case === "hello"
          ? { ...frame, frame: { case: "hello", value: { ...frame.frame.value, initialCreditBytes: 1 << 30 } } }
          : frame,
      ),
  })),
  mutant("boundless-calls", "begins more calls at once than it says that it allows", ["session.max-calls"], () => ({
    answers: (frames) =>
      frames.map((frame) =>
        frame.frame.case === "hello"
          ? { ...frame, frame: { case: "hello", value: { ...frame.frame.value, maxCalls: 16 } } }
          : frame,
      ),
  })),
  mutant(
    "one-request-at-a-time",
    "begins no call before the request that is coming is whole",
    ["session.any-order", "session.cancelled"],
    () => {
      let coming: bigint | undefined;
      const waiting: SessionFrame[] = [];
      return {
        requests(frames) {
          const taken: SessionFrame[] = [];
          for (const frame of [...waiting.splice(0), ...frames]) {
            const { call, frame: one } = frame;
            const isOther = coming !== undefined && call !== coming && one.case === "request";
            if (isOther) {
              waiting.push(frame);
              continue;
            }
            taken.push(frame);
            const more =
              one.case === "request" ? one.value.message?.more : one.case === "chunk" ? one.value.more : false;
            if (one.case === "request" || one.case === "chunk") coming = more ? call : undefined;
            if (one.case === "cancel" && call === coming) coming = undefined;
          }
          return taken;
        },
      };
    },
  ),
  mutant("endless-calls", "knows no deadline of a call", ["session.deadline"], () => ({
    requests: (frames) =>
      frames.map((frame) =>
        frame.frame.case === "request"
          ? { ...frame, frame: { case: "request", value: { ...frame.frame.value, timeoutMs: 0 } } }
          : frame,
      ),
  })),
  mutant("fatal-cancel", "ends the session with a call that is cancelled", ["session.cancelled"], () => ({
    requests(frames) {
      if (frames.some(({ frame }) => frame.case === "cancel")) throw new ConnectError("cancelled", Code.Canceled);
      return frames;
    },
  })),
  mutant(
    "credit-of-the-living",
    "allows no bytes anew for calls that nobody waits for",
    ["session.cancelled", "session.parts"],
    () => {
      const cancelled = new Set<bigint>();
      let kept = 0;
      return {
        requests(frames) {
          for (const { call, frame } of frames) if (frame.case === "cancel") cancelled.add(call);
          return frames;
        },
        answers(frames) {
          return frames.filter(({ frame }) => {
            if (frame.case !== "credit") return true;
            kept += cancelled.size;
            return kept === 0;
          });
        },
      };
    },
  ),
  mutant("mute-pings", "answers no ping", ["session.ping"], () => ({
    answers: (frames) => frames.filter(({ frame }) => frame.case !== "ping"),
  })),
  mutant("session-without-uids", "updates by session whatever uid is required", ["session.updates"], () => ({
    requests: (frames) =>
      frames.map((frame) => {
        const request = frame.frame.case === "request" ? frame.frame.value : undefined;
        if (request?.message === undefined || request.method !== update || request.message.more) return frame;
        const asked = fromBinary(UpdateRequestSchema, request.message.data);
        if (asked.preconditions !== undefined) delete asked.preconditions.uid;
        const message = { ...request.message, data: toBinary(UpdateRequestSchema, asked) };
        return { ...frame, frame: { case: "request", value: { ...request, message } } };
      }),
  })),
];
