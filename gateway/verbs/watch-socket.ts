/**
 * A watch over a WebSocket: each event is one message, and nothing that the client sends is heeded.
 *
 * Browsers name the page that asks; who names none gets no WebSocket, as at kube-apiserver.
 * Source: apiserver pkg/endpoints/handlers/watch.go (HandleWS); golang.org/x/net/websocket.
 */
import { type ByteSink, type HttpAnswer, isStreamBody, type WebSocketPeer } from "../apimachinery/http.ts";

/** What a client asks for beside the watch. */
export interface SocketRequest {
  /** The Origin header. */
  readonly origin: string | undefined;
  /** The subprotocol to speak; `""`: none. */
  readonly protocol: string;
}

/** More than this unsent makes a write say that it is to wait. */
const highWaterBytes = 64 * 1024;
const newline = 0x0a;

/** Gives a watch, whose events are a line each, as a WebSocket. */
export function overWebSocket(answer: HttpAnswer, { origin, protocol }: SocketRequest): HttpAnswer {
  const { body } = answer;
  if (!isStreamBody(body)) return answer;
  if (origin === undefined) {
    // Begun, and not to be shown to anybody.
    body.start(closedSink);
    return { status: 403, headers: {}, body: new Uint8Array() };
  }
  return {
    status: 101,
    headers: {},
    body: {
      protocol,
      open(socket) {
        body.start(sinkOf(socket));
        void ignoreMessages(socket);
      },
    },
  };
}

async function ignoreMessages(socket: WebSocketPeer): Promise<void> {
  for await (const _ of socket.messages());
}

/** A sink that sends each line as a message. */
function sinkOf(socket: WebSocketPeer): ByteSink {
  const closers: (() => void)[] = [];
  const drainers: (() => void)[] = [];
  let isClosed = false;
  let queued = 0;
  let rest: Uint8Array = new Uint8Array();
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    for (const closer of closers.splice(0)) closer();
  };
  socket.signal.addEventListener("abort", close, { once: true });

  async function send(line: Uint8Array): Promise<void> {
    queued += line.length;
    await socket.send(line, true);
    queued -= line.length;
    if (queued === 0) for (const drainer of drainers.splice(0)) drainer();
  }

  return {
    write(frames) {
      if (isClosed) return true;
      const all = Buffer.concat([rest, ...frames]);
      let from = 0;
      for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline, from)) {
        void send(all.subarray(from, end + 1));
        from = end + 1;
      }
      rest = all.subarray(from);
      return queued < highWaterBytes;
    },
    get queuedBytes() {
      return queued;
    },
    get closed() {
      return isClosed;
    },
    onDrain(callback) {
      if (queued > 0) drainers.push(callback);
      else setImmediate(callback);
    },
    onClose(callback) {
      if (isClosed) callback();
      else closers.push(callback);
    },
    end() {
      socket.close(1000, "");
      close();
    },
    abort() {
      socket.close(1001, "");
      close();
    },
  };
}

/** Takes nothing, for who is gone already. */
const closedSink: ByteSink = {
  write: () => true,
  queuedBytes: 0,
  closed: true,
  onDrain: (callback) => void setImmediate(callback),
  onClose: (callback) => callback(),
  end: () => {},
  abort: () => {},
};
