/**
 * JSON as Kubernetes has it: read and written the way Go does, whatever JavaScript would rather do.
 *
 * 64-bit integers survive (as bigint outside the safe range), `__proto__` is an ordinary key, lone
 * surrogates become U+FFFD, duplicate keys are found, nesting goes to 10,000 levels without
 * recursion. Written: keys in byte order, Go's escapes, Go's numbers. Reader and writer are Steps,
 * so that a large body is worked on in slices.
 * Source: Go encoding/json; sigs.k8s.io/json.
 */
import { goQuote } from "./go-text.ts";
import { finish, type Steps } from "./steps.ts";

/** A JSON value. An integer outside the safe range is a bigint, every other number a number. */
export type JsonValue = null | boolean | number | bigint | string | JsonArray | JsonObject;
/** A JSON array. */
export type JsonArray = JsonValue[];
/** A JSON object. One whose keys a user chose has no prototype: see newJsonObject. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** What a parse gives: the value, and the paths of keys that came twice (`spec.x`, `spec.ports[0].name`). */
export interface ParsedJson {
  readonly value: JsonValue;
  readonly duplicates: readonly string[];
}

/** `duplicates`: whether to look for keys that come twice. Default false. */
export interface ParseOptions {
  readonly duplicates?: boolean;
}

/** Text that is no JSON. The message is Go's. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
  /** Characters read before the fault. */
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Go's limit on nesting. */
const maxDepth = 10_000;
/** Duplicate keys that are reported: more would only fill the answer, as kube-apiserver's strict decoder does. */
const maxDuplicates = 100;
const minInt64 = -(2n ** 63n);
const maxInt64 = 2n ** 63n - 1n;

// A constructor whose prototype has no prototype: V8 keeps such objects in fast shapes, which it
// does not for Object.create(null).
const Bare = function Bare() {} as unknown as new () => JsonObject;
(Bare as { prototype: object }).prototype = Object.create(null);

/** Makes an object in which every key, `__proto__` too, is an ordinary one. */
export function newJsonObject(): JsonObject {
  return new Bare();
}

/** Tells an object from the other values. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses to the end at once. @throws JsonSyntaxError with Go's text. */
export function parseJson(bytes: Uint8Array | string): JsonValue {
  return finish(jsonParser(typeof bytes === "string" ? Buffer.from(bytes) : bytes)).value;
}

interface Frame {
  readonly container: JsonObject | JsonArray;
  /** The key whose value is being read; the index for an array. */
  key: string;
  /** Keys seen, where duplicates are looked for. */
  readonly seen: Set<string> | undefined;
}

/**
 * Parses step by step; a unit is one value or key.
 *
 * @param bytes UTF-8; invalid sequences become U+FFFD.
 * @throws JsonSyntaxError from `step`.
 */
export function jsonParser(bytes: Uint8Array, options: ParseOptions = {}): Steps<ParsedJson> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  return new Parser(text, options.duplicates === true);
}

type Expect = "value" | "valueOrEnd" | "key" | "keyOrEnd" | "commaOrEnd" | "end";

class Parser implements Steps<ParsedJson> {
  readonly #text: string;
  readonly #findDuplicates: boolean;
  readonly #stack: Frame[] = [];
  readonly #duplicates: string[] = [];
  #position = 0;
  #expect: Expect = "value";
  #root: JsonValue = null;

  constructor(text: string, findDuplicates: boolean) {
    this.#text = text;
    this.#findDuplicates = findDuplicates;
  }

  result(): ParsedJson {
    return { value: this.#root, duplicates: this.#duplicates };
  }

  step(units: number): boolean {
    for (let left = units; left > 0; left--) {
      const code = this.#skipSpace();
      switch (this.#expect) {
        case "end":
          if (Number.isNaN(code)) return true;
          throw this.#unexpected(code, "after top-level value");
        case "value":
          this.#readValue(code, "looking for beginning of value");
          break;
        case "valueOrEnd":
          if (code === 0x5d) this.#closeContainer();
          else this.#readValue(code, "looking for beginning of value");
          break;
        case "keyOrEnd":
          if (code === 0x7d) this.#closeContainer();
          else this.#readKey(code, "looking for beginning of object key string");
          break;
        case "key":
          this.#readKey(code, "looking for beginning of object key string");
          break;
        case "commaOrEnd":
          this.#readCommaOrEnd(code);
          break;
      }
    }
    return false;
  }

  #skipSpace(): number {
    const text = this.#text;
    let position = this.#position;
    let code = text.charCodeAt(position);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++position);
    this.#position = position;
    return code;
  }

  #readCommaOrEnd(code: number): void {
    const frame = this.#stack[this.#stack.length - 1];
    const isArray = Array.isArray(frame?.container);
    if (code === 0x2c) {
      this.#position++;
      this.#expect = isArray ? "value" : "key";
    } else if (code === (isArray ? 0x5d : 0x7d)) this.#closeContainer();
    else throw this.#unexpected(code, isArray ? "after array element" : "after object key:value pair");
  }

  #readKey(code: number, context: string): void {
    if (code !== 0x22) throw this.#unexpected(code, context);
    const key = this.#readString();
    const frame = this.#stack[this.#stack.length - 1] as Frame;
    frame.key = key;
    if (frame.seen !== undefined) {
      if (frame.seen.has(key)) {
        const path = this.#path();
        if (this.#duplicates.length < maxDuplicates && !this.#duplicates.includes(path)) this.#duplicates.push(path);
      } else frame.seen.add(key);
    }
    const colon = this.#skipSpace();
    if (colon !== 0x3a) throw this.#unexpected(colon, "after object key");
    this.#position++;
    this.#expect = "value";
  }

  #readValue(code: number, context: string): void {
    switch (code) {
      case 0x22:
        return this.#put(this.#readString());
      case 0x7b:
        return this.#openContainer(newJsonObject(), "keyOrEnd");
      case 0x5b:
        return this.#openContainer([], "valueOrEnd");
      case 0x74:
        return this.#readLiteral("true", true);
      case 0x66:
        return this.#readLiteral("false", false);
      case 0x6e:
        return this.#readLiteral("null", null);
      default:
        if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.#put(this.#readNumber());
        throw this.#unexpected(code, context);
    }
  }

  #openContainer(container: JsonObject | JsonArray, expect: Expect): void {
    if (this.#stack.length >= maxDepth) throw new JsonSyntaxError("exceeded max depth", this.#position);
    this.#position++;
    this.#place(container);
    const seen = this.#findDuplicates && !Array.isArray(container) ? new Set<string>() : undefined;
    this.#stack.push({ container, key: "", seen });
    this.#expect = expect;
  }

  #closeContainer(): void {
    this.#position++;
    this.#stack.pop();
    this.#expect = this.#stack.length === 0 ? "end" : "commaOrEnd";
  }

  #put(value: JsonValue): void {
    this.#place(value);
    this.#expect = this.#stack.length === 0 ? "end" : "commaOrEnd";
  }

  #place(value: JsonValue): void {
    const frame = this.#stack[this.#stack.length - 1];
    if (frame === undefined) this.#root = value;
    else if (Array.isArray(frame.container)) frame.container.push(value);
    else frame.container[frame.key] = value;
  }

  #readLiteral(word: string, value: JsonValue): void {
    const text = this.#text;
    for (let index = 1; index < word.length; index++) {
      const code = text.charCodeAt(this.#position + index);
      if (code === word.charCodeAt(index)) continue;
      this.#position += index;
      throw this.#unexpected(code, `in literal ${word} (expecting '${word[index]}')`);
    }
    this.#position += word.length;
    this.#put(value);
  }

  /** Reads the string at the position, which is at its opening quote. */
  #readString(): string {
    const text = this.#text;
    const start = this.#position + 1;
    let position = start;
    for (;;) {
      const code = text.charCodeAt(position);
      if (code === 0x22) break;
      if (code === 0x5c) return this.#readEscapedString(start, position);
      if (code < 0x20 || Number.isNaN(code)) {
        this.#position = position;
        throw this.#unexpected(code, "in string literal");
      }
      position++;
    }
    this.#position = position + 1;
    return text.slice(start, position);
  }

  #readEscapedString(start: number, firstEscape: number): string {
    const text = this.#text;
    let out = text.slice(start, firstEscape);
    let position = firstEscape;
    for (;;) {
      const code = text.charCodeAt(position);
      if (code === 0x22) break;
      if (code < 0x20 || Number.isNaN(code)) {
        this.#position = position;
        throw this.#unexpected(code, "in string literal");
      }
      if (code !== 0x5c) {
        let end = position + 1;
        for (;;) {
          const next = text.charCodeAt(end);
          if (next === 0x22 || next === 0x5c || next < 0x20 || Number.isNaN(next)) break;
          end++;
        }
        out += text.slice(position, end);
        position = end;
        continue;
      }
      const escaped = text.charCodeAt(position + 1);
      if (escaped === 0x75) {
        out += String.fromCharCode(this.#readHex(position + 2));
        position += 6;
        continue;
      }
      const plain = plainEscapes[escaped];
      if (plain === undefined) {
        this.#position = position + 1;
        throw this.#unexpected(escaped, "in string escape code");
      }
      out += plain;
      position += 2;
    }
    this.#position = position + 1;
    return out.toWellFormed();
  }

  #readHex(start: number): number {
    let value = 0;
    for (let position = start; position < start + 4; position++) {
      const code = this.#text.charCodeAt(position);
      const digit = hexDigit(code);
      if (digit < 0) {
        this.#position = position;
        throw this.#unexpected(code, "in \\u hexadecimal character escape");
      }
      value = value * 16 + digit;
    }
    return value;
  }

  #readNumber(): JsonValue {
    const text = this.#text;
    const start = this.#position;
    let position = start;
    if (text.charCodeAt(position) === 0x2d) position++;
    const first = text.charCodeAt(position);
    if (first === 0x30) position++;
    else if (first >= 0x31 && first <= 0x39) position = this.#skipDigits(position);
    else return this.#badNumber(position, "in numeric literal");
    let isInteger = true;
    if (text.charCodeAt(position) === 0x2e) {
      isInteger = false;
      const digits = this.#skipDigits(position + 1);
      if (digits === position + 1) return this.#badNumber(digits, "after decimal point in numeric literal");
      position = digits;
    }
    const exponent = text.charCodeAt(position);
    if (exponent === 0x65 || exponent === 0x45) {
      isInteger = false;
      const sign = text.charCodeAt(position + 1);
      const from = sign === 0x2b || sign === 0x2d ? position + 2 : position + 1;
      const digits = this.#skipDigits(from);
      if (digits === from) return this.#badNumber(digits, "in exponent of numeric literal");
      position = digits;
    }
    this.#position = position;
    const literal = text.slice(start, position);
    const value = Number(literal);
    if (!Number.isFinite(value)) {
      throw new JsonSyntaxError(`json: cannot unmarshal number ${literal} into Go value of type float64`, position);
    }
    if (!isInteger) return value;
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    const exact = BigInt(literal);
    return exact < minInt64 || exact > maxInt64 ? value : exact;
  }

  #badNumber(position: number, context: string): never {
    this.#position = position;
    throw this.#unexpected(this.#text.charCodeAt(position), context);
  }

  #skipDigits(from: number): number {
    let position = from;
    for (;;) {
      const code = this.#text.charCodeAt(position);
      if (!(code >= 0x30 && code <= 0x39)) return position;
      position++;
    }
  }

  #path(): string {
    let path = "";
    for (const frame of this.#stack) {
      if (Array.isArray(frame.container)) path += `[${frame.container.length - 1}]`;
      else path += path === "" ? frame.key : `.${frame.key}`;
    }
    return path;
  }

  #unexpected(code: number, context: string): JsonSyntaxError {
    if (Number.isNaN(code)) return new JsonSyntaxError("unexpected end of JSON input", this.#position);
    const char = String.fromCodePoint(this.#text.codePointAt(this.#position) ?? code);
    return new JsonSyntaxError(`invalid character ${quoteChar(char)} ${context}`, this.#position);
  }
}

const plainEscapes: Readonly<Record<number, string>> = {
  34: '"',
  92: "\\",
  47: "/",
  98: "\b",
  102: "\f",
  110: "\n",
  114: "\r",
  116: "\t",
};

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Go's scanner quotes the offending byte, the first of a multi-byte character. */
function quoteChar(char: string): string {
  if (char === "'") return "'\\''";
  if (char === '"') return "'\"'";
  const byte = Buffer.from(char)[0] ?? 0;
  return `'${goQuote(String.fromCharCode(byte)).slice(1, -1)}'`;
}

/** Encodes to the end at once. */
export function encodeJson(value: JsonValue): string {
  const encoder = new Encoder(value, {});
  while (!encoder.step(1_000_000));
  return encoder.text();
}

/** Encodes to the end at once, as UTF-8. */
export function encodeJsonBytes(value: JsonValue): Buffer {
  return finish(jsonEncoder(value));
}

/** How to write. */
export interface EncodeOptions {
  /** Two spaces a level, as Go's MarshalIndent. Default false. */
  readonly indent?: boolean;
  /** Keys in the order in which they were set, as Go writes a struct. Default false: in byte order, as a map. */
  readonly keepOrder?: boolean;
}

/** Encodes step by step; a unit is one value. No newline at the end. */
export function jsonEncoder(value: JsonValue, options: EncodeOptions = {}): Steps<Buffer> {
  return new Encoder(value, options);
}

interface EncodeFrame {
  readonly object: JsonObject | undefined;
  readonly array: JsonArray | undefined;
  readonly keys: readonly string[];
  next: number;
}

class Encoder implements Steps<Buffer> {
  readonly #indent: boolean;
  readonly #keepOrder: boolean;
  readonly #stack: EncodeFrame[] = [];
  readonly #done: Buffer[] = [];
  #out = "";

  constructor(value: JsonValue, options: EncodeOptions) {
    this.#indent = options.indent === true;
    this.#keepOrder = options.keepOrder === true;
    this.#begin(value);
  }

  step(units: number): boolean {
    for (let left = units; left > 0; left--) {
      const frame = this.#stack[this.#stack.length - 1];
      if (frame === undefined) return true;
      // Long strings of pieces are flattened in one go by the engine: bound what one go may be.
      if (this.#out.length > 64 * 1024 && units !== 1_000_000) this.#flush();
      if (frame.array !== undefined) this.#nextElement(frame, frame.array);
      else this.#nextField(frame, frame.object as JsonObject);
    }
    return this.#stack.length === 0;
  }

  text(): string {
    return this.#done.length === 0 ? this.#out : this.result().toString();
  }

  result(): Buffer {
    if (this.#done.length === 0) return Buffer.from(this.#out);
    this.#flush();
    return Buffer.concat(this.#done);
  }

  #flush(): void {
    this.#done.push(Buffer.from(this.#out));
    this.#out = "";
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
    this.#out += this.#indent ? `${encodeString(key)}: ` : `${encodeString(key)}:`;
    this.#begin(object[key] as JsonValue);
  }

  #separate(frame: EncodeFrame): void {
    if (frame.next > 0) this.#out += ",";
    if (this.#indent) this.#out += `\n${"  ".repeat(this.#stack.length)}`;
  }

  #end(bracket: string): void {
    this.#stack.pop();
    if (this.#indent) this.#out += `\n${"  ".repeat(this.#stack.length)}`;
    this.#out += bracket;
  }

  #begin(value: JsonValue): void {
    if (value === null || value === undefined) this.#out += "null";
    else if (typeof value === "string") this.#out += encodeString(value);
    else if (typeof value === "number") this.#out += encodeNumber(value);
    else if (typeof value !== "object") this.#out += String(value);
    else if (Array.isArray(value)) {
      if (value.length === 0) this.#out += "[]";
      else {
        this.#out += "[";
        this.#stack.push({ object: undefined, array: value, keys: [], next: 0 });
      }
    } else {
      const keys = this.#keepOrder ? Object.keys(value) : sortedKeys(value);
      if (keys.length === 0) this.#out += "{}";
      else {
        this.#out += "{";
        this.#stack.push({ object: value, array: undefined, keys, next: 0 });
      }
    }
  }
}

/** Gives an object's keys in the order of their UTF-8 bytes. */
export function sortedKeys(object: JsonObject): string[] {
  const keys = Object.keys(object);
  if (keys.length < 2) return keys;
  keys.sort();
  // UTF-16 order differs from UTF-8 order only where a surrogate meets U+E000 to U+FFFF.
  for (const key of keys) {
    if (/[\ud800-\uffff]/.test(key)) return keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }
  return keys;
}

const needsEscape = /[\u0000-\u001f"\\<>&\u2028\u2029\ud800-\udfff]/;
const htmlEscape = /[<>&\u2028\u2029]/g;

function encodeString(text: string): string {
  if (!needsEscape.test(text)) return `"${text}"`;
  const escaped = JSON.stringify(text.toWellFormed());
  return escaped.replace(htmlEscape, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function encodeNumber(value: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  return String(value);
}

/** Whether two values are the same: numbers by value, objects whatever the order of their keys. */
export function jsonEqual(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  const stack: (JsonValue | undefined)[] = [a, b];
  while (stack.length > 0) {
    const right = stack.pop();
    const left = stack.pop();
    if (left === right) continue;
    if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
    if (Array.isArray(left)) {
      if (!Array.isArray(right) || left.length !== right.length) return false;
      for (let index = 0; index < left.length; index++) stack.push(left[index], right[index]);
      continue;
    }
    if (Array.isArray(right)) return false;
    const keys = Object.keys(left);
    if (keys.length !== Object.keys(right).length) return false;
    for (const key of keys) {
      const other = right[key];
      if (other === undefined) return false;
      stack.push(left[key], other);
    }
  }
  return true;
}

/** Gives a copy that shares nothing. */
export function cloneJson<T extends JsonValue>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  const root = emptyLike(value);
  const stack: [JsonObject | JsonArray, JsonObject | JsonArray][] = [[value as JsonObject, root]];
  for (let pair = stack.pop(); pair !== undefined; pair = stack.pop()) {
    const [from, to] = pair;
    const copy = (child: JsonValue): JsonValue => {
      if (typeof child !== "object" || child === null) return child;
      const empty = emptyLike(child);
      stack.push([child, empty]);
      return empty;
    };
    if (Array.isArray(from)) for (const child of from) (to as JsonArray).push(copy(child));
    else for (const key of Object.keys(from)) (to as JsonObject)[key] = copy(from[key] as JsonValue);
  }
  return root as T;
}

function emptyLike(value: JsonValue): JsonObject | JsonArray {
  return Array.isArray(value) ? [] : newJsonObject();
}
