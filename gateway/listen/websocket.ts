/**
 * A WebSocket on a socket that was a request's: the handshake, messages both ways, and its end.
 *
 * States: open; closing (we said close, and wait a moment for the client's); closed. Nothing is read
 * while nobody takes messages, and `send` settles when the socket has taken what is before it: so
 * whoever is slow on either side holds back the other, and no more than a few messages lie here.
 * Source: RFC 6455, sections 4.2 and 7.
 */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { SocketBody, SocketMessage, WebSocketPeer } from "../apimachinery/http.ts";
import { closePayload, FrameFault, FrameReader, opcodes, serverFrameHead } from "./websocket-frames.ts";

/** A message of a client: far above what exec and port-forward clients send at once. */
const maxMessageBytes = 1024 * 1024;
/** How long a client may take to answer our close. */
const closeMs = 2_000;
/** Part of the handshake, by the RFC. */
const handshakeId = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Whether a request asks for a WebSocket that can be given. Anything else is an ordinary request. */
export function asksForWebSocket(request: IncomingMessage): boolean {
  const { method, httpVersion, headers } = request;
  const key = headers["sec-websocket-key"] ?? "";
  return (
    method === "GET" &&
    httpVersion === "1.1" &&
    headers.upgrade?.toLowerCase() === "websocket" &&
    headers["sec-websocket-version"] === "13" &&
    Buffer.from(key, "base64").length === 16
  );
}

/** Gives the subprotocols that a client offers, in its order. */
export function offeredProtocols(request: IncomingMessage): readonly string[] {
  const header = request.headers["sec-websocket-protocol"] ?? "";
  return header
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** Says yes and gives the open WebSocket to the body. `head` is what the client sent behind its request. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  body: SocketBody,
): WebSocketPeer {
  const key = request.headers["sec-websocket-key"] ?? "";
  const accept = createHash("sha1")
    .update(key + handshakeId)
    .digest("base64");
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
    ...(body.protocol === "" ? [] : [`Sec-WebSocket-Protocol: ${body.protocol}`]),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  const peer = createPeer(socket);
  body.open(peer);
  return peer;
}

function createPeer(socket: Duplex): WebSocketPeer {
  const reader = new FrameReader(maxMessageBytes);
  const gone = new AbortController();
  let isClosing = false;
  socket.on("error", () => socket.destroy());
  socket.once("close", () => gone.abort());

  async function write(opcode: number, data: Uint8Array): Promise<void> {
    if (socket.destroyed || socket.writableEnded) return;
    socket.cork();
    socket.write(serverFrameHead(opcode, data.length));
    const isTaken = socket.write(data);
    socket.uncork();
    if (!isTaken) await drained(socket, gone.signal);
  }

  function close(code: number, reason: string): void {
    if (isClosing || socket.destroyed) return;
    isClosing = true;
    void write(opcodes.close, closePayload(code, reason));
    socket.end();
    // What the client still sends is for nobody.
    socket.resume();
    const late = setTimeout(() => socket.destroy(), closeMs);
    socket.once("end", () => socket.destroy());
    socket.once("close", () => clearTimeout(late));
  }

  async function* messages(): AsyncGenerator<SocketMessage> {
    try {
      for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
        for (const frame of reader.read(bytes as Buffer)) {
          if (isClosing) return;
          if (frame.frame === "message") yield frame;
          // Only the last ping needs an answer: a client that doesn't read gets none.
          if (frame.frame === "ping" && !socket.writableNeedDrain) void write(opcodes.pong, frame.data);
          if (frame.frame === "close") {
            close(frame.code, "");
            return;
          }
        }
      }
    } catch (error) {
      if (error instanceof FrameFault) close(error.code, error.message);
      // Any other error is the socket's, and its end.
      else socket.destroy();
    }
    // Gone without a word.
    if (!isClosing) socket.destroy();
  }

  return {
    signal: gone.signal,
    messages,
    send: (data, isText = false) => write(isText ? opcodes.text : opcodes.binary, data),
    close,
  };
}

async function drained(socket: Duplex, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    socket.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}
