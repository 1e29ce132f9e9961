/**
 * YAML text into tokens, one after the other.
 *
 * Whether a text is a key shows only at the colon behind it: so a token may have to be put in front
 * of tokens that are already waiting. Block structure is told by tokens of its own, found from the
 * indentation. Faults have the words of libyaml, and lines as go-yaml counts them.
 * Source: YAML 1.1; go.yaml.in/yaml/v2 scannerc.go.
 */
import type { YamlSyntaxError } from "./yaml-error.ts";
import { type BlockScalarPlace, CharReader, isBlankOrEnd, type Mark } from "./yaml-reader.ts";

/** Kinds of tokens; the block ones stand for changes of the indentation. */
export type TokenKind =
  | "streamEnd"
  | "version"
  | "tagDirective"
  | "documentStart"
  | "documentEnd"
  | "blockSequenceStart"
  | "blockMappingStart"
  | "blockEnd"
  | "flowSequenceStart"
  | "flowSequenceEnd"
  | "flowMappingStart"
  | "flowMappingEnd"
  | "blockEntry"
  | "flowEntry"
  | "key"
  | "value"
  | "alias"
  | "anchor"
  | "tag"
  | "scalar";

/** One token. `value` is a scalar's text, an anchor's name, a tag's handle, a version; `suffix` a tag's rest. */
export interface Token {
  readonly kind: TokenKind;
  readonly mark: Mark;
  readonly value: string;
  readonly suffix: string;
  /** A scalar without quotes. */
  readonly isPlain: boolean;
}

interface SimpleKey {
  readonly mark: Mark;
  readonly isRequired: boolean;
  readonly tokenNumber: number;
}

/** libyaml's limits: on nesting, and on the characters between a key and its colon. */
const maxDepth = 10_000;
const maxSimpleKeyLength = 1024;

/** Gives the tokens of a text. */
export class YamlScanner {
  readonly #reader: CharReader;
  #tokens: Token[] = [];
  #head = 0;
  #taken = 0;
  #indent = -1;
  readonly #indents: number[] = [];
  /** A possible key for each level of flow collections, the block level first. */
  readonly #simpleKeys: (SimpleKey | undefined)[] = [undefined];
  /** The numbers of the tokens that began those levels, beyond the block level. */
  readonly #levelTokens: number[] = [];
  /** The possible keys by the numbers of their tokens. */
  readonly #keyTokens = new Map<number, SimpleKey>();
  #isKeyAllowed = true;

  constructor(text: string) {
    this.#reader = new CharReader(text);
  }

  /** Gives the next token, and leaves it there. */
  peek(): Token {
    while (this.#head === this.#tokens.length || this.#mayBeKey(this.#taken)) this.#fetch();
    return this.#tokens[this.#head] as Token;
  }

  /** Drops the token that `peek` gave. */
  skip(): void {
    this.#head++;
    this.#taken++;
    if (this.#head === this.#tokens.length) {
      this.#tokens = [];
      this.#head = 0;
    }
  }

  /** Whether the token may still turn out to begin a key, so that others have to go before it. */
  #mayBeKey(tokenNumber: number): boolean {
    const key = this.#keyTokens.get(tokenNumber);
    return key !== undefined && this.#isStillPossible(key);
  }

  #isStillPossible(key: SimpleKey): boolean {
    const { line, position } = this.#reader;
    if (key.mark.line === line && key.mark.position + maxSimpleKeyLength >= position) return true;
    if (key.isRequired) throw this.#fault("could not find expected ':'");
    this.#dropKey(key);
    return false;
  }

  #dropKey(key: SimpleKey): void {
    this.#keyTokens.delete(key.tokenNumber);
    const level = this.#simpleKeys.lastIndexOf(key);
    if (level >= 0) this.#simpleKeys[level] = undefined;
  }

  #fault(problem: string): YamlSyntaxError {
    return this.#reader.fault(problem);
  }

  #isInFlow(): boolean {
    return this.#simpleKeys.length > 1;
  }

  #add(kind: TokenKind, mark: Mark, more: { value?: string; suffix?: string; isPlain?: boolean } = {}): void {
    this.#tokens.push({
      kind,
      mark,
      value: more.value ?? "",
      suffix: more.suffix ?? "",
      isPlain: more.isPlain ?? false,
    });
  }

  #fetch(): void {
    const reader = this.#reader;
    this.#skipToToken();
    this.#unrollIndent(reader.column);
    const code = reader.at(0);
    if (code === 0) return this.#fetchStreamEnd();
    if (reader.column === 0) {
      if (code === 0x25) return this.#fetchDirective();
      if (reader.isDocumentMark(0x2d)) return this.#fetchDocumentMark("documentStart");
      if (reader.isDocumentMark(0x2e)) return this.#fetchDocumentMark("documentEnd");
    }
    const isBeforeBlank = isBlankOrEnd(reader.at(1));
    const isInFlow = this.#isInFlow();
    switch (code) {
      case 0x5b:
        return this.#openFlow("flowSequenceStart");
      case 0x7b:
        return this.#openFlow("flowMappingStart");
      case 0x5d:
        return this.#closeFlow("flowSequenceEnd");
      case 0x7d:
        return this.#closeFlow("flowMappingEnd");
      case 0x2c:
        return this.#fetchFlowEntry();
      case 0x2d:
        if (isBeforeBlank) return this.#fetchBlockEntry();
        break;
      case 0x3f:
        if (isInFlow || isBeforeBlank) return this.#fetchKey();
        break;
      case 0x3a:
        if (isInFlow || isBeforeBlank) return this.#fetchValue();
        break;
      case 0x2a:
        return this.#fetchAnchor("alias");
      case 0x26:
        return this.#fetchAnchor("anchor");
      case 0x21:
        return this.#fetchTag();
      case 0x7c:
      case 0x3e:
        if (!isInFlow) return this.#fetchBlockScalar(code === 0x7c);
        break;
      case 0x27:
      case 0x22:
        return this.#fetchScalar(() => reader.readQuoted(code), false);
    }
    if (!mayBeginPlain(code, reader.at(1), isInFlow)) throw this.#fault("found character that cannot start any token");
    this.#fetchScalar(() => this.#readPlain(), true);
  }

  #skipToToken(): void {
    const reader = this.#reader;
    for (;;) {
      reader.skipBlanks(this.#isInFlow() || !this.#isKeyAllowed);
      if (reader.at(0) === 0x23) reader.skipComment();
      if (!reader.skipBreak()) return;
      if (!this.#isInFlow()) this.#isKeyAllowed = true;
    }
  }

  #fetchStreamEnd(): void {
    this.#reader.forceNewLine();
    this.#unrollIndent(-1);
    this.#removeKey();
    this.#isKeyAllowed = false;
    this.#add("streamEnd", this.#reader.mark());
  }

  #fetchDocumentMark(kind: "documentStart" | "documentEnd"): void {
    this.#unrollIndent(-1);
    this.#removeKey();
    this.#isKeyAllowed = false;
    this.#add(kind, this.#reader.mark());
    this.#reader.skip(3);
  }

  #fetchDirective(): void {
    this.#unrollIndent(-1);
    this.#removeKey();
    this.#isKeyAllowed = false;
    const mark = this.#reader.mark();
    const directive = this.#reader.readDirective();
    this.#add(directive.kind, mark, directive);
  }

  #openFlow(kind: "flowSequenceStart" | "flowMappingStart"): void {
    this.#saveKey();
    this.#simpleKeys.push(undefined);
    this.#levelTokens.push(this.#nextNumber());
    if (this.#simpleKeys.length > maxDepth + 1) throw this.#fault(`exceeded max depth of ${maxDepth}`);
    this.#isKeyAllowed = true;
    this.#addIndicator(kind);
  }

  #closeFlow(kind: "flowSequenceEnd" | "flowMappingEnd"): void {
    this.#removeKey();
    if (this.#isInFlow()) {
      this.#simpleKeys.pop();
      this.#forgetEmptyLevel(this.#levelTokens.pop() as number);
    }
    this.#isKeyAllowed = false;
    this.#addIndicator(kind);
  }

  /** go-yaml takes no `[]` or `{}` for a key. */
  #forgetEmptyLevel(tokenNumber: number): void {
    if (this.#nextNumber() === tokenNumber + 1) this.#keyTokens.delete(tokenNumber);
  }

  #fetchFlowEntry(): void {
    this.#removeKey();
    this.#isKeyAllowed = true;
    this.#addIndicator("flowEntry");
  }

  #fetchBlockEntry(): void {
    if (!this.#isInFlow()) {
      if (!this.#isKeyAllowed) throw this.#fault("block sequence entries are not allowed in this context");
      this.#rollIndent("blockSequenceStart", this.#reader.mark(), undefined);
    }
    this.#removeKey();
    this.#isKeyAllowed = true;
    this.#addIndicator("blockEntry");
  }

  #fetchKey(): void {
    if (!this.#isInFlow()) {
      if (!this.#isKeyAllowed) throw this.#fault("mapping keys are not allowed in this context");
      this.#rollIndent("blockMappingStart", this.#reader.mark(), undefined);
    }
    this.#removeKey();
    this.#isKeyAllowed = !this.#isInFlow();
    this.#addIndicator("key");
  }

  #fetchValue(): void {
    const key = this.#simpleKeys[this.#simpleKeys.length - 1];
    if (key !== undefined && this.#isStillPossible(key)) {
      this.#insert("key", key.mark, key.tokenNumber);
      this.#rollIndent("blockMappingStart", key.mark, key.tokenNumber);
      this.#dropKey(key);
      this.#isKeyAllowed = false;
    } else {
      if (!this.#isInFlow()) {
        if (!this.#isKeyAllowed) throw this.#fault("mapping values are not allowed in this context");
        this.#rollIndent("blockMappingStart", this.#reader.mark(), undefined);
      }
      this.#isKeyAllowed = !this.#isInFlow();
    }
    this.#addIndicator("value");
  }

  #fetchAnchor(kind: "alias" | "anchor"): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const mark = this.#reader.mark();
    this.#add(kind, mark, { value: this.#reader.readAnchor() });
  }

  #fetchTag(): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const mark = this.#reader.mark();
    const { handle, suffix } = this.#reader.readTag();
    this.#add("tag", mark, { value: handle, suffix });
  }

  #fetchBlockScalar(isLiteral: boolean): void {
    this.#removeKey();
    this.#isKeyAllowed = true;
    const mark = this.#reader.mark();
    const place: BlockScalarPlace = { isLiteral, parentIndent: this.#indent };
    this.#add("scalar", mark, { value: this.#reader.readBlockScalar(place) });
  }

  #fetchScalar(read: () => string, isPlain: boolean): void {
    this.#saveKey();
    this.#isKeyAllowed = false;
    const mark = this.#reader.mark();
    this.#add("scalar", mark, { value: read(), isPlain });
  }

  #readPlain(): string {
    const { text, endsInBreak } = this.#reader.readPlain(this.#indent + 1, this.#isInFlow());
    if (endsInBreak) this.#isKeyAllowed = true;
    return text;
  }

  #addIndicator(kind: TokenKind): void {
    this.#add(kind, this.#reader.mark());
    this.#reader.skip(1);
  }

  #insert(kind: TokenKind, mark: Mark, tokenNumber: number): void {
    const at = this.#head + tokenNumber - this.#taken;
    this.#tokens.splice(at < this.#head ? this.#tokens.length : at, 0, {
      kind,
      mark,
      value: "",
      suffix: "",
      isPlain: false,
    });
  }

  /** Notes that a key may begin here. In block context at the current indent it must be one. */
  #saveKey(): void {
    const isRequired = !this.#isInFlow() && this.#indent === this.#reader.column;
    if (!this.#isKeyAllowed) return;
    this.#removeKey();
    const tokenNumber = this.#nextNumber();
    const key = { mark: this.#reader.mark(), isRequired, tokenNumber };
    this.#simpleKeys[this.#simpleKeys.length - 1] = key;
    this.#keyTokens.set(tokenNumber, key);
  }

  /** The number that the next token gets. */
  #nextNumber(): number {
    return this.#taken + this.#tokens.length - this.#head;
  }

  #removeKey(): void {
    const last = this.#simpleKeys.length - 1;
    const key = this.#simpleKeys[last];
    if (key === undefined) return;
    if (key.isRequired) throw this.#fault("could not find expected ':'");
    this.#keyTokens.delete(key.tokenNumber);
    this.#simpleKeys[last] = undefined;
  }

  /** Begins a block collection if the column is beyond the indent; before an earlier token, if one is given. */
  #rollIndent(kind: TokenKind, mark: Mark, tokenNumber: number | undefined): void {
    if (this.#isInFlow() || this.#indent >= mark.column) return;
    this.#indents.push(this.#indent);
    this.#indent = mark.column;
    if (this.#indents.length > maxDepth) throw this.#fault(`exceeded max depth of ${maxDepth}`);
    if (tokenNumber === undefined) this.#add(kind, mark);
    else this.#insert(kind, mark, tokenNumber);
  }

  #unrollIndent(column: number): void {
    if (this.#isInFlow()) return;
    while (this.#indent > column) {
      this.#add("blockEnd", this.#reader.mark());
      this.#indent = this.#indents.pop() as number;
    }
  }
}

function mayBeginPlain(code: number, next: number, isInFlow: boolean): boolean {
  if (code === 0x2d) return next !== 0x20 && next !== 0x09;
  if (code === 0x3f || code === 0x3a) return !isInFlow && !isBlankOrEnd(next);
  return !isBlankOrEnd(code) && !",[]{}#&*!|>'\"%@`".includes(String.fromCharCode(code));
}
