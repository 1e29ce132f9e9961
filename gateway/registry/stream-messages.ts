/** The frames of a stream as the contract's messages, and back. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { StreamClose, StreamRequestSchema, StreamResponse } from "../../gen/annex/store/v1/action_pb.js";
import { ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import type { StreamInput, StreamOutput } from "./store-call.ts";

export type StreamRequestInit = MessageInitShape<typeof StreamRequestSchema>;

/** A frame for the store. */
export function streamRequest(input: StreamInput): StreamRequestInit {
  switch (input.frame) {
    case "data": {
      const { channel, data, end } = input;
      return { frame: { case: "data", value: { channel, data, end } } };
    }
    case "resize":
      return { frame: { case: "resize", value: { width: input.width, height: input.height } } };
    case "close":
      return { frame: { case: "close", value: {} } };
  }
}

/** A frame of the store; undefined: one of a later minor. `failure` makes a Status of an error. */
export function streamOutput(
  { frame }: StreamResponse,
  failure: (error: ConnectError) => Extract<StreamOutput, { frame: "close" }>["error"],
): StreamOutput | undefined {
  switch (frame.case) {
    case "accept":
      return { frame: "accept", protocol: frame.value.subprotocol };
    case "data": {
      const { channel, data, end } = frame.value;
      return { frame: "data", channel, data, end };
    }
    case "close": {
      const error = errorOf(frame.value);
      return { frame: "close", exitCode: frame.value.exitCode, error: error && failure(error) };
    }
    default:
      return undefined;
  }
}

function errorOf({ error, errorCode }: StreamClose): ConnectError | undefined {
  if (error === undefined && errorCode === 0) return undefined;
  const details = error === undefined ? [] : [{ desc: ErrorDetailSchema, value: error }];
  return new ConnectError(error?.message ?? "", errorCode === 0 ? Code.Internal : errorCode, undefined, details);
}
