/**
 * Writes JSON as Go does, step by step, without recursion: keys in the order of their bytes, Go's
 * escapes, Go's numbers.
 *
 * Source: Go encoding/json encode.go, indent.go.
 */
import type { JsonArray, JsonObject, JsonValue } from "./json-value.ts";
import type { Steps } from "./steps.ts";

/** How to write. */
export interface EncodeOptions {
  /** Two spaces a level, as Go's MarshalIndent. Default false. */
  readonly indent?: boolean;
  /** Keys in the order in which they were set, as Go writes a struct. Default false: in byte order, as a map. */
  readonly keepOrder?: boolean;
}

/** Text is turned into bytes in pieces of about this length: the engine flattens a piece in one go. */
const pieceLength = 64 * 1024;
/** Of a longer string, so much is escaped in one go: a unit's worth. */
const longTextLength = 1024;

interface EncodeFrame {
  readonly object: JsonObject | undefined;
  readonly array: JsonArray | undefined;
  readonly keys: readonly string[];
  next: number;
}

/** One encoding. A unit is one value, or a piece of a long string. */
export class JsonEncoder implements Steps<Buffer> {
  readonly #indent: boolean;
  readonly #keepOrder: boolean;
  readonly #stack: EncodeFrame[] = [];
  readonly #pieces: Buffer[] = [];
  #out = "";
  /** A long string that is being written, from `longTextAt` on; "" if there is none. */
  #longText = "";
  #longTextAt = 0;

  constructor(value: JsonValue, options: EncodeOptions) {
    this.#indent = options.indent === true;
    this.#keepOrder = options.keepOrder === true;
    this.#begin(value);
  }

  step(units: number): boolean {
    for (let left = units; left > 0; left--) {
      if (this.#isDone()) return true;
      if (this.#out.length > pieceLength) this.#flush();
      this.#next();
    }
    return this.#isDone();
  }

  result(): Buffer {
    if (this.#pieces.length === 0) return Buffer.from(this.#out);
    this.#flush();
    return Buffer.concat(this.#pieces);
  }

  /** Runs to the end at once and gives the text. */
  text(): string {
    while (!this.#isDone()) this.#next();
    return this.#out;
  }

  #isDone(): boolean {
    return this.#stack.length === 0 && this.#longText === "";
  }

  #flush(): void {
    this.#pieces.push(Buffer.from(this.#out));
    this.#out = "";
  }

  #next(): void {
    if (this.#longText !== "") return this.#nextOfText();
    const frame = this.#stack[this.#stack.length - 1] as EncodeFrame;
    if (frame.array !== undefined) this.#nextElement(frame, frame.array);
    else this.#nextField(frame, frame.object as JsonObject);
  }

  #nextElement(frame: EncodeFrame, array: JsonArray): void {
    if (frame.next === array.length) return this.#end("]");
    this.#separate(frame);
    this.#begin(array[frame.next++] as JsonValue);
  }

  #nextField(frame: EncodeFrame, object: JsonObject): void {
    if (frame.next === frame.keys.length) return this.#end("}");
    this.#separate(frame);
    const key = frame.keys[frame.next++] as string;
    this.#out += encodeString(key);
    this.#out += this.#indent ? ": " : ":";
    this.#begin(object[key] as JsonValue);
  }

  #separate(frame: EncodeFrame): void {
    if (frame.next > 0) this.#out += ",";
    if (this.#indent) this.#breakLine();
  }

  #end(bracket: string): void {
    this.#stack.pop();
    if (this.#indent) this.#breakLine();
    this.#out += bracket;
  }

  #breakLine(): void {
    this.#out += `\n${"  ".repeat(this.#stack.length)}`;
  }

  #begin(value: JsonValue): void {
    if (typeof value === "string") {
      if (value.length <= longTextLength) this.#out += encodeString(value);
      else this.#beginText(value);
    } else if (typeof value === "number") this.#out += encodeNumber(value);
    else if (value === null || value === undefined) this.#out += "null";
    else if (typeof value !== "object") this.#out += String(value);
    else if (Array.isArray(value)) this.#open("[]", undefined, value, []);
    else this.#open("{}", value, undefined, this.#keepOrder ? Object.keys(value) : sortedKeys(value));
  }

  #open(brackets: string, object: JsonObject | undefined, array: JsonArray | undefined, keys: readonly string[]): void {
    if ((array ?? keys).length === 0) {
      this.#out += brackets;
      return;
    }
    this.#out += brackets[0];
    this.#stack.push({ object, array, keys, next: 0 });
  }

  #beginText(text: string): void {
    this.#out += '"';
    this.#longText = text.toWellFormed();
    this.#longTextAt = 0;
  }

  #nextOfText(): void {
    let end = this.#longTextAt + longTextLength;
    // Both halves of a pair go together.
    if ((this.#longText.charCodeAt(end - 1) & 0xfc00) === 0xd800) end++;
    this.#out += encodeString(this.#longText.slice(this.#longTextAt, end)).slice(1, -1);
    this.#longTextAt = end;
    if (end < this.#longText.length) return;
    this.#longText = "";
    this.#out += '"';
  }
}

/** Gives an object's keys in the order of their UTF-8 bytes. */
export function sortedKeys(object: JsonObject): string[] {
  const keys = Object.keys(object);
  if (isSorted(keys)) return keys;
  keys.sort();
  for (const key of keys) if (aboveSurrogates.test(key)) return keys.sort(compareBytes);
  return keys;
}

/** Where UTF-16 order may differ from that of UTF-8: where a surrogate meets U+E000 to U+FFFF. */
const aboveSurrogates = /[\ud800-\uffff]/;

function isSorted(keys: readonly string[]): boolean {
  let before = "";
  for (const key of keys) {
    if (key < before || aboveSurrogates.test(key)) return false;
    before = key;
  }
  return true;
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const needsEscape = /[\u0000-\u001f"\\<>&\u2028\u2029\ud800-\udfff]/;
const needsMarkupEscape = /[<>&\u2028\u2029]/;

function encodeString(text: string): string {
  if (!needsEscape.test(text)) return `"${text}"`;
  const escaped = JSON.stringify(text.toWellFormed());
  if (!needsMarkupEscape.test(escaped)) return escaped;
  return escaped
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e")
    .replaceAll("&", "\\u0026")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}

function encodeNumber(value: number): string {
  return value === 0 && Object.is(value, -0) ? "-0" : String(value);
}
