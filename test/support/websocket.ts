/** A WebSocket client for tests: it shows every frame, can stop reading, and can break the rules. */
import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";

/** Where, and with which credentials. */
export interface ConnectOptions {
  /** `https://...`. */
  readonly url: string;
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** A frame of the server. */
export interface ServerFrame {
  readonly opcode: number;
  readonly data: Buffer;
}

/** An open WebSocket. */
export interface TestSocket {
  readonly protocol: string;
  readonly headers: IncomingMessage["headers"];
  readonly socket: Duplex;
  /** Sends one frame, masked unless told otherwise. */
  send(
    opcode: number,
    data: Uint8Array | string,
    flags?: { readonly final?: boolean; readonly masked?: boolean },
  ): boolean;
  /** The next frame; undefined: the connection has ended. */
  next(): Promise<ServerFrame | undefined>;
  /** Every frame to the end. */
  rest(): Promise<ServerFrame[]>;
}

/** What came instead of a WebSocket. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** Connects. */
export async function connectWebSocket(options: ConnectOptions): Promise<TestSocket | Refusal> {
  const { url, protocols = [], headers, ...tls } = options;
  const key = randomBytes(16).toString("base64");
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, {
      ...tls,
      agent: false,
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        ...(protocols.length === 0 ? {} : { "Sec-WebSocket-Protocol": protocols.join(", ") }),
        ...headers,
      },
    });
    outgoing.once("error", reject);
    outgoing.once("response", (reply) => {
      text(reply).then((body) => resolve({ status: reply.statusCode ?? 0, text: body }), reject);
    });
    outgoing.once("upgrade", (reply: IncomingMessage, socket: Duplex, head: Buffer) => {
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      if (reply.headers["sec-websocket-accept"] !== accept) reject(new Error("the server's accept is wrong"));
      else resolve(testSocket(reply, socket, head));
    });
    outgoing.end();
  });
}

/** Connects. @throws Error if it is refused. */
export async function openWebSocket(options: ConnectOptions): Promise<TestSocket> {
  const connected = await connectWebSocket(options);
  if ("status" in connected) throw new Error(`refused with ${connected.status}: ${connected.text}`);
  return connected;
}

function testSocket(reply: IncomingMessage, socket: Duplex, head: Buffer): TestSocket {
  socket.on("error", () => socket.destroy());
  if (head.length > 0) socket.unshift(head);
  const frames = framesOf(socket);
  const next = async () => {
    const result = await frames.next();
    return result.done === true ? undefined : result.value;
  };
  return {
    protocol: reply.headers["sec-websocket-protocol"] ?? "",
    headers: reply.headers,
    socket,
    send: (opcode, data, { final = true, masked = true } = {}) =>
      socket.write(clientFrame(opcode, Buffer.from(data as Uint8Array), final, masked)),
    next,
    async rest() {
      const found: ServerFrame[] = [];
      for (let frame = await next(); frame !== undefined; frame = await next()) found.push(frame);
      return found;
    },
  };
}

function clientFrame(opcode: number, data: Buffer, isFinal: boolean, isMasked: boolean): Buffer {
  const bit = isMasked ? 0x80 : 0;
  const first = (isFinal ? 0x80 : 0) | opcode;
  const mask = isMasked ? randomBytes(4) : Buffer.alloc(0);
  let head: Buffer;
  if (data.length < 126) head = Buffer.from([first, bit | data.length]);
  else if (data.length < 65_536) head = Buffer.from([first, bit | 126, data.length >> 8, data.length & 0xff]);
  else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = bit | 127;
    head.writeBigUInt64BE(BigInt(data.length), 2);
  }
  const payload = isMasked ? data.map((byte, index) => byte ^ (mask[index & 3] as number)) : data;
  return Buffer.concat([head, mask, payload]);
}

async function* framesOf(socket: Duplex): AsyncGenerator<ServerFrame> {
  let pending = Buffer.alloc(0);
  try {
    for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
      pending = Buffer.concat([pending, bytes as Buffer]);
      for (;;) {
        if (pending.length < 2) break;
        const short = (pending[1] as number) & 0x7f;
        const start = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
        if (pending.length < start) break;
        const length =
          short < 126 ? short : short === 126 ? pending.readUInt16BE(2) : Number(pending.readBigUInt64BE(2));
        if (pending.length < start + length) break;
        yield { opcode: (pending[0] as number) & 0x0f, data: Buffer.from(pending.subarray(start, start + length)) };
        pending = pending.subarray(start + length);
      }
    }
  } catch {
    // A connection that is cut ends like any other here.
  }
}
