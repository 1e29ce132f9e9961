/**
 * What one side of a session has to send: control frames, and messages in parts of bounded size.
 *
 *   first parts ──┐
 *                 ├─► one batch a turn of the event loop ──► one write
 *   later parts ──┘   (one part of one message, in rounds)
 *
 * The rule that always holds: a large message delays a small one by at most one part. Bytes of
 * messages leave only as far as the other side's credit goes; one write is under way at a time, and
 * what comes meanwhile is the next batch.
 *
 * A batch is one buffer: a gRPC message with its frames, encoded by the contract's field numbers. A
 * generic encoder makes a dozen objects a frame, and copies each message three times.
 * The gateway has the same on its side: the two share nothing but the contract.
 * Source: proto/annex/store/v1/session.proto; gRPC over HTTP/2, "Length-Prefixed-Message".
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { OpenResponseSchema, type SessionFrame, SessionFrameSchema } from "../../gen/annex/store/v1/session_pb.js";
import type { Encoded } from "./codec.ts";
import { prefixBytes } from "./grpc-messages.ts";

/** Largest part of a message, in bytes: what a small call may have to wait for. */
export const partBytes = 64 * 1024;
/** The same in company: with HTTP/2's window of 64 KB, a batch of many small messages leaves at once with it. */
const partBytesBeside = 16 * 1024;
/** First parts that leave in one batch, in bytes: one message of the stream stays far below any limit. */
const batchBytes = 256 * 1024;

/** A frame without a message. */
export type ControlFrame = Exclude<SessionFrame["frame"], { case: undefined }>;

/** What a message begins with, and where it goes. */
export interface FirstFrame {
  /** `request` or `result`, as SessionFrame numbers them; both have the message as field 4. */
  readonly field: 3 | 5;
  /** Encoded fields of the request or the result. */
  readonly head: Uint8Array;
}

/** Where batches go. */
export interface SessionWire {
  /** Sends a gRPC message as it is; `done`: the next one may come. */
  write(batch: Buffer, done: () => void): void;
  /** Ends the sending side, once. */
  end(): void;
}

/** A message on its way. `sent` bytes of it have left. */
interface Outgoing {
  readonly call: number;
  readonly message: Encoded;
  readonly first: FirstFrame;
  sent: number;
}

/** A part that leaves now: up to, not including, byte `end`. */
interface Part {
  readonly outgoing: Outgoing;
  readonly end: number;
}

const chunkFrame = 4;
/** Most that a frame adds to its part and its head: five tags, four lengths below 2^32, a call's number, `more`. */
const frameBytes = 5 + 4 * 5 + 8 + 2;

/** Gathers frames, and sends them by batches. */
export class SessionOutbox {
  #control: Uint8Array[] = [];
  readonly #first: Outgoing[] = [];
  readonly #later: Outgoing[] = [];
  readonly #wire: SessionWire;
  #credit: number;
  #waitingBytes = 0;
  #state: "idle" | "due" | "writing" | "ended" = "idle";
  #isLast = false;

  /** @param credit bytes that the other side takes before it says more. */
  constructor(credit: number, wire: SessionWire) {
    this.#credit = credit;
    this.#wire = wire;
  }

  /** Bytes of messages that have not left. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Frames without a message that have not left: each answers something of the other side's. */
  get waitingFrames(): number {
    return this.#control.length;
  }

  /** Allows more bytes. */
  addCredit(bytes: number): void {
    this.#credit += bytes;
    this.#awake();
  }

  /** Sends a frame without a message; it overtakes messages. `call` 0: about the session. */
  send(call: number, frame: ControlFrame): void {
    const frames = [create(SessionFrameSchema, { call: BigInt(call), frame })];
    this.#control.push(toBinary(OpenResponseSchema, create(OpenResponseSchema, { frames })));
    this.#awake();
  }

  /** Sends a message. */
  sendMessage(call: number, message: Encoded, first: FirstFrame): void {
    this.#first.push({ call, message, first, sent: 0 });
    this.#waitingBytes += message.length;
    this.#awake();
  }

  /** Forgets what was not sent of a call's message. @returns whether none of it was. */
  drop(call: number): boolean {
    return this.#dropFrom(this.#first, call) || (this.#dropFrom(this.#later, call) && false);
  }

  /** Sends what is there and can be sent, then ends the stream. */
  end(): void {
    this.#isLast = true;
    this.#awake();
  }

  #dropFrom(queue: Outgoing[], call: number): boolean {
    const index = queue.findIndex((outgoing) => outgoing.call === call);
    if (index < 0) return false;
    const [{ message, sent }] = queue.splice(index, 1) as [Outgoing];
    this.#waitingBytes -= message.length - sent;
    return true;
  }

  /** Sends after everything else of this turn: what arrives in one turn leaves as one write. */
  #awake(): void {
    if (this.#state !== "idle") return;
    this.#state = "due";
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    const batch = this.#batch();
    if (batch !== undefined) {
      this.#state = "writing";
      this.#wire.write(batch, this.#flush);
    } else if (this.#isLast) {
      this.#state = "ended";
      this.#wire.end();
    } else {
      this.#state = "idle";
    }
  };

  /** Gives the next batch; undefined: there is nothing that can be sent. */
  #batch(): Buffer | undefined {
    const control = this.#control;
    const parts = this.#parts();
    if (control.length === 0 && parts.length === 0) return undefined;
    this.#control = [];
    let room = prefixBytes;
    for (const frame of control) room += frame.length;
    for (const { outgoing, end } of parts) {
      room += frameBytes + end - outgoing.sent + (outgoing.sent === 0 ? outgoing.first.head.length : 0);
    }
    const out = Buffer.allocUnsafe(room);
    let at = prefixBytes;
    for (const frame of control) {
      out.set(frame, at);
      at += frame.length;
    }
    for (const part of parts) at = this.#write(out, at, part);
    out[0] = 0;
    out.writeUInt32BE(at - prefixBytes, 1);
    return out.subarray(0, at);
  }

  /** Takes what may leave: first parts of messages, and the next part of one that has begun. */
  #parts(): Part[] {
    const parts: Part[] = [];
    const take = (outgoing: Outgoing, maxBytes: number): number => {
      const end = Math.min(outgoing.sent + maxBytes, outgoing.sent + this.#credit, outgoing.message.length);
      parts.push({ outgoing, end });
      this.#credit -= end - outgoing.sent;
      this.#waitingBytes -= end - outgoing.sent;
      return end - outgoing.sent;
    };
    let bytes = 0;
    let taken = 0;
    // An empty message needs no credit.
    for (; taken < this.#first.length && bytes < batchBytes; taken++) {
      const outgoing = this.#first[taken] as Outgoing;
      if (this.#credit <= 0 && outgoing.message.length > 0) break;
      bytes += take(outgoing, partBytes);
    }
    this.#first.splice(0, taken);
    const begun = this.#credit > 0 ? this.#later.shift() : undefined;
    if (begun !== undefined) take(begun, parts.length === 0 ? partBytes : partBytesBeside);
    return parts;
  }

  /** Writes the frame of a part. @returns the position after it. */
  #write(out: Buffer, from: number, { outgoing, end }: Part): number {
    const { call, message, first, sent } = outgoing;
    const length = end - sent;
    const more = end < message.length;
    const chunkLength = (length === 0 ? 0 : 1 + varintLength(length) + length) + (more ? 2 : 0);
    const isFirst = sent === 0;
    const bodyLength = (isFirst ? first.head.length + 1 + varintLength(chunkLength) : 0) + chunkLength;
    let at = from;
    out[at++] = tag(1, 2);
    at = writeVarint(out, at, 1 + varintLength(call) + 1 + varintLength(bodyLength) + bodyLength);
    out[at++] = tag(1, 0);
    at = writeVarint(out, at, call);
    out[at++] = tag(isFirst ? first.field : chunkFrame, 2);
    at = writeVarint(out, at, bodyLength);
    if (isFirst) {
      out.set(first.head, at);
      at += first.head.length;
      out[at++] = tag(4, 2);
      at = writeVarint(out, at, chunkLength);
    }
    if (length > 0) {
      out[at++] = tag(1, 2);
      at = writeVarint(out, at, length);
      at = copyPart(out, at, message, sent, end);
    }
    if (more) {
      out[at++] = tag(2, 0);
      out[at++] = 1;
      this.#later.push(outgoing);
    }
    outgoing.sent = end;
    return at;
  }
}

/** Copies the bytes of a message from one position up to, not including, another. @returns the position after them. */
function copyPart(out: Buffer, to: number, { chunks }: Encoded, from: number, end: number): number {
  let at = to;
  let chunkAt = 0;
  for (const chunk of chunks) {
    const first = Math.max(0, from - chunkAt);
    const last = Math.min(chunk.length, end - chunkAt);
    chunkAt += chunk.length;
    if (first >= last) continue;
    out.set(last - first === chunk.length ? chunk : chunk.subarray(first, last), at);
    at += last - first;
  }
  return at;
}

/** A field's number and wire type, below 2^32. */
export function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** Bytes of a whole number below 2^53 as a varint. */
export function varintLength(value: number): number {
  let length = 1;
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) length++;
  return length;
}

/** Writes a whole number below 2^53 as a varint. @returns the position after it. */
export function writeVarint(out: Buffer, at: number, value: number): number {
  let position = at;
  let left = value;
  while (left >= 0x80) {
    out[position++] = (left % 0x80) | 0x80;
    left = Math.floor(left / 0x80);
  }
  out[position++] = left;
  return position;
}
