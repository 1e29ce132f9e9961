/**
 * Reads JSON as Go does, step by step, without recursion.
 *
 * Go checks the whole text before it looks at a value: so a number that fits nothing is told only
 * if the text is well formed to its end. Where the text ends inside a literal, a number or an
 * escape, Go complains of a space.
 * Source: Go encoding/json scanner.go, decode.go; sigs.k8s.io/json.
 */
import { goQuote } from "./go-text.ts";
import { type JsonArray, type JsonObject, type JsonValue, newJsonObject } from "./json-value.ts";
import type { Steps } from "./steps.ts";
import { byteAtUnit, textFromUtf8 } from "./utf8.ts";

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
  override readonly name: string = "JsonSyntaxError";
  /** Characters read before the fault. */
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Well-formed JSON that holds a number which no float64 holds. The message is Go's. */
export class JsonNumberError extends JsonSyntaxError {
  override readonly name = "JsonNumberError";
  /** What was read, with 0 in place of such numbers. */
  readonly value: JsonValue;
  constructor(message: string, offset: number, value: JsonValue) {
    super(message, offset);
    this.value = value;
  }
}

/** Go's limit on nesting. */
const maxDepth = 10_000;
/** Duplicate keys that are reported: more would only fill the answer, as sigs.k8s.io/json has it. */
const maxDuplicates = 100;
const minInt64 = -(2n ** 63n);
const maxInt64 = 2n ** 63n - 1n;

interface Frame {
  readonly object: JsonObject | undefined;
  readonly array: JsonArray | undefined;
  /** The key whose value is being read. */
  key: string;
  /** Keys of this object already told as duplicates; its own path. Both only once there is one. */
  told: Set<string> | undefined;
  path: string | undefined;
}

type Expect = "value" | "valueOrEnd" | "key" | "keyOrEnd" | "restOfText" | "commaOrEnd" | "end";

/** A string of so many characters is read at once. */
const shortString = 64;
/** Of a longer one, so many are looked through at a time. */
const charsPerUnit = 1024;

/** One parse. A unit is one value or key, or a piece of a long text. */
export class JsonParser implements Steps<ParsedJson> {
  readonly #bytes: Uint8Array;
  readonly #text: string;
  readonly #findDuplicates: boolean;
  readonly #stack: Frame[] = [];
  readonly #duplicates = new Set<string>();
  #position = 0;
  #expect: Expect = "value";
  #root: JsonValue = null;
  /** How far the string at the position was looked through, and whether it holds escapes. */
  #stringAt = 0;
  #isEscaped = false;
  /** The first number that fits nothing. */
  #badNumber: string | undefined;

  constructor(bytes: Uint8Array, options: ParseOptions) {
    this.#bytes = bytes;
    this.#text = textFromUtf8(bytes);
    this.#findDuplicates = options.duplicates === true;
  }

  result(): ParsedJson {
    return { value: this.#root, duplicates: [...this.#duplicates] };
  }

  step(units: number): boolean {
    for (let left = units; left > 0; left--) {
      const code = this.#skipSpace();
      switch (this.#expect) {
        case "end":
          return this.#end(code);
        case "value":
          this.#readValue(code);
          break;
        case "valueOrEnd":
          if (code === 0x5d) this.#closeContainer();
          else this.#readValue(code);
          break;
        case "keyOrEnd":
          if (code === 0x7d) this.#closeContainer();
          else this.#readKey(code);
          break;
        case "key":
          this.#readKey(code);
          break;
        case "restOfText":
          this.#readRestOfText();
          break;
        case "commaOrEnd":
          this.#readCommaOrEnd(code);
          break;
      }
    }
    return false;
  }

  #end(code: number): true {
    if (!Number.isNaN(code)) throw this.#unexpected("after top-level value");
    if (this.#badNumber === undefined) return true;
    const what = `json: cannot unmarshal number ${this.#badNumber} into Go value of type float64`;
    throw new JsonNumberError(what, this.#position, this.#root);
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
    const isArray = this.#stack[this.#stack.length - 1]?.array !== undefined;
    if (code === 0x2c) {
      this.#position++;
      this.#expect = isArray ? "value" : "key";
    } else if (code === (isArray ? 0x5d : 0x7d)) this.#closeContainer();
    else throw this.#unexpected(isArray ? "after array element" : "after object key:value pair");
  }

  #readKey(code: number): void {
    if (code !== 0x22) throw this.#unexpected("looking for beginning of object key string");
    const key = this.#readString();
    const frame = this.#stack[this.#stack.length - 1] as Frame;
    frame.key = key;
    if (this.#findDuplicates && (frame.object as JsonObject)[key] !== undefined) this.#tellDuplicate(frame);
    if (this.#skipSpace() !== 0x3a) throw this.#unexpected("after object key");
    this.#position++;
    this.#expect = "value";
  }

  #tellDuplicate(frame: Frame): void {
    if (this.#duplicates.size >= maxDuplicates) return;
    frame.told ??= new Set();
    if (frame.told.has(frame.key)) return;
    frame.told.add(frame.key);
    const at = this.#pathOfInnermost();
    this.#duplicates.add(at === undefined ? frame.key : `${at}.${frame.key}`);
  }

  /** The path of the innermost container; undefined for the root. Kept, since an inner path begins with it. */
  #pathOfInnermost(): string | undefined {
    const stack = this.#stack;
    let known = stack.length - 1;
    while (known > 0 && stack[known]?.path === undefined) known--;
    for (let index = known + 1; index < stack.length; index++) {
      const outer = stack[index - 1] as Frame;
      const inner = stack[index] as Frame;
      if (outer.array !== undefined) inner.path = `${outer.path ?? ""}[${outer.array.length - 1}]`;
      else inner.path = outer.path === undefined ? outer.key : `${outer.path}.${outer.key}`;
    }
    return stack[stack.length - 1]?.path;
  }

  #readValue(code: number): void {
    switch (code) {
      case 0x22:
        return this.#readText();
      case 0x7b:
        return this.#openContainer(newJsonObject(), undefined);
      case 0x5b:
        return this.#openContainer(undefined, []);
      case 0x74:
        return this.#readLiteral("true", true);
      case 0x66:
        return this.#readLiteral("false", false);
      case 0x6e:
        return this.#readLiteral("null", null);
      default:
        if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.#put(this.#readNumber());
        throw this.#unexpected("looking for beginning of value");
    }
  }

  #readText(): void {
    const short = this.#readShortString();
    if (short !== undefined) return this.#put(short);
    this.#beginString();
    this.#expect = "restOfText";
    this.#readRestOfText();
  }

  #readRestOfText(): void {
    if (this.#scanString()) this.#put(this.#endString());
  }

  #openContainer(object: JsonObject | undefined, array: JsonArray | undefined): void {
    if (this.#stack.length >= maxDepth) throw this.#unexpected("exceeded max depth");
    this.#position++;
    this.#place((object ?? array) as JsonValue);
    this.#stack.push({ object, array, key: "", told: undefined, path: undefined });
    this.#expect = object === undefined ? "valueOrEnd" : "keyOrEnd";
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
    else if (frame.array !== undefined) frame.array.push(value);
    else (frame.object as JsonObject)[frame.key] = value;
  }

  #readLiteral(word: string, value: JsonValue): void {
    const start = this.#position;
    for (let index = 1; index < word.length; index++) {
      if (this.#text.charCodeAt(start + index) === word.charCodeAt(index)) continue;
      throw this.#unexpectedWithin(start + index, `in literal ${word} (expecting '${word[index]}')`);
    }
    this.#position = start + word.length;
    this.#put(value);
  }

  /** Reads the string at the position, which is at its opening quote. */
  #readString(): string {
    const short = this.#readShortString();
    if (short !== undefined) return short;
    this.#beginString();
    while (!this.#scanString());
    return this.#endString();
  }

  /** Undefined: it is long, escaped or broken. */
  #readShortString(): string | undefined {
    const text = this.#text;
    const start = this.#position + 1;
    const limit = start + shortString;
    for (let position = start; position < limit; position++) {
      const code = text.charCodeAt(position);
      if (code === 0x22) {
        this.#position = position + 1;
        return text.slice(start, position);
      }
      if (code === 0x5c || code < 0x20 || Number.isNaN(code)) return undefined;
    }
    return undefined;
  }

  #beginString(): void {
    this.#stringAt = this.#position + 1;
    this.#isEscaped = false;
  }

  /** Looks through a piece of a string for its end and every fault; true at its closing quote. */
  #scanString(): boolean {
    const text = this.#text;
    let position = this.#stringAt;
    for (const end = position + charsPerUnit; position < end; ) {
      const code = text.charCodeAt(position);
      if (code === 0x22) break;
      if (code === 0x5c) {
        this.#isEscaped = true;
        position = this.#skipEscape(position);
        continue;
      }
      if (code < 0x20 || Number.isNaN(code)) throw this.#unexpectedInString(position);
      position++;
    }
    this.#stringAt = position;
    return text.charCodeAt(position) === 0x22;
  }

  /** What is left, the engine unescapes faster than we could. */
  #endString(): string {
    const start = this.#position;
    const end = this.#stringAt;
    this.#position = end + 1;
    if (!this.#isEscaped) return this.#text.slice(start + 1, end);
    return (JSON.parse(this.#text.slice(start, end + 1)) as string).toWellFormed();
  }

  #unexpectedInString(position: number): JsonSyntaxError {
    this.#position = position;
    return this.#unexpected("in string literal");
  }

  /** Gives the position after the escape at `position`. */
  #skipEscape(position: number): number {
    const text = this.#text;
    switch (text.charCodeAt(position + 1)) {
      case 0x22:
      case 0x5c:
      case 0x2f:
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        return position + 2;
      case 0x75:
        for (let at = position + 2; at < position + 6; at++) {
          if (!isHexDigit(text.charCodeAt(at))) {
            throw this.#unexpectedWithin(at, "in \\u hexadecimal character escape");
          }
        }
        return position + 6;
      default:
        throw this.#unexpectedWithin(position + 1, "in string escape code");
    }
  }

  #readNumber(): JsonValue {
    const text = this.#text;
    const start = this.#position;
    let position = start;
    if (text.charCodeAt(position) === 0x2d) position++;
    const first = text.charCodeAt(position);
    if (first === 0x30) position++;
    else if (first >= 0x31 && first <= 0x39) position = this.#skipDigits(position);
    else throw this.#unexpectedWithin(position, "in numeric literal");
    let isInteger = true;
    if (text.charCodeAt(position) === 0x2e) {
      isInteger = false;
      const digits = this.#skipDigits(position + 1);
      if (digits === position + 1) throw this.#unexpectedWithin(digits, "after decimal point in numeric literal");
      position = digits;
    }
    if ((text.charCodeAt(position) | 0x20) === 0x65) {
      isInteger = false;
      const sign = text.charCodeAt(position + 1);
      const from = sign === 0x2b || sign === 0x2d ? position + 2 : position + 1;
      const digits = this.#skipDigits(from);
      if (digits === from) throw this.#unexpectedWithin(digits, "in exponent of numeric literal");
      position = digits;
    }
    this.#position = position;
    return this.#numberFrom(text.slice(start, position), isInteger);
  }

  #numberFrom(literal: string, isInteger: boolean): JsonValue {
    const value = Number(literal);
    if (!Number.isFinite(value)) {
      this.#badNumber ??= literal;
      return 0;
    }
    if (!isInteger) return value;
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    const exact = BigInt(literal);
    return exact < minInt64 || exact > maxInt64 ? value : exact;
  }

  #skipDigits(from: number): number {
    let position = from;
    for (;;) {
      const code = this.#text.charCodeAt(position);
      if (!(code >= 0x30 && code <= 0x39)) return position;
      position++;
    }
  }

  /** The fault at the position, where a space would have been no fault. */
  #unexpected(context: string): JsonSyntaxError {
    if (this.#position >= this.#text.length) return new JsonSyntaxError("unexpected end of JSON input", this.#position);
    return this.#unexpectedWithin(this.#position, context);
  }

  #unexpectedWithin(position: number, context: string): JsonSyntaxError {
    return new JsonSyntaxError(`invalid character ${quoteByte(this.#byteAt(position))} ${context}`, position);
  }

  /** The byte that begins the character at `position`; a space at the end. */
  #byteAt(position: number): number {
    const code = this.#text.charCodeAt(position);
    if (Number.isNaN(code)) return 0x20;
    return code < 0x80 ? code : byteAtUnit(this.#bytes, position);
  }
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}

/** Go shows one byte, as if it were a character. */
function quoteByte(byte: number): string {
  if (byte === 0x27) return "'\\''";
  if (byte === 0x22) return "'\"'";
  return `'${goQuote(String.fromCharCode(byte)).slice(1, -1)}'`;
}
