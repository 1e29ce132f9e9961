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
 * The gateway has the same on its side: the two share nothing but the contract.
 * Source: proto/annex/store/v1/session.proto.
 */
import { create } from "@bufbuild/protobuf";
import { type SessionChunk, type SessionFrame, SessionFrameSchema } from "../../gen/annex/store/v1/session_pb.js";

/** Largest part of a message, in bytes: what a small call may have to wait for. */
export const partBytes = 64 * 1024;
/** First parts that leave in one batch, in bytes: one message of the stream stays far below any limit. */
const batchBytes = 256 * 1024;

/** A frame's content, made by whoever knows what it is about. */
export type FrameInit = Exclude<SessionFrame["frame"], { case: undefined }>;

/** A message on its way. `sent` bytes of it have left. */
interface Outgoing {
  readonly call: bigint;
  readonly bytes: Uint8Array;
  readonly first: (part: SessionChunk | undefined) => FrameInit;
  sent: number;
}

/** Gathers frames; whoever iterates over it sends them. */
export class SessionOutbox implements AsyncIterable<SessionFrame[]> {
  readonly #control: SessionFrame[] = [];
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
  send(call: bigint, frame: FrameInit): void {
    this.#control.push(create(SessionFrameSchema, { call, frame }));
    this.#awake();
  }

  /** Sends a message: `first` makes its first frame around the first part, undefined for an empty message. */
  sendMessage(call: bigint, bytes: Uint8Array, first: Outgoing["first"]): void {
    if (bytes.length === 0) {
      this.send(call, first(undefined));
      return;
    }
    this.#first.push({ call, bytes, first, sent: 0 });
    this.#awake();
  }

  /** Forgets what was not sent of a call's message. @returns whether none of it was. */
  drop(call: bigint): boolean {
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

  async *[Symbol.asyncIterator](): AsyncGenerator<SessionFrame[], void, undefined> {
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

  #batch(): SessionFrame[] {
    const frames = this.#control.splice(0);
    let bytes = 0;
    while (this.#credit > 0 && bytes < batchBytes) {
      const outgoing = this.#first.shift();
      if (outgoing === undefined) break;
      bytes += this.#push(frames, outgoing);
    }
    const later = this.#credit > 0 ? this.#later.shift() : undefined;
    if (later !== undefined) this.#push(frames, later);
    return frames;
  }

  /** Puts the next part of a message into a batch. @returns its bytes. */
  #push(frames: SessionFrame[], outgoing: Outgoing): number {
    const { call, bytes, first, sent } = outgoing;
    const end = Math.min(sent + partBytes, sent + this.#credit, bytes.length);
    const part = chunk(bytes.subarray(sent, end), end < bytes.length);
    const frame: FrameInit = sent === 0 ? first(part) : { case: "chunk", value: part };
    frames.push(create(SessionFrameSchema, { call, frame }));
    outgoing.sent = end;
    this.#credit -= end - sent;
    if (end < bytes.length) this.#later.push(outgoing);
    return end - sent;
  }
}

function chunk(data: Uint8Array, more: boolean): SessionChunk {
  return { $typeName: "annex.store.v1.SessionChunk", data, more };
}
