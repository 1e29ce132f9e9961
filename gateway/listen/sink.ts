/**
 * The sink of a stream: bytes in, to one client, for as long as it reads.
 *
 * States: open, then closed by its user (`end`, `abort`), by the client, or because the client took
 * nothing for too long. Any write that the socket took counts as reading: a watch that is written to
 * all the time never drains whole.
 *
 * The same frames go to a thousand watchers: they are joined once, over HTTP/1.1 to a chunk, and each client costs
 * one write to its socket. The response would make a chunk's three writes of them each time. A class, so that all
 * sinks have one shape: objects with getters of their own are dictionaries, and each read of them a search.
 * Source: RFC 9112 section 7.1.
 */
import { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { ByteSink } from "../apimachinery/http.ts";
import { TurnMap } from "../apimachinery/turn-map.ts";
import type { RawReply } from "./http-request.ts";

/** The sink of a reply whose head is out. */
export class ReplySink implements ByteSink {
  readonly #reply: RawReply;
  readonly #cut: (reply: RawReply) => void;
  /** What is written to: the connection itself if it takes chunks. */
  readonly #wire: Socket | ServerResponse;
  readonly #isChunked: boolean;
  readonly #closers: (() => void)[] = [];
  #drainers: (() => void)[] | undefined;
  #isClosed = false;
  #handedBytes = 0;
  /** When the client was first seen to have taken so much, and no more. Undefined: nothing waits for it. */
  #stalledAt: number | undefined;
  #takenBytes = 0;

  constructor(reply: RawReply, cut: (reply: RawReply) => void) {
    const socket = chunkedSocket(reply);
    this.#reply = reply;
    this.#cut = cut;
    this.#wire = socket ?? (reply as ServerResponse);
    this.#isChunked = socket !== undefined;
  }

  write(frames: readonly Uint8Array[]): boolean {
    if (this.#isClosed) return true;
    const bytes = this.#isChunked ? joinedOnce(chunks, frames, chunkOf) : joinedOnce(joins, frames, joined);
    // A chunk of nothing would be the last one.
    if (bytes.length === 0) return true;
    this.#handedBytes += bytes.length;
    return this.#wire.write(bytes);
  }

  get queuedBytes(): number {
    return this.#reply.writableLength;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  onDrain(callback: () => void): void {
    if (!this.#wire.writableNeedDrain) setImmediate(callback);
    else if (this.#drainers !== undefined) this.#drainers.push(callback);
    else {
      this.#drainers = [callback];
      this.#wire.once("drain", () => {
        const drainers = this.#drainers ?? [];
        this.#drainers = undefined;
        for (const drainer of drainers) drainer();
      });
    }
  }

  onClose(callback: () => void): void {
    if (this.#isClosed) callback();
    else this.#closers.push(callback);
  }

  end(): void {
    if (this.#isClosed) return;
    this.#reply.end();
    this.#close();
  }

  abort(): void {
    this.#cut(this.#reply);
    this.#close();
  }

  /** To be told when the reply is out or cut. */
  gone(): void {
    // The connection may go on to its next request.
    this.#drainers = undefined;
    this.#close();
  }

  /** Tells if the client has taken nothing of what waits for it for so long; to be asked several times in that time. */
  isStalled(stalledMs: number, now: number): boolean {
    if (!this.#isClosed && !this.#wire.writableNeedDrain) {
      this.#stalledAt = undefined;
      return false;
    }
    const takenBytes = this.#handedBytes - this.queuedBytes;
    if (this.#stalledAt === undefined || takenBytes > this.#takenBytes) {
      this.#stalledAt = now;
      this.#takenBytes = takenBytes;
    }
    return now - this.#stalledAt >= stalledMs;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const closer of this.#closers.splice(0)) closer();
  }
}

/** What frames were made, by the first of them. */
type Joins = TurnMap<Uint8Array, { readonly frames: readonly Uint8Array[]; readonly bytes: Uint8Array }>;

const joins: Joins = new TurnMap();
const chunks: Joins = new TurnMap();

/** Gives what was made of the same frames in this turn, or makes it. */
function joinedOnce(
  made: Joins,
  frames: readonly Uint8Array[],
  make: (frames: readonly Uint8Array[]) => Uint8Array,
): Uint8Array {
  const [first] = frames;
  if (first === undefined) return nothing;
  const known = made.get(first);
  if (known !== undefined && areSame(known.frames, frames)) return known.bytes;
  const bytes = make(frames);
  made.set(first, { frames, bytes });
  return bytes;
}

function areSame(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  return some === others || (some.length === others.length && some.every((frame, index) => frame === others[index]));
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  return frames.length === 1 ? (frames[0] as Uint8Array) : Buffer.concat(frames);
}

/** Of nothing: nothing. */
function chunkOf(frames: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const frame of frames) length += frame.length;
  return length === 0 ? nothing : Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), ...frames, lineEnd]);
}

const nothing = Buffer.alloc(0);
const lineEnd = Buffer.from("\r\n");

/** Gives the connection of a reply whose head is out on it and says that chunks follow. */
function chunkedSocket(reply: RawReply): Socket | undefined {
  return reply instanceof ServerResponse && reply.chunkedEncoding ? (reply.socket ?? undefined) : undefined;
}
