/**
 * A session straight on its HTTP/2 stream, as gRPC writes it.
 *
 * A generic server's pipe of async iterators costs more than all the calls of a batch together: here
 * a batch is one write, and a message that arrives one function call. What asks for more than a plain
 * stream (a deadline, compression, another protocol) goes the generic way, over session-routes.ts.
 * Source: gRPC over HTTP/2; proto/annex/store/v1/session.proto.
 */
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { OpenRequestSchema, SessionService } from "../../gen/annex/store/v1/session_pb.js";
import { maxMessageBytes } from "./catalog-routes.ts";
import { decodeMessage } from "./codec.ts";
import { createMessageReader } from "./grpc-messages.ts";
import { type Handler, isPlain, plainHeaders } from "./plain-stream.ts";
import type { SessionServer } from "./session.ts";

const path = `/${SessionService.typeName}/${SessionService.method.open.name}`;

/** Gives a handler that serves sessions, and leaves every other request to `others`. */
export function sessionHandler(serve: SessionServer, others: Handler): Handler {
  return (request, response) => {
    if (request.url === path && isPlain(request)) carry(serve, request, response as Http2ServerResponse);
    else others(request, response);
  };
}

function carry(serve: SessionServer, request: Http2ServerRequest, response: Http2ServerResponse): void {
  response.writeHead(200, plainHeaders);
  const session = serve({
    write: (batch, done) => response.write(batch, () => done()),
    end(failure) {
      const { code = 0, rawMessage = "" } = failure ?? {};
      response.addTrailers({ "grpc-status": String(code), "grpc-message": encodeURIComponent(rawMessage) });
      response.end();
    },
  });
  const read = createMessageReader(maxMessageBytes, (message) => session.receive(framesFrom(message)));
  request.on("data", (chunk: Buffer) => {
    try {
      read(chunk);
    } catch (error) {
      session.close(ConnectError.from(error));
      request.removeAllListeners("data").resume();
    }
  });
  request.on("end", () => session.close());
  // Whatever ends the stream, its requests end with it.
  request.on("error", () => session.close());
  request.on("close", () => session.close());
  response.on("error", () => session.close());
}

function framesFrom(message: Uint8Array) {
  try {
    return decodeMessage(OpenRequestSchema, message).frames;
  } catch (error) {
    throw new ConnectError("a frame can't be read", Code.InvalidArgument, undefined, undefined, error);
  }
}
