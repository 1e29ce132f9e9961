/**
 * Writes YAML as Kubernetes does, step by step, without recursion: block style, two spaces a level,
 * lists not indented under their key, strings quoted when they would read as something else.
 *
 * go-yaml turns U+0085 into a space, and writes U+2028 and U+2029 such that they can't be read
 * again: here they are escaped.
 * Source: sigs.k8s.io/yaml; go.yaml.in/yaml/v2 encode.go, emitterc.go, sorter.go.
 */
import { encodeJson, type JsonArray, type JsonObject, type JsonValue } from "./json.ts";
import type { Steps } from "./steps.ts";
import { compareYamlKeys } from "./yaml-keys.ts";
import { formatFloat, resolvePlain } from "./yaml-scalar.ts";

/** Text is turned into bytes in pieces of about this length. */
const pieceLength = 64 * 1024;
/** Spaces a level. */
const indentStep = 2;
/** A text is folded at the first space beyond this column. */
const preferredWidth = 80;
/** A longer key is written with a `?` before it. */
const maxSimpleKeyBytes = 128;

interface Frame {
  readonly object: JsonObject | undefined;
  readonly array: JsonArray | undefined;
  readonly keys: readonly string[];
  readonly indent: number;
  next: number;
}

/** One encoding; a unit is one value. Ends in a newline. */
export class YamlEncoder implements Steps<Buffer> {
  readonly #stack: Frame[] = [];
  readonly #pieces: Buffer[] = [];
  #out = "";
  /** Characters on the line so far. */
  #column = 0;
  /** Whether the next entry goes on the line that was begun. */
  #isOnLine = true;

  constructor(value: JsonValue) {
    if (typeof value === "object" && value !== null) this.#begin(value, 0, "onLine");
    else this.#writeScalar(value, indentStep);
  }

  step(units: number): boolean {
    for (let left = units; left > 0; left--) {
      const frame = this.#stack[this.#stack.length - 1];
      if (frame === undefined) return true;
      if (this.#out.length > pieceLength) this.#flush();
      if (frame.next === (frame.array ?? frame.keys).length) this.#stack.pop();
      else this.#nextEntry(frame);
    }
    return this.#stack.length === 0;
  }

  result(): Buffer {
    this.#flush();
    return Buffer.concat(this.#pieces);
  }

  #flush(): void {
    this.#pieces.push(Buffer.from(this.#out));
    this.#out = "";
  }

  #write(text: string): void {
    this.#out += text;
    this.#column += text.length;
  }

  #breakLine(): void {
    this.#out += "\n";
    this.#column = 0;
  }

  #nextEntry(frame: Frame): void {
    const { object, array, keys, indent } = frame;
    if (this.#isOnLine) this.#isOnLine = false;
    else this.#write(" ".repeat(indent));
    const inner = indent + indentStep;
    if (array !== undefined) {
      this.#write("-");
      return this.#begin(array[frame.next++] as JsonValue, inner, "onLine");
    }
    const key = keys[frame.next++] as string;
    const value = (object as JsonObject)[key] as JsonValue;
    if (!isBreak.test(key) && Buffer.byteLength(key) <= maxSimpleKeyBytes) {
      this.#write(`${scalarText(key, { indent: inner, column: 0, mayFold: false })}:`);
      return this.#begin(value, inner, "below");
    }
    this.#write("?");
    this.#writeScalar(key, inner);
    this.#write(`${" ".repeat(indent)}:`);
    this.#begin(value, inner, "onLine");
  }

  /** Writes a value after what stands on the line; `indent` is that of its own lines. */
  #begin(value: JsonValue, indent: number, place: "onLine" | "below"): void {
    if (typeof value !== "object" || value === null) return this.#writeScalar(value, indent);
    if (Array.isArray(value)) {
      if (value.length === 0) return this.#writeLine(" []");
      const own = place === "below" ? indent - indentStep : indent;
      return this.#open({ object: undefined, array: value, keys: [], next: 0, indent: own }, place);
    }
    const keys = Object.keys(value);
    if (keys.length === 0) return this.#writeLine(" {}");
    this.#open({ object: value, array: undefined, keys: keys.sort(compareYamlKeys), next: 0, indent }, place);
  }

  #open(frame: Frame, place: "onLine" | "below"): void {
    this.#isOnLine = place === "onLine";
    if (place === "below") this.#breakLine();
    else if (this.#column > 0) this.#write(" ");
    this.#stack.push(frame);
  }

  #writeScalar(value: Exclude<JsonValue, JsonObject | JsonArray>, indent: number): void {
    if (typeof value !== "string") return this.#writeLine(` ${numberOrWord(value)}`);
    const column = this.#column === 0 ? 0 : this.#column + 1;
    this.#writeLine(` ${scalarText(value, { indent, column, mayFold: true })}`);
  }

  /** Ends the line with a text that a space sets off from what is there. */
  #writeLine(text: string): void {
    this.#write(this.#column === 0 ? text.slice(1) : text);
    this.#breakLine();
  }
}

const isBreak = /[\n\r\u0085\u2028\u2029]/;
/**
 * What is escaped, and so stands in double quotes: control characters, characters that are breaks to
 * YAML, and with go-yaml all beyond the basic plane.
 */
const special = /[^\n\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/;
const isIndicator = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-](?:[ \t]|$))|:(?:[ \t]|$)|[ \t]#/;
/** Base 60, which YAML 1.1 has and go-yaml only fears. */
const isBase60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

const escaped = /["\\\n]|[^\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/u;

/** Where a string stands: the indent of its further lines, the column it begins in, whether it may have such lines. */
interface Place {
  readonly indent: number;
  readonly column: number;
  readonly mayFold: boolean;
}

function scalarText(text: string, place: Place): string {
  if (special.test(text)) return doubleQuoted(text, place);
  if (text.includes("\n")) return / (?:\n|$)/.test(text) ? doubleQuoted(text, place) : literal(text, place.indent);
  if (resolvePlain(text).tag !== "str" || isBase60.test(text)) return doubleQuoted(text, place);
  if (!isIndicator.test(text) && !text.startsWith(" ") && !text.endsWith(" ")) return fold(text, "", place);
  return `'${fold(text, "'", place)}'`;
}

function literal(text: string, indent: number): string {
  const hint = text.startsWith(" ") || text.startsWith("\n") ? String(indentStep) : "";
  const chomp = !text.endsWith("\n") ? "-" : text === "\n" || text.endsWith("\n\n") ? "+" : "";
  const lines = text.replace(/^(?=[^\n])/gm, " ".repeat(indent));
  return `|${hint}${chomp}\n${lines.endsWith("\n") ? lines.slice(0, -1) : lines}`;
}

/** Breaks a text at single spaces beyond the preferred width, and doubles its quotes. */
function fold(text: string, quote: string, { indent, column, mayFold }: Place): string {
  const quoted = quote === "" ? text : text.replaceAll(quote, quote + quote);
  if (!mayFold || column + quoted.length <= preferredWidth) return quoted;
  let out = "";
  let from = 0;
  let at = column + quote.length;
  for (let index = 0; index < quoted.length; index++) {
    const isFoldable = at > preferredWidth && index > 0 && index < quoted.length - 1 && isSingleSpace(quoted, index);
    at++;
    if (!isFoldable) continue;
    out += `${quoted.slice(from, index)}\n${" ".repeat(indent)}`;
    from = index + 1;
    at = indent;
  }
  return out + quoted.slice(from);
}

function isSingleSpace(text: string, at: number): boolean {
  return text[at] === " " && text[at - 1] !== " " && text[at + 1] !== " ";
}

const namedEscapes: Readonly<Record<number, string>> = {
  0: "0",
  7: "a",
  8: "b",
  9: "t",
  10: "n",
  11: "v",
  12: "f",
  13: "r",
  27: "e",
  34: '"',
  92: "\\",
  133: "N",
  160: "_",
  8232: "L",
  8233: "P",
};
/** A break swallows the space before it: a second space is kept by a backslash. */
function doubleQuoted(text: string, { indent, column, mayFold }: Place): string {
  let out = '"';
  let at = column + 1;
  let wasSpace = false;
  let index = 0;
  for (const char of text) {
    const isSpace = char === " ";
    let piece = escaped.test(char) ? escapeOf(char) : char;
    const isInside = index > 0 && index < text.length - 1;
    index += char.length;
    at += piece.length;
    if (isSpace && mayFold && !wasSpace && at - 1 > preferredWidth && isInside) {
      const kept = text[index] === " " ? "\\" : "";
      piece = `\n${" ".repeat(indent)}${kept}`;
      at = indent + kept.length;
    }
    out += piece;
    wasSpace = isSpace;
  }
  return `${out}"`;
}

function escapeOf(char: string): string {
  const code = char.codePointAt(0) as number;
  const named = namedEscapes[code];
  if (named !== undefined) return `\\${named}`;
  const hex = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

function numberOrWord(value: null | boolean | number | bigint): string {
  if (typeof value !== "number") return String(value);
  const text = encodeJson(value);
  if (text === "-0") return "0";
  const resolved = resolvePlain(text);
  return resolved.tag === "int" ? text : formatFloat(value);
}
