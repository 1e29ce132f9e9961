/**
 * Stream: a subresource whose connection lasts, from a client's WebSocket to a store's stream.
 *
 * States: asked (the store has not said yes: what it says no with is an HTTP answer), open (frames go
 * both ways, each side held back by the other), ended (by the store's close, by a failure, or by the
 * client, which cancels the store's call).
 * Source: apiserver pkg/endpoints/handlers/rest.go (ConnectResource); k8s.io/streaming.
 */
import type { HttpAnswer, WebSocketPeer } from "../apimachinery/http.ts";
import type { SubresourceDefinition } from "../apimachinery/resource.ts";
import { internalError, StatusError, timeout } from "../apimachinery/status.ts";
import type { StreamInput, StreamOutput } from "../registry/registry.ts";
import { type ConnectBody, connectCall } from "./connect.ts";
import { type Framing, framingOf, type StreamEnd } from "./remote-command.ts";
import { callOf, type VerbRequest, type VerbTools } from "./verb-request.ts";

/** How long a store may take to say yes, as kubelet. */
const acceptMs = 30_000;

/**
 * Opens a stream.
 *
 * @param protocols that the client offers, best first.
 * @throws StatusError what the store refuses it with, 404 without the object, 429 without a seat, 504 if
 *   it says nothing.
 */
export async function stream(
  request: VerbRequest,
  tools: VerbTools,
  subresource: SubresourceDefinition,
  sent: ConnectBody,
  protocols: readonly string[],
): Promise<HttpAnswer> {
  const call = await connectCall(request, tools, subresource, sent);
  const leave = tools.streamSeats.take(request.user);
  request.signal.addEventListener("abort", leave, { once: true });
  if (request.signal.aborted) leave();
  const client = tools.registry.client(request.resource.definition);
  const stop = new AbortController();
  const opened = Promise.withResolvers<{ readonly socket: WebSocketPeer; readonly framing: Framing }>();
  const context = { ...callOf(request), signal: AbortSignal.any([request.signal, stop.signal]) };
  const output = client.stream({ ...call, protocols }, inputOf(opened.promise), context)[Symbol.asyncIterator]();
  const protocol = await accepted(output, stop).catch((error: unknown) => {
    leave();
    throw error;
  });
  const framing = framingOf(protocol);
  return {
    status: 101,
    headers: {},
    body: {
      protocol,
      open(socket) {
        socket.signal.addEventListener("abort", () => stop.abort(), { once: true });
        opened.resolve({ socket, framing });
        void relay(socket, framing, framing.greeting(sent.query), output).finally(leave);
      },
    },
  };
}

async function* inputOf(
  opened: Promise<{ readonly socket: WebSocketPeer; readonly framing: Framing }>,
): AsyncIterable<StreamInput> {
  const { socket, framing } = await opened;
  for await (const message of socket.messages()) yield* framing.read(message);
  yield { frame: "close" };
}

/** Waits for the store's yes. Gives the subprotocol that it speaks. */
async function accepted(output: AsyncIterator<StreamOutput>, stop: AbortController): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timeout("the store did not accept the stream")), acceptMs);
  });
  try {
    const first = await Promise.race([output.next(), late]);
    if (first.done !== true && first.value.frame === "accept") return first.value.protocol;
    throw internalError("the store did not accept the stream");
  } catch (error) {
    stop.abort();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function relay(
  socket: WebSocketPeer,
  framing: Framing,
  greeting: Uint8Array | undefined,
  output: AsyncIterator<StreamOutput>,
): Promise<void> {
  if (greeting !== undefined) await socket.send(greeting);
  const { message, code, reason } = framing.end(await relayed(socket, framing, output));
  if (message !== undefined) await socket.send(message);
  socket.close(code, reason);
}

/** Sends what the store sends, until it ends. */
async function relayed(
  socket: WebSocketPeer,
  framing: Framing,
  output: AsyncIterator<StreamOutput>,
): Promise<StreamEnd> {
  try {
    for (;;) {
      const next = await output.next();
      if (next.done === true) throw internalError("the store ended the stream without a close");
      const frame = next.value;
      if (frame.frame === "close") return frame;
      if (frame.frame === "data" && frame.data.length > 0) await socket.send(framing.write(frame.channel, frame.data));
    }
  } catch (error) {
    if (error instanceof StatusError) return { exitCode: undefined, error: error.status };
    throw error;
  }
}
