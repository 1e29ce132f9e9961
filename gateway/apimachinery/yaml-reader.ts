/**
 * Reads characters, and the parts of YAML that are characters only: scalars, tags, anchors,
 * directives and comments.
 *
 * Source: YAML 1.1; go.yaml.in/yaml/v2 scannerc.go.
 */
import { type YamlSyntaxError, yamlFault } from "./yaml-error.ts";

/** A place in the text. Lines and columns count from 0. */
export interface Mark {
  readonly position: number;
  readonly line: number;
  readonly column: number;
}

/** How a block scalar stands: `|` or `>`, and the indent of the collection that it is in. */
export interface BlockScalarPlace {
  readonly isLiteral: boolean;
  readonly parentIndent: number;
}

/** A directive's token: a version in `value`, or a tag's handle there and its prefix in `suffix`. */
export interface Directive {
  readonly kind: "version" | "tagDirective";
  readonly value: string;
  readonly suffix: string;
}

/** A text that is read from its start to its end. */
export class CharReader {
  readonly #text: string;
  /** Where the line begins, so that a column is a difference. */
  #lineStart = 0;
  position = 0;
  line = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get column(): number {
    return this.position - this.#lineStart;
  }

  mark(): Mark {
    return { position: this.position, line: this.line, column: this.column };
  }

  /** The character so many ahead; 0 beyond the end. */
  at(ahead: number): number {
    return this.#text.charCodeAt(this.position + ahead) | 0;
  }

  skip(count: number): void {
    this.position += count;
  }

  /** Whether `---` or `...` stands here, alone. */
  isDocumentMark(code: number): boolean {
    if (this.at(0) !== code || this.at(1) !== code || this.at(2) !== code) return false;
    return isBlankOrEnd(this.at(3));
  }

  skipBlanks(withTabs: boolean): void {
    while (this.at(0) === 0x20 || (withTabs && this.at(0) === 0x09)) this.position++;
  }

  skipComment(): void {
    while (!isBreakOrEnd(this.at(0))) this.position++;
  }

  /** Skips a line break; false if there is none. */
  skipBreak(): boolean {
    const code = this.at(0);
    if (!isBreak(code)) return false;
    this.position += code === 0x0d && this.at(1) === 0x0a ? 2 : 1;
    this.#lineStart = this.position;
    this.line++;
    return true;
  }

  /** Ends the last line, where the text doesn't. */
  forceNewLine(): void {
    if (this.column === 0) return;
    this.#lineStart = this.position;
    this.line++;
  }

  fault(problem: string): YamlSyntaxError {
    return yamlFault(this.line === 0 ? problem : `line ${this.line + 1}: ${problem}`);
  }

  /** Reads a line break as it counts in a scalar; "" if there is none. */
  #readBreak(): string {
    const code = this.at(0);
    if (!this.skipBreak()) return "";
    return code === 0x2028 || code === 0x2029 ? String.fromCharCode(code) : "\n";
  }

  /**
   * Reads a scalar without quotes.
   * @param indent the least column that its further lines have.
   */
  readPlain(indent: number, isInFlow: boolean): { readonly text: string; readonly endsInBreak: boolean } {
    let text = "";
    let between = "";
    let endsInBreak = false;
    for (;;) {
      if (this.column === 0 && (this.isDocumentMark(0x2d) || this.isDocumentMark(0x2e))) break;
      if (this.at(0) === 0x23) break;
      const start = this.position;
      this.#skipPlainWords(isInFlow);
      if (this.position > start) {
        text += between + this.#text.slice(start, this.position);
        between = "";
        endsInBreak = false;
      }
      if (!isBlankOrBreak(this.at(0))) break;
      const gap = this.#readGap(indent);
      between = gap.text;
      endsInBreak = gap.hasBreak;
      if (!isInFlow && this.column < indent) break;
    }
    return { text, endsInBreak };
  }

  /** Skips words, and blanks between words of one line. */
  #skipPlainWords(isInFlow: boolean): void {
    while (!this.#endsPlain(isInFlow)) {
      this.position++;
      if (!isBlank(this.at(0))) continue;
      const end = this.position;
      this.skipBlanks(true);
      if (this.at(0) !== 0x23 && !this.#endsPlain(isInFlow)) continue;
      this.position = end;
      return;
    }
  }

  #endsPlain(isInFlow: boolean): boolean {
    const code = this.at(0);
    if (isBlankOrEnd(code)) return true;
    if (code === 0x3a && isBlankOrEnd(this.at(1))) return true;
    return isInFlow && (code === 0x2c || code === 0x3f || isBracket(code));
  }

  /**
   * Reads blanks and breaks between two words, and gives what they count for: one break is a space,
   * more are one less.
   *
   * @param tabIndent a tab before this column, after a break, is a fault.
   */
  #readGap(tabIndent: number): { readonly text: string; readonly hasBreak: boolean } {
    let blanks = "";
    let first = "";
    let breaks = "";
    let hasBreak = false;
    while (isBlankOrBreak(this.at(0))) {
      if (isBreak(this.at(0))) {
        if (hasBreak) breaks += this.#readBreak();
        else first = this.#readBreak();
        hasBreak = true;
        continue;
      }
      if (hasBreak && this.column < tabIndent && this.at(0) === 0x09) {
        throw this.fault("found a tab character that violates indentation");
      }
      if (!hasBreak) blanks += this.#text[this.position];
      this.position++;
    }
    return { text: hasBreak ? joinBreaks(first, breaks) : blanks, hasBreak };
  }

  /** Reads a scalar in quotes; `quote` is the one that stands here. */
  readQuoted(quote: number): string {
    this.position++;
    let text = "";
    for (;;) {
      if (this.column === 0 && (this.isDocumentMark(0x2d) || this.isDocumentMark(0x2e))) {
        throw this.fault("found unexpected document indicator");
      }
      if (this.at(0) === 0) throw this.fault("found unexpected end of stream");
      const word = this.#readQuotedWords(quote);
      text += word.text;
      if (this.at(0) === quote) break;
      text += this.#readQuotedGap(word.endsInBreak);
    }
    this.position++;
    return text;
  }

  #readQuotedWords(quote: number): { readonly text: string; readonly endsInBreak: boolean } {
    let text = "";
    let start = this.position;
    for (let code = this.at(0); !this.#endsQuotedWords(code); code = this.at(0)) {
      if (code === quote) {
        if (quote !== 0x27 || this.at(1) !== 0x27) break;
        text += this.#text.slice(start, this.position + 1);
        this.position += 2;
        start = this.position;
      } else if (code === 0x5c && quote === 0x22) {
        text += this.#text.slice(start, this.position);
        if (isBreak(this.at(1))) {
          this.position++;
          this.skipBreak();
          return { text, endsInBreak: true };
        }
        text += this.#readEscape();
        start = this.position;
      } else this.position++;
    }
    return { text: text + this.#text.slice(start, this.position), endsInBreak: false };
  }

  /** Whether the line ends here, or after the blanks that stand here: then they don't count. */
  #endsQuotedWords(code: number): boolean {
    if (!isBlank(code)) return isBreakOrEnd(code);
    let ahead = 1;
    while (isBlank(this.at(ahead))) ahead++;
    if (isBreakOrEnd(this.at(ahead))) return true;
    this.position += ahead - 1;
    return false;
  }

  #readQuotedGap(isAfterBreak: boolean): string {
    if (!isAfterBreak) return this.#readGap(0).text;
    let breaks = "";
    while (isBlankOrBreak(this.at(0))) {
      if (isBreak(this.at(0))) breaks += this.#readBreak();
      else this.position++;
    }
    return breaks;
  }

  #readEscape(): string {
    const code = this.at(1);
    const length = code === 0x78 ? 2 : code === 0x75 ? 4 : code === 0x55 ? 8 : 0;
    if (length === 0) {
      const plain = escapes[String.fromCharCode(code)];
      if (plain === undefined || code === 0) throw this.fault("found unknown escape character");
      this.position += 2;
      return plain;
    }
    this.position += 2;
    const hex = this.#text.slice(this.position, this.position + length);
    if (!/^[0-9a-fA-F]+$/.test(hex) || hex.length < length) throw this.fault("did not find expected hexdecimal number");
    const value = Number.parseInt(hex, 16);
    if ((value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff) {
      throw this.fault("found invalid Unicode character escape code");
    }
    this.position += length;
    return String.fromCodePoint(value);
  }

  /** Reads a `|` or `>` scalar. */
  readBlockScalar({ isLiteral, parentIndent }: BlockScalarPlace): string {
    this.position++;
    const { chomping, increment } = this.#readBlockHeader();
    this.#skipRestOfLine();
    let indent = increment === 0 ? 0 : Math.max(parentIndent, 0) + increment;
    const leading = this.#readBlockBreaks(indent);
    if (indent === 0) indent = Math.max(leading.widest, parentIndent + 1, 1);
    let text = "";
    let breaks = leading.breaks;
    let lineBreak = "";
    let wasBlank = false;
    while (this.column === indent && this.at(0) !== 0) {
      const isBlankLine = isBlank(this.at(0));
      const isFolded = !isLiteral && !wasBlank && !isBlankLine && lineBreak === "\n";
      if (!isFolded) text += lineBreak;
      else if (breaks === "") text += " ";
      text += breaks;
      wasBlank = isBlankLine;
      const start = this.position;
      this.skipComment();
      text += this.#text.slice(start, this.position);
      lineBreak = this.#readBreak();
      breaks = this.#readBlockBreaks(indent).breaks;
    }
    if (chomping !== "-") text += lineBreak;
    return chomping === "+" ? text + breaks : text;
  }

  #readBlockHeader(): { readonly chomping: string; readonly increment: number } {
    let chomping = "";
    let increment = 0;
    const readChomping = () => {
      if (this.at(0) !== 0x2b && this.at(0) !== 0x2d) return;
      chomping = this.#text[this.position++] as string;
    };
    readChomping();
    if (isDigit(this.at(0))) {
      increment = this.at(0) - 0x30;
      if (increment === 0) throw this.fault("found an indentation indicator equal to 0");
      this.position++;
      if (chomping === "") readChomping();
    }
    return { chomping, increment };
  }

  /** Reads lines without text before or after lines of a block scalar. An indent of 0 isn't known yet. */
  #readBlockBreaks(indent: number): { readonly breaks: string; readonly widest: number } {
    let breaks = "";
    let widest = 0;
    for (;;) {
      while ((indent === 0 || this.column < indent) && this.at(0) === 0x20) this.position++;
      widest = Math.max(widest, this.column);
      if ((indent === 0 || this.column < indent) && this.at(0) === 0x09) {
        throw this.fault("found a tab character where an indentation space is expected");
      }
      if (!isBreak(this.at(0))) return { breaks, widest };
      breaks += this.#readBreak();
    }
  }

  #skipRestOfLine(): void {
    this.skipBlanks(true);
    if (this.at(0) === 0x23) this.skipComment();
    if (!isBreakOrEnd(this.at(0))) throw this.fault("did not find expected comment or line break");
    this.skipBreak();
  }

  /** Reads an anchor's or alias's name, from its indicator on. */
  readAnchor(): string {
    this.position++;
    const name = this.#readName();
    const isEnd = isBlankOrEnd(this.at(0)) || "?:,]}%@`".includes(String.fromCharCode(this.at(0)));
    if (name === "" || !isEnd) throw this.fault("did not find expected alphabetic or numeric character");
    return name;
  }

  #readName(): string {
    const start = this.position;
    while (isNameCode(this.at(0))) this.position++;
    return this.#text.slice(start, this.position);
  }

  /** Reads a tag: `!<uri>` has no handle. */
  readTag(): { readonly handle: string; readonly suffix: string } {
    const tag = this.at(1) === 0x3c ? this.#readVerbatimTag() : this.#readShorthandTag();
    if (!isBlankOrEnd(this.at(0))) throw this.fault("did not find expected whitespace or line break");
    return tag;
  }

  #readVerbatimTag(): { readonly handle: string; readonly suffix: string } {
    this.position += 2;
    const suffix = this.#readUri("");
    if (this.at(0) !== 0x3e) throw this.fault("did not find the expected '>'");
    this.position++;
    return { handle: "", suffix };
  }

  #readShorthandTag(): { readonly handle: string; readonly suffix: string } {
    const handle = this.#readTagHandle(false);
    if (handle.length > 1 && handle.endsWith("!")) return { handle, suffix: this.#readUri("") };
    const suffix = this.#readUri(handle);
    return suffix === "" ? { handle: "", suffix: "!" } : { handle: "!", suffix };
  }

  #readTagHandle(isDirective: boolean): string {
    if (this.at(0) !== 0x21) throw this.fault("did not find expected '!'");
    this.position++;
    const name = this.#readName();
    if (this.at(0) === 0x21) {
      this.position++;
      return `!${name}!`;
    }
    if (isDirective && name !== "") throw this.fault("did not find expected '!'");
    return `!${name}`;
  }

  /** Reads a tag's URI, after what was taken for a handle. */
  #readUri(head: string): string {
    const bytes: Buffer[] = [Buffer.from(head.slice(1))];
    let isThere = head !== "";
    for (let code = this.at(0); isUriCode(code); code = this.at(0)) {
      isThere = true;
      if (code === 0x25) bytes.push(this.#readUriEscapes());
      else {
        bytes.push(Buffer.of(code));
        this.position++;
      }
    }
    if (!isThere) throw this.fault("did not find expected tag URI");
    return Buffer.concat(bytes).toString();
  }

  #readUriEscapes(): Buffer {
    const octets: number[] = [];
    let left = 1;
    do {
      const hex = this.#text.slice(this.position + 1, this.position + 3);
      if (this.at(0) !== 0x25 || !/^[0-9a-fA-F]{2}$/.test(hex)) throw this.fault("did not find URI escaped octet");
      const octet = Number.parseInt(hex, 16);
      if (octets.length === 0) {
        left = utf8Width(octet);
        if (left === 0) throw this.fault("found an incorrect leading UTF-8 octet");
      } else if ((octet & 0xc0) !== 0x80) throw this.fault("found an incorrect trailing UTF-8 octet");
      octets.push(octet);
      this.position += 3;
    } while (--left > 0);
    return Buffer.from(octets);
  }

  /** Reads a line that begins with `%`. */
  readDirective(): Directive {
    this.position++;
    const name = this.#readName();
    if (name === "") throw this.fault("could not find expected directive name");
    if (!isBlankOrEnd(this.at(0))) throw this.fault("found unexpected non-alphabetical character");
    if (name !== "YAML" && name !== "TAG") throw this.fault("found unknown directive name");
    this.skipBlanks(true);
    const directive = name === "YAML" ? this.#readVersion() : this.#readTagDirective();
    this.#skipRestOfLine();
    return directive;
  }

  #readVersion(): Directive {
    const major = this.#readVersionNumber();
    if (this.at(0) !== 0x2e) throw this.fault("did not find expected digit or '.' character");
    this.position++;
    return { kind: "version", value: `${major}.${this.#readVersionNumber()}`, suffix: "" };
  }

  #readVersionNumber(): number {
    const start = this.position;
    while (isDigit(this.at(0))) {
      if (this.position - start === 2) throw this.fault("found extremely long version number");
      this.position++;
    }
    if (this.position === start) throw this.fault("did not find expected version number");
    return Number(this.#text.slice(start, this.position));
  }

  #readTagDirective(): Directive {
    const value = this.#readTagHandle(true);
    if (!isBlank(this.at(0))) throw this.fault("did not find expected whitespace");
    this.skipBlanks(true);
    const suffix = this.#readUri("");
    if (!isBlankOrEnd(this.at(0))) throw this.fault("did not find expected whitespace or line break");
    return { kind: "tagDirective", value, suffix };
  }
}

const escapes: Readonly<Record<string, string>> = {
  "0": "\0",
  a: "\u0007",
  b: "\b",
  t: "\t",
  "\t": "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\u001b",
  " ": " ",
  '"': '"',
  "'": "'",
  "\\": "\\",
  N: "\u0085",
  _: "\u00a0",
  L: "\u2028",
  P: "\u2029",
};

function joinBreaks(first: string, more: string): string {
  if (first !== "\n") return first + more;
  return more === "" ? " " : more;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function isBreak(code: number): boolean {
  return code === 0x0a || code === 0x0d || code === 0x85 || code === 0x2028 || code === 0x2029;
}

function isBlankOrBreak(code: number): boolean {
  return isBlank(code) || isBreak(code);
}

function isBreakOrEnd(code: number): boolean {
  return code === 0 || isBreak(code);
}

/** Whether a word ends before this character: at a blank, a break or the end. */
export function isBlankOrEnd(code: number): boolean {
  return code === 0 || isBlankOrBreak(code);
}

function isBracket(code: number): boolean {
  return code === 0x5b || code === 0x5d || code === 0x7b || code === 0x7d;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isNameCode(code: number): boolean {
  const lower = code | 0x20;
  return isDigit(code) || (lower >= 0x61 && lower <= 0x7a) || code === 0x5f || code === 0x2d;
}

function isUriCode(code: number): boolean {
  return code !== 0 && (isNameCode(code) || ";/?:@&=+$,.!~*'()[]%".includes(String.fromCharCode(code)));
}

function utf8Width(octet: number): number {
  if (octet < 0x80) return 1;
  if ((octet & 0xe0) === 0xc0) return 2;
  if ((octet & 0xf0) === 0xe0) return 3;
  return (octet & 0xf8) === 0xf0 ? 4 : 0;
}
