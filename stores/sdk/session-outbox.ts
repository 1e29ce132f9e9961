/**
 * What one side of a session has to send: control frames, and messages in parts of bounded size.
 *
 *   first parts ──┐
 *                 ├─► one batch a turn of the event loop ──► the stream
 *   later parts ──┘   (one part of one message, in rounds)
 *
 * The rule that always holds: a large message delays a small one by at most one part. Bytes of
 * messages leave only as far as the other side's credit goes; what the outbox holds is bounded by
 * the calls in flight, each of which has at most one message here.
 *
 * Frames that carry messages are encoded here, by the contract's field numbers: each is one small
 * buffer, where a generic encoder makes a dozen objects. They leave as the raw fields that
 * protobuf-es keeps of what it doesn't know.
 * The gateway has the same on its side: the two share nothing but the contract.
 * Source: proto/annex/store/v1/session.proto.
 */
import { create, toBinary, type UnknownField } from "@bufbuild/protobuf";
import { type SessionFrame, SessionFrameSchema } from "../../gen/annex/store/v1/session_pb.js";

/** Largest part of a message, in bytes: what a small call may have to wait for. */
export const partBytes = 64 * 1024;
/** First parts that leave in one batch, in bytes: one message of the stream stays far below any limit. */
const batchBytes = 256 * 1024;

/** A frame without a message. */
export type ControlFrame = Exclude<SessionFrame["frame"], { case: undefined }>;

/** The first frame of a message: the number of its field, what it says before the message, and where that goes. */
export interface FirstFrame {
  /** `request` or `result`, as SessionFrame numbers them. */
  readonly field: 3 | 5;
  /** Encoded fields of the request or the result. */
  readonly head: Uint8Array;
  /** The field of its SessionChunk. */
  readonly chunkField: 4;
}

/** A message on its way. `sent` bytes of it have left. */
interface Outgoing {
  readonly call: number;
  readonly bytes: Uint8Array;
  readonly first: FirstFrame;
  sent: number;
}

const chunkFrame = 4;

/** Gathers frames; whoever iterates over it sends them, each batch as the raw frames of one message. */
export class SessionOutbox implements AsyncIterable<UnknownField[]> {
  #control: UnknownField[] = [];
  readonly #first: Outgoing[] = [];
  readonly #later: Outgoing[] = [];
  #credit: number;
  #ended = false;
  #wake: (() => void) | undefined;

  /** @param credit bytes that the other side takes before it says more. */
  constructor(credit: number) {
    this.#credit = credit;
  }

  /** Allows more bytes. */
  addCredit(bytes: number): void {
    this.#credit += bytes;
    this.#awake();
  }

  /** Sends a frame without a message; it overtakes messages. `call` 0: about the session. */
  send(call: number, frame: ControlFrame): void {
    const bytes = toBinary(SessionFrameSchema, create(SessionFrameSchema, { call: BigInt(call), frame }));
    const out = Buffer.allocUnsafe(varintLength(bytes.length) + bytes.length);
    out.set(bytes, writeVarint(out, 0, bytes.length));
    this.#control.push(rawFrame(out));
    this.#awake();
  }

  /** Sends a message. */
  sendMessage(call: number, bytes: Uint8Array, first: FirstFrame): void {
    this.#first.push({ call, bytes, first, sent: 0 });
    this.#awake();
  }

  /** Forgets what was not sent of a call's message. @returns whether none of it was. */
  drop(call: number): boolean {
    const isOf = (outgoing: Outgoing) => outgoing.call === call;
    const later = this.#later.findIndex(isOf);
    if (later >= 0) this.#later.splice(later, 1);
    const first = this.#first.findIndex(isOf);
    if (first >= 0) this.#first.splice(first, 1);
    return first >= 0;
  }

  /** Sends what is there and can be sent, then ends the stream. */
  end(): void {
    this.#ended = true;
    this.#awake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<UnknownField[], void, undefined> {
    for (;;) {
      const batch = this.#batch();
      if (batch.length > 0) yield batch;
      else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Wakes the sender after everything else of this turn: what arrives in one turn leaves as one write. */
  #awake(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    setImmediate(wake);
  }

  #batch(): UnknownField[] {
    const frames = this.#control;
    this.#control = [];
    let bytes = 0;
    let taken = 0;
    // An empty message needs no credit.
    for (; taken < this.#first.length && bytes < batchBytes; taken++) {
      const outgoing = this.#first[taken] as Outgoing;
      if (this.#credit <= 0 && outgoing.bytes.length > 0) break;
      bytes += this.#push(frames, outgoing);
    }
    this.#first.splice(0, taken);
    const later = this.#credit > 0 ? this.#later.shift() : undefined;
    if (later !== undefined) this.#push(frames, later);
    return frames;
  }

  /** Puts the next part of a message into a batch. @returns its bytes. */
  #push(frames: UnknownField[], outgoing: Outgoing): number {
    const { call, bytes, first, sent } = outgoing;
    const end = Math.min(sent + partBytes, sent + this.#credit, bytes.length);
    const part = end - sent === bytes.length ? bytes : bytes.subarray(sent, end);
    frames.push(rawFrame(messageFrame(call, sent === 0 ? first : undefined, part, end < bytes.length)));
    outgoing.sent = end;
    this.#credit -= end - sent;
    if (end < bytes.length) this.#later.push(outgoing);
    return end - sent;
  }
}

/** A SessionFrame as the field `frames` of OpenRequest and OpenResponse. */
function rawFrame(data: Uint8Array): UnknownField {
  return { no: 1, wireType: 2, data };
}

/** Encodes a frame with a part of a message, behind its own length. `first` undefined: a later part. */
function messageFrame(call: number, first: FirstFrame | undefined, part: Uint8Array, more: boolean): Buffer {
  const chunkLength = (part.length === 0 ? 0 : 1 + varintLength(part.length) + part.length) + (more ? 2 : 0);
  const inner = first === undefined ? 0 : first.head.length + 1 + varintLength(chunkLength);
  const bodyLength = inner + chunkLength;
  const frameLength = 1 + varintLength(call) + 1 + varintLength(bodyLength) + bodyLength;
  const out = Buffer.allocUnsafe(varintLength(frameLength) + frameLength);
  let at = writeVarint(out, 0, frameLength);
  out[at++] = tag(1, 0);
  at = writeVarint(out, at, call);
  out[at++] = tag(first?.field ?? chunkFrame, 2);
  at = writeVarint(out, at, bodyLength);
  if (first !== undefined) {
    out.set(first.head, at);
    at += first.head.length;
    out[at++] = tag(first.chunkField, 2);
    at = writeVarint(out, at, chunkLength);
  }
  if (part.length > 0) {
    out[at++] = tag(1, 2);
    at = writeVarint(out, at, part.length);
    out.set(part, at);
    at += part.length;
  }
  if (more) {
    out[at++] = tag(2, 0);
    out[at++] = 1;
  }
  return out;
}

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** Bytes of a whole number below 2^53 as a varint. */
function varintLength(value: number): number {
  let length = 1;
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) length++;
  return length;
}

/** Writes a varint. @returns the position after it. */
function writeVarint(out: Buffer, at: number, value: number): number {
  let position = at;
  let left = value;
  while (left >= 0x80) {
    out[position++] = (left % 0x80) | 0x80;
    left = Math.floor(left / 0x80);
  }
  out[position++] = left;
  return position;
}
