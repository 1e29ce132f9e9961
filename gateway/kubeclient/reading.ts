/** Reads an answer's bytes: whole, or line by line. Both are bounded. */
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Gives all of it as text. @throws Error if it is longer than `maxBytes`, or breaks off. */
export async function textOf(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Gives lines without their ends, empty ones not. @throws Error if one is longer than `maxBytes`. */
export async function* linesOf(stream: Readable, maxBytes: number): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  // Pieces of a line that has no end yet: joined once, not with each piece.
  let pieces: string[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const parts = decoder.write(chunk).split("\n");
    const last = parts.pop() ?? "";
    for (const part of parts) {
      const line = pieces.join("") + part;
      pieces = [];
      bytes = 0;
      if (line !== "") yield line;
    }
    pieces.push(last);
    bytes += last.length;
    if (bytes > maxBytes) throw new Error(`a line is longer than ${maxBytes} bytes`);
  }
}
