/**
 * The frames of a WebSocket, as a server reads and writes them.
 *
 *     FIN RSV opcode | MASK length | (16 or 64 bits of length) | (masking key) | payload
 *
 * A client's frames are masked, a server's are not. Fragments are joined; control frames may come
 * between them. No extension is ever agreed on.
 * Source: RFC 6455, sections 5 and 7.4.
 */

/** What a client sent: a whole message, or a control frame. */
export type ClientFrame =
  | { readonly frame: "message"; readonly data: Buffer; readonly isText: boolean }
  | { readonly frame: "ping" | "pong"; readonly data: Buffer }
  | { readonly frame: "close"; readonly code: number };

/** A frame that may not be: the connection ends with this code. */
export class FrameFault extends Error {
  override readonly name = "FrameFault";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** What the first byte says the frame is. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** A close frame without a code means this. It is never sent. */
const noCode = 1005;
const maxControlBytes = 125;

/** Reads frames out of bytes as they come. `maxBytes` bounds a message, whatever its fragments. */
export class FrameReader {
  readonly #maxBytes: number;
  #pending: Buffer = Buffer.alloc(0);
  #fragments: Buffer[] = [];
  #fragmentBytes = 0;
  #isText = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Gives the frames that these bytes complete. @throws FrameFault */
  *read(bytes: Buffer): Generator<ClientFrame> {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (next !== "fragment") yield next;
    }
  }

  #next(): ClientFrame | "fragment" | undefined {
    const head = headOf(this.#pending);
    if (head === undefined) return undefined;
    this.#assertFits(head);
    const end = head.start + head.length;
    if (this.#pending.length < end) return undefined;
    const data = unmasked(this.#pending.subarray(head.start, end), head.mask);
    this.#pending = this.#pending.subarray(end);
    switch (head.opcode) {
      case opcodes.ping:
        return { frame: "ping", data };
      case opcodes.pong:
        return { frame: "pong", data };
      case opcodes.close:
        return { frame: "close", code: codeOf(data) };
      default:
        return this.#take(head, data);
    }
  }

  #assertFits({ opcode, isFinal, length }: Head): void {
    if (opcode >= opcodes.close) {
      if (!isFinal || length > maxControlBytes) throw new FrameFault(1002, "a control frame is fragmented or too long");
      return;
    }
    const isBegun = this.#fragments.length > 0;
    if ((opcode === opcodes.continuation) !== isBegun) throw new FrameFault(1002, "fragments are out of order");
    if (this.#fragmentBytes + length > this.#maxBytes) {
      throw new FrameFault(1009, `a message is longer than ${this.#maxBytes} bytes`);
    }
  }

  #take({ opcode, isFinal }: Head, data: Buffer): ClientFrame | "fragment" {
    if (opcode !== opcodes.continuation) this.#isText = opcode === opcodes.text;
    this.#fragments.push(data);
    this.#fragmentBytes += data.length;
    if (!isFinal) return "fragment";
    const whole = this.#fragments.length === 1 ? data : Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.#fragmentBytes = 0;
    if (this.#isText) assertUtf8(whole);
    return { frame: "message", data: whole, isText: this.#isText };
  }
}

interface Head {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly mask: Buffer;
  readonly start: number;
  readonly length: number;
}

function headOf(bytes: Buffer): Head | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) throw new FrameFault(1002, "a reserved bit is set");
  if (!(Object.values(opcodes) as number[]).includes(opcode)) throw new FrameFault(1002, "the opcode is unknown");
  if ((second & 0x80) === 0) throw new FrameFault(1002, "a client's frame is not masked");
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if (bytes.length < start) return undefined;
  const length =
    lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return { opcode, isFinal: (first & 0x80) !== 0, mask: bytes.subarray(start - 4, start), start, length };
}

function unmasked(masked: Buffer, mask: Buffer): Buffer {
  const data = Buffer.allocUnsafe(masked.length);
  for (let index = 0; index < masked.length; index++) {
    data[index] = (masked[index] as number) ^ (mask[index & 3] as number);
  }
  return data;
}

function codeOf(data: Buffer): number {
  if (data.length === 0) return noCode;
  if (data.length === 1) throw new FrameFault(1002, "a close frame has half a code");
  const code = data.readUInt16BE(0);
  const isKnown = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code < 5000);
  if (!isKnown) throw new FrameFault(1002, `nobody may send the close code ${code}`);
  assertUtf8(data.subarray(2));
  return code;
}

function assertUtf8(data: Buffer): void {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    throw new FrameFault(1007, "a text is no UTF-8");
  }
}

/** Gives the head of a whole frame of a server; the payload follows as it is. */
export function serverFrameHead(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.from([0x80 | opcode, length]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** Gives the payload of a close frame. A reason that is too long is cut. */
export function closePayload(code: number, reason: string): Buffer {
  if (code === noCode) return Buffer.alloc(0);
  let text = Buffer.from(reason);
  // Cut in front of a character, not in it.
  if (text.length > maxControlBytes - 2) {
    let end = maxControlBytes - 2;
    while (((text[end] as number) & 0xc0) === 0x80) end--;
    text = text.subarray(0, end);
  }
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code, 0);
  text.copy(payload, 2);
  return payload;
}
