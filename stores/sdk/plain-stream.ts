/**
 * Streams of answers straight on their HTTP/2 stream, as gRPC writes them: what a watch tells is on its way to the
 * gateway with each write.
 *
 * A generic server makes each message anew before it encodes it, and pipes it through a dozen iterators: that is a
 * quarter of what a write costs its store. Here an answer is encoded as it is and written. What asks for more than a
 * plain stream (a deadline, compression, another protocol) goes the generic way.
 * Source: gRPC over HTTP/2.
 */
import { once } from "node:events";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createHandlerContext } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import type { connectNodeAdapter } from "@connectrpc/connect-node";
import { maxMessageBytes } from "./catalog-routes.ts";
import { decodeMessage, type Encoded, encodeMessage } from "./codec.ts";
import { createMessageReader, prefixBytes } from "./grpc-messages.ts";
import type { StreamingMethod } from "./methods.ts";

/** Takes a request off the listener. */
export type Handler = ReturnType<typeof connectNodeAdapter>;
type NodeRequest = Parameters<Handler>[0];

/** What a stream of gRPC begins with. */
export const plainHeaders = { "content-type": "application/grpc+proto" };

/** Whether a request is one of gRPC that asks for no more than a plain stream. */
export function isPlain(request: NodeRequest): request is Http2ServerRequest {
  if (!("stream" in request) || request.method !== "POST") return false;
  const { headers } = request;
  const isProtobuf = /^application\/grpc(\+proto)?$/.test(headers["content-type"] ?? "");
  const encoding = headers["grpc-encoding"] ?? "identity";
  return isProtobuf && encoding === "identity" && headers["grpc-timeout"] === undefined;
}

/** Gives a handler that answers these methods, and leaves every other request to `others`. */
export function streamHandler(methods: ReadonlyMap<string, StreamingMethod>, others: Handler): Handler {
  return (request, response) => {
    const known = methods.get(request.url?.slice(1) ?? "");
    if (known === undefined || !isPlain(request)) others(request, response);
    else void answer(known, request, response as Http2ServerResponse);
  };
}

async function answer(known: StreamingMethod, request: Http2ServerRequest, response: Http2ServerResponse) {
  const { method } = known;
  const gone = new AbortController();
  response.on("close", () => gone.abort(new ConnectError("the caller is gone", Code.Canceled)));
  response.on("error", () => gone.abort(new ConnectError("the caller is gone", Code.Canceled)));
  response.writeHead(200, plainHeaders);
  const context = createHandlerContext({
    ...{
      service: method.parent,
      method,
      requestMethod: "POST",
      protocolName: "grpc",
      url: `http://localhost${request.url}`,
    },
    requestSignal: gone.signal,
  });
  let failure: ConnectError | undefined;
  try {
    const asked = decodeMessage(method.input, await onlyMessage(request));
    const answers = known.answer(asked as never, context) as AsyncIterable<MessageInitShape<typeof method.output>>;
    for await (const one of answers) {
      if (!response.write(framed(encodeMessage(method.output, one))))
        await once(response, "drain", { signal: gone.signal });
    }
  } catch (error) {
    failure = ConnectError.from(error);
  }
  context.abort();
  const trailer = new Headers();
  setTrailerStatus(trailer, failure);
  if (gone.signal.aborted) return;
  response.addTrailers(Object.fromEntries(trailer));
  response.end();
}

/** Reads the message that a request is. @throws ConnectError if there is none, or it is too large. */
function onlyMessage(request: Http2ServerRequest): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const read = createMessageReader(maxMessageBytes, resolve);
    request.on("data", (chunk: Buffer) => {
      try {
        read(chunk);
      } catch (error) {
        reject(error);
        request.removeAllListeners("data").resume();
      }
    });
    for (const event of ["end", "error", "close"])
      request.on(event, () => reject(new ConnectError("the call has no message", Code.InvalidArgument)));
  });
}

/** Gives the message as gRPC sends it. */
function framed({ chunks, length }: Encoded): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, ...chunks], prefixBytes + length);
}
