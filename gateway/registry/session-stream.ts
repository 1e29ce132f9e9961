/**
 * The stream of a session, straight on HTTP/2 as gRPC writes it.
 *
 * A generic client's pipe of async iterators costs more than all the calls of a batch together: here
 * a batch is one write, and a message that arrives one function call.
 * Source: gRPC over HTTP/2; proto/annex/store/v1/session.proto.
 */
import { type ClientHttp2Stream, constants } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { validateResponse, validateTrailer } from "@connectrpc/connect/protocol-grpc";
import type { Http2SessionManager } from "@connectrpc/connect-node";
import { SessionService } from "../../gen/annex/store/v1/session_pb.js";
import { createMessageReader } from "./grpc-messages.ts";
import { headersFrom, plainHeaders } from "./plain-stream.ts";
import type { SessionWire } from "./session-outbox.ts";

/** What is heard from the other side. */
export interface SessionListener {
  /** A whole OpenResponse. */
  message(bytes: Uint8Array): void;
  /** The stream is over, once. `error`: why. */
  ended(error: ConnectError): void;
}

/** An open stream. */
export interface SessionStream extends SessionWire {
  /** Ends both sides now; `ended` isn't told. */
  abort(): void;
}

/** Opens a stream, which may take a while or fail. */
export type OpenSessionStream = (listener: SessionListener) => SessionStream;

const path = `/${SessionService.typeName}/${SessionService.method.open.name}`;

/** Makes the function that opens streams on a connection. `maxBytes`: of one message of a stream. */
export function sessionStreams(connection: Pick<Http2SessionManager, "request">, maxBytes: number): OpenSessionStream {
  return (listener) => {
    let isOver = false;
    let stream: ClientHttp2Stream | undefined;
    const end = (error: unknown) => {
      if (isOver) return;
      isOver = true;
      stream?.close(constants.NGHTTP2_CANCEL);
      listener.ended(ConnectError.from(error, Code.Unavailable));
    };
    const take = (bytes: Uint8Array) => {
      if (!isOver) listener.message(bytes);
    };
    const opened = connection.request("POST", path, plainHeaders, {}).then((made) => {
      if (isOver) made.close(constants.NGHTTP2_CANCEL);
      stream = made;
      attach(made, take, maxBytes, end);
      return made;
    });
    opened.catch(end);
    const whenOpen = (work: (open: ClientHttp2Stream) => void) => {
      if (stream !== undefined) work(stream);
      else opened.then(work, () => {});
    };
    return {
      write: (batch, done) => whenOpen((open) => open.write(batch, () => done())),
      end: () => whenOpen((open) => open.end()),
      abort() {
        isOver = true;
        stream?.close(constants.NGHTTP2_CANCEL);
      },
    };
  };
}

function attach(
  stream: ClientHttp2Stream,
  message: (bytes: Uint8Array) => void,
  maxBytes: number,
  end: (error: unknown) => void,
): void {
  const read = createMessageReader(maxBytes, message);
  const orEnd = (work: () => void) => {
    try {
      work();
    } catch (error) {
      end(error);
    }
  };
  let header = new Headers();
  stream.on("response", (headers) =>
    orEnd(() => {
      header = headersFrom(headers);
      const { headerError } = validateResponse(headers[":status"] ?? 0, header);
      if (headerError !== undefined) throw headerError;
    }),
  );
  stream.on("data", (chunk: Buffer) => orEnd(() => read(chunk)));
  stream.on("trailers", (trailers) => orEnd(() => validateTrailer(headersFrom(trailers), header)));
  stream.on("error", end);
  stream.on("close", () => end(new ConnectError("the store ended the session", Code.Unavailable)));
}
