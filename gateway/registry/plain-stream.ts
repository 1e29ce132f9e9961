/**
 * Streams of answers straight on HTTP/2, as gRPC writes them: what a watch tells comes with each write.
 *
 * A generic client reads each message from tables, and pipes it through a dozen iterators. Here a chunk is cut into
 * messages, and each is read by code that was made for it.
 * Source: gRPC over HTTP/2.
 */
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from "node:http2";
import type { DescMessage, DescMethodServerStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse } from "@connectrpc/connect";
import { validateResponse, validateTrailer } from "@connectrpc/connect/protocol-grpc";
import type { Http2SessionManager } from "@connectrpc/connect-node";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { createMessageReader, prefixBytes } from "./grpc-messages.ts";

/** What a stream of gRPC is asked for with. */
export const plainHeaders = { "content-type": "application/grpc+proto", te: "trailers" };

/** Calls a method, without a deadline. @throws ConnectError as a transport does. */
export type PlainStream = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  signal: AbortSignal | undefined,
  input: AsyncIterable<MessageInitShape<I>>,
) => Promise<StreamResponse<I, O>>;

/** Makes the function that calls on a connection. `maxBytes`: of one message. */
export function plainStreams(connection: Pick<Http2SessionManager, "request">, maxBytes: number): PlainStream {
  return async (method, signal, input) => {
    const path = `/${method.parent.typeName}/${method.name}`;
    let stream: ClientHttp2Stream | undefined;
    const cancel = () => stream?.close(constants.NGHTTP2_CANCEL);
    const over = () => {
      signal?.removeEventListener("abort", cancel);
      cancel();
    };
    const failure = (error: unknown) =>
      signal?.aborted ? ConnectError.from(signal.reason, Code.Canceled) : ConnectError.from(error, Code.Unavailable);
    async function* messages(open: ClientHttp2Stream, header: Headers) {
      try {
        yield* messagesOf(method.output, open, header, maxBytes);
      } catch (error) {
        throw failure(error);
      } finally {
        over();
      }
    }
    try {
      const request = await requestOf(method.input, input);
      signal?.throwIfAborted();
      signal?.addEventListener("abort", cancel, { once: true });
      stream = await connection.request("POST", path, plainHeaders, {});
      signal?.throwIfAborted();
      stream.end(request);
      const header = await headerOf(stream);
      const message = messages(stream, header);
      return { stream: true, service: method.parent, method, header, trailer: new Headers(), message };
    } catch (error) {
      over();
      throw failure(error);
    }
  };
}

/** Gives the one message of a request as gRPC sends it. */
async function requestOf<I extends DescMessage>(desc: I, input: AsyncIterable<MessageInitShape<I>>): Promise<Buffer> {
  for await (const message of input) {
    const { chunks, length } = encodeMessage(desc, message);
    const prefix = Buffer.alloc(prefixBytes);
    prefix.writeUInt32BE(length, 1);
    return Buffer.concat([prefix, ...chunks], prefixBytes + length);
  }
  throw new ConnectError("the call has no message", Code.InvalidArgument);
}

/** Waits for the response's head. @throws what came instead. */
async function headerOf(stream: ClientHttp2Stream): Promise<Headers> {
  // Whoever waits hears of it in another way.
  stream.on("error", () => {});
  const headers = await new Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>((resolve, reject) => {
    stream.once("response", resolve);
    stream.once("error", reject);
    stream.once("close", () => reject(new ConnectError("the store ended the stream", Code.Unavailable)));
  });
  const header = headersFrom(headers);
  const { headerError } = validateResponse(headers[":status"] ?? 0, header);
  if (headerError !== undefined) throw headerError;
  return header;
}

async function* messagesOf<O extends DescMessage>(
  desc: O,
  stream: ClientHttp2Stream,
  header: Headers,
  maxBytes: number,
): AsyncGenerator<MessageShape<O>, void, undefined> {
  let trailer = new Headers();
  stream.once("trailers", (trailers) => {
    trailer = headersFrom(trailers);
  });
  const whole: Uint8Array[] = [];
  const read = createMessageReader(maxBytes, (message) => whole.push(message));
  for await (const chunk of stream) {
    read(chunk);
    for (const message of whole.splice(0)) yield decodeMessage(desc, message);
  }
  validateTrailer(trailer, header);
}

/** Gives the headers of HTTP/2 as Connect reads them. */
export function headersFrom(headers: IncomingHttpHeaders): Headers {
  const given = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(":") && value !== undefined) given.set(name, String(value));
  }
  return given;
}
