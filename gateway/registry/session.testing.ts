/** The other end of a session's stream, in a test's hands. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  OpenRequestSchema,
  OpenResponseSchema,
  type SessionFrame,
  type SessionFrameSchema,
} from "../../gen/annex/store/v1/session_pb.js";
import { createMessageReader } from "./grpc-messages.ts";
import type { OpenSessionStream, SessionListener } from "./session-stream.ts";

/** One stream that was opened. */
export class StreamEnd {
  readonly frames: SessionFrame[] = [];
  isEnded = false;
  isAborted = false;
  readonly #listener: SessionListener;

  constructor(listener: SessionListener) {
    this.#listener = listener;
  }

  /** Sends frames, as the store would. An error of whoever takes them ends the stream. */
  send(...frames: MessageInitShape<typeof SessionFrameSchema>[]): void {
    try {
      this.#listener.message(toBinary(OpenResponseSchema, create(OpenResponseSchema, { frames })));
    } catch (error) {
      this.fail(ConnectError.from(error));
    }
  }

  fail(error: ConnectError): void {
    this.#listener.ended(error);
  }

  /** Frames of a kind that were received. */
  received(kind: SessionFrame["frame"]["case"]): SessionFrame[] {
    return this.frames.filter(({ frame }) => frame.case === kind);
  }
}

/** Makes the function that opens streams, and the list of their other ends. */
export function openedStreams(): { readonly open: OpenSessionStream; readonly ends: StreamEnd[] } {
  const ends: StreamEnd[] = [];
  const open: OpenSessionStream = (listener) => {
    const end = new StreamEnd(listener);
    ends.push(end);
    const read = createMessageReader(2 ** 30, (message) => {
      end.frames.push(...fromBinary(OpenRequestSchema, message).frames);
    });
    return {
      write(batch, done) {
        read(batch);
        done();
      },
      end() {
        end.isEnded = true;
      },
      abort() {
        end.isAborted = true;
      },
    };
  };
  return { open, ends };
}

/** Lets everything that is due be sent. */
export async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
