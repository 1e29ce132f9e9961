/**
 * Whether a text is one e-mail address, as Go's mail.ParseAddress takes it: `a@b.c`, `Name <a@b.c>`,
 * or a group with one member.
 *
 * Deliberately absent: encoded words in names are not decoded.
 * Source: RFC 5322 section 3.4; Go net/mail message.go.
 */
import { isIPv4 } from "node:net";
import { isPlainIpv6 } from "./ip.ts";

/** Whether a text is one e-mail address. */
export function isEmail(text: string): boolean {
  const reader = new Reader(text);
  const count = reader.address(true);
  return count === 1 && reader.skipComments() && reader.isAtEnd();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Reads an address or a group. Gives how many addresses were in it, -1 if it is none. */
  address(allowsGroup: boolean): number {
    this.#skipSpace();
    if (this.isAtEnd()) return -1;
    if (this.#spec()) {
      this.#skipSpace();
      return this.#peek() !== "(" || this.#comment() ? 1 : -1;
    }
    if (this.#peek() !== "<" && !this.#phrase()) return -1;
    this.#skipSpace();
    if (allowsGroup && this.#take(":")) return this.#group();
    return this.#take("<") && this.#spec() && this.#take(">") ? 1 : -1;
  }

  #group(): number {
    this.#skipSpace();
    if (this.#take(";")) return this.skipComments() ? 0 : -1;
    for (let count = 1; ; count++) {
      this.#skipSpace();
      if (this.address(false) < 0 || !this.skipComments()) return -1;
      if (this.#take(";")) return this.skipComments() ? count : -1;
      if (!this.#take(",")) return -1;
    }
  }

  /** Reads `local@domain`; leaves the place as it was if there is none. */
  #spec(): boolean {
    const start = this.#at;
    this.#skipSpace();
    const isLocal = this.#peek() === '"' ? this.#quoted() > 0 : this.#atom(true);
    if (isLocal && this.#take("@")) {
      this.#skipSpace();
      if (this.#peek() === "[" ? this.#literal() : this.#atom(true)) return true;
    }
    this.#at = start;
    return false;
  }

  #phrase(): boolean {
    for (let words = 0; ; words++) {
      if (words > 0 && !this.skipComments()) return false;
      this.#skipSpace();
      if (this.isAtEnd()) return true;
      if (!(this.#peek() === '"' ? this.#quoted() >= 0 : this.#atom(false))) return words > 0;
    }
  }

  /** Reads a quoted text. Gives its length, -1 if it is none. */
  #quoted(): number {
    let length = 0;
    for (let index = this.#at + 1; index < this.#text.length; index++) {
      const char = this.#text[index] as string;
      if (char === '"') {
        this.#at = index + 1;
        return length;
      }
      if (char === "\\") index++;
      if (!isVisible(this.#text[index]) && this.#text[index] !== " " && this.#text[index] !== "\t") return -1;
      length++;
    }
    return -1;
  }

  /** Reads an atom with dots; `strict`: no dot at its ends, no two together. */
  #atom(strict: boolean): boolean {
    const start = this.#at;
    let end = start;
    while (isVisible(this.#text[end]) && !'()<>[]:;@\\,"'.includes(this.#text[end] as string)) end++;
    if (end === start) return false;
    this.#at = end;
    const atom = this.#text.slice(start, end);
    return !strict || !(atom.startsWith(".") || atom.endsWith(".") || atom.includes(".."));
  }

  #literal(): boolean {
    const close = this.#text.indexOf("]", this.#at);
    if (close < 0) return false;
    const address = this.#text.slice(this.#at + 1, close);
    this.#at = close + 1;
    return isIPv4(address) || isPlainIpv6(address, false);
  }

  /** Skips spaces and comments. False: a comment has no end. */
  skipComments(): boolean {
    this.#skipSpace();
    while (this.#peek() === "(") {
      if (!this.#comment()) return false;
      this.#skipSpace();
    }
    return true;
  }

  #comment(): boolean {
    let depth = 0;
    for (; !this.isAtEnd(); this.#at++) {
      const char = this.#peek();
      if (char === "\\" && this.#at + 1 < this.#text.length) this.#at++;
      else if (char === "(") depth++;
      else if (char === ")" && --depth === 0) {
        this.#at++;
        return true;
      }
    }
    return false;
  }

  #skipSpace(): void {
    while (this.#peek() === " " || this.#peek() === "\t") this.#at++;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }
}

function isVisible(char: string | undefined): boolean {
  return char !== undefined && ((char >= "!" && char <= "~") || char >= "\u0080");
}
