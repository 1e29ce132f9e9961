/**
 * Reads HTTP/1.1 answers off a connection, one after the other: no more of the protocol than API servers use, so
 * that who asks leaves the machine to who answers. Node's own client costs three times as much.
 * Source: RFC 9112 sections 4, 6.3 and 7.1.
 */

/** One answer. */
export interface Answer {
  readonly status: number;
  /** The first of the body's text: what an object, or a list of Go's, says of itself stands there. */
  readonly start: string;
  /** The last of it: what a list of no Go type says of itself. */
  readonly end: string;
  /** Of the body as it came, chunk by chunk and compressed. */
  readonly bytes: number;
}

/** As much of a body is kept at its start, and at its end. */
export const maxStartBytes = 4096;
const maxEndBytes = 1024;
const none = Buffer.alloc(0);

/** Makes a reader for a connection's bytes, in pieces of any size. @throws Error from what it gives, if it is no answer. */
export function answerReader(onAnswer: (answer: Answer) => void): (data: Buffer) => void {
  let pending: Buffer = none;
  let status = 0;
  /** Bytes to come: of the body, or of a chunk with its line's end. Undefined: the head comes next. */
  let left: number | undefined;
  let isChunked = false;
  let isLast = false;
  let start = "";
  let end = "";
  let bytes = 0;

  /** Takes a step. @returns whether there may be another. */
  function step(): boolean {
    if (left === undefined) return readHead();
    if (left > 0) return readBody(left);
    if (!isChunked || isLast) return finish();
    return readChunkSize();
  }
  function readHead(): boolean {
    const end = pending.indexOf("\r\n\r\n");
    if (end === -1) return false;
    const head = pending.toString("latin1", 0, end);
    status = Number(head.slice(9, 12));
    isChunked = /\r\ntransfer-encoding: chunked/i.test(head);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (!head.startsWith("HTTP/1.1 ") || (!isChunked && length === undefined)) throw new Error(`no answer: ${head}`);
    left = isChunked ? 0 : Number(length);
    pending = pending.subarray(end + 4);
    return true;
  }
  function readBody(wanted: number): boolean {
    if (pending.length === 0) return false;
    const taken = Math.min(wanted, pending.length);
    const content = Math.min(taken, isChunked ? Math.max(0, wanted - 2) : taken);
    if (start.length < maxStartBytes)
      start += pending.toString("latin1", 0, Math.min(content, maxStartBytes - start.length));
    const last = pending.toString("latin1", Math.max(0, content - maxEndBytes), content);
    end = last.length === maxEndBytes ? last : (end + last).slice(-maxEndBytes);
    bytes += content;
    left = wanted - taken;
    pending = pending.subarray(taken);
    return true;
  }
  function readChunkSize(): boolean {
    const end = pending.indexOf("\r\n");
    if (end === -1) return false;
    const size = Number.parseInt(pending.toString("latin1", 0, end), 16);
    isLast = size === 0;
    left = size + 2;
    pending = pending.subarray(end + 2);
    return true;
  }
  function finish(): boolean {
    const answer = { status, start, end, bytes };
    [left, isLast, start, end, bytes] = [undefined, false, "", "", 0];
    onAnswer(answer);
    return pending.length > 0;
  }

  return (data) => {
    pending = pending.length === 0 ? data : Buffer.concat([pending, data]);
    while (step());
  };
}
