/**
 * YAML tokens into nodes: scalars, sequences, mappings and aliases, as they stand in the text.
 *
 * A machine with a stack of states, one token or so a step. Only the first document is read.
 * Source: YAML 1.1; go.yaml.in/yaml/v2 parserc.go, decode.go.
 */
import { type YamlSyntaxError, yamlFault } from "./yaml-error.ts";
import { type Token, type TokenKind, YamlScanner } from "./yaml-scanner.ts";

/** A node of the text. A mapping's children are keys and values in turn. */
export interface YamlNode {
  readonly kind: "scalar" | "sequence" | "mapping" | "alias";
  /** Counted from 0. */
  readonly line: number;
  /** The full tag; "" if there is none. */
  readonly tag: string;
  /** A scalar's text, or an alias's name. */
  readonly value: string;
  /** Whether a scalar stands without quotes and without a tag, so that its text says what it is. */
  readonly isPlain: boolean;
  readonly children: YamlNode[];
  /** What an alias stands for. */
  readonly target: YamlNode | undefined;
}

type State =
  | "documentStart"
  | "documentContent"
  | "documentEnd"
  | "blockNode"
  | "blockSequenceFirst"
  | "blockSequence"
  | "indentlessSequence"
  | "blockMappingFirst"
  | "blockMappingKey"
  | "blockMappingValue"
  | "flowSequenceFirst"
  | "flowSequence"
  | "flowPairKey"
  | "flowPairValue"
  | "flowPairEnd"
  | "flowMappingFirst"
  | "flowMappingKey"
  | "flowMappingValue"
  | "flowMappingEmptyValue"
  | "done";

interface Properties {
  readonly anchor: string;
  readonly tag: string;
  readonly line: number;
}

const noProperties = { anchor: "", tag: "" };
const defaultTagHandles: readonly (readonly [string, string])[] = [
  ["!", "!"],
  ["!!", "tag:yaml.org,2002:"],
];

/** Builds the nodes of a text. */
export class YamlParser {
  readonly #scanner: YamlScanner;
  readonly #states: State[] = [];
  #state: State = "documentStart";
  /** Collections that are open, the outermost first. */
  readonly #open: YamlNode[] = [];
  readonly #anchors = new Map<string, YamlNode>();
  readonly #tagHandles = new Map<string, string>();
  /** The document's node, once it has begun. */
  root: YamlNode | undefined;

  constructor(text: string) {
    this.#scanner = new YamlScanner(text);
  }

  /** Works on the next token or two; true when the document has ended. @throws YamlSyntaxError */
  step(): boolean {
    switch (this.#state) {
      case "documentStart":
        this.#startDocument();
        break;
      case "documentContent":
        if (isDocumentBorder(this.#peek().kind)) this.#emptyThenReturn();
        else this.#node("block");
        break;
      case "documentEnd":
        this.#peek();
        this.#state = "done";
        break;
      case "blockNode":
        this.#node("block");
        break;
      case "blockSequenceFirst":
        this.#skip();
        this.#blockSequence();
        break;
      case "blockSequence":
        this.#blockSequence();
        break;
      case "indentlessSequence":
        this.#indentlessSequence();
        break;
      case "blockMappingFirst":
        this.#skip();
        this.#blockMappingKey();
        break;
      case "blockMappingKey":
        this.#blockMappingKey();
        break;
      case "blockMappingValue":
        this.#blockMappingValue();
        break;
      case "flowSequenceFirst":
        this.#skip();
        this.#flowSequence(true);
        break;
      case "flowSequence":
        this.#flowSequence(false);
        break;
      case "flowPairKey":
        this.#flowPairKey();
        break;
      case "flowPairValue":
        this.#flowPairValue();
        break;
      case "flowPairEnd":
        this.#state = "flowSequence";
        this.#open.pop();
        break;
      case "flowMappingFirst":
        this.#skip();
        this.#flowMappingKey(true);
        break;
      case "flowMappingKey":
        this.#flowMappingKey(false);
        break;
      case "flowMappingValue":
        this.#flowMappingValue();
        break;
      case "flowMappingEmptyValue":
        this.#empty("flowMappingKey");
        break;
      case "done":
        return true;
    }
    return this.#state === "done";
  }

  #peek(): Token {
    return this.#scanner.peek();
  }

  #skip(): void {
    this.#peek();
    this.#scanner.skip();
  }

  /** A parser's lines are one less than a scanner's: that is how go-yaml tells them. */
  #fault(problem: string, line: number): YamlSyntaxError {
    return yamlFault(line === 0 ? problem : `line ${line}: ${problem}`);
  }

  #startDocument(): void {
    const first = this.#peek().kind;
    if (first === "streamEnd") {
      this.#state = "done";
      return;
    }
    const isExplicit = first === "version" || first === "tagDirective" || first === "documentStart";
    this.#readDirectives();
    this.#states.push("documentEnd");
    this.#state = isExplicit ? "documentContent" : "blockNode";
    if (!isExplicit) return;
    const token = this.#peek();
    if (token.kind !== "documentStart") throw this.#fault("did not find expected <document start>", token.mark.line);
    this.#skip();
  }

  #readDirectives(): void {
    let hasVersion = false;
    for (let token = this.#peek(); token.kind === "version" || token.kind === "tagDirective"; token = this.#peek()) {
      if (token.kind === "version") {
        if (hasVersion) throw this.#fault("found duplicate %YAML directive", token.mark.line);
        if (token.value !== "1.1") throw this.#fault("found incompatible YAML document", token.mark.line);
        hasVersion = true;
      } else {
        if (this.#tagHandles.has(token.value)) throw this.#fault("found duplicate %TAG directive", token.mark.line);
        this.#tagHandles.set(token.value, token.suffix);
      }
      this.#skip();
    }
    for (const [handle, prefix] of defaultTagHandles) {
      if (!this.#tagHandles.has(handle)) this.#tagHandles.set(handle, prefix);
    }
  }

  #return(): void {
    this.#state = this.#states.pop() as State;
  }

  #node(context: "block" | "blockOrIndentless" | "flow"): void {
    const first = this.#peek();
    if (first.kind === "alias") return this.#alias(first);
    const properties = this.#readProperties(first);
    const token = this.#peek();
    if (context === "blockOrIndentless" && token.kind === "blockEntry") {
      return this.#begin("sequence", properties, "indentlessSequence");
    }
    switch (token.kind) {
      case "scalar":
        return this.#scalar(token, properties);
      case "flowSequenceStart":
        return this.#begin("sequence", properties, "flowSequenceFirst");
      case "flowMappingStart":
        return this.#begin("mapping", properties, "flowMappingFirst");
      case "blockSequenceStart":
        if (context !== "flow") return this.#begin("sequence", properties, "blockSequenceFirst");
        break;
      case "blockMappingStart":
        if (context !== "flow") return this.#begin("mapping", properties, "blockMappingFirst");
        break;
    }
    if (properties.anchor === "" && properties.tag === "") {
      throw this.#fault("did not find expected node content", token.mark.line || properties.line);
    }
    this.#return();
    this.#put({ kind: "scalar", value: "", isPlain: properties.tag === "" }, properties);
  }

  #alias(token: Token): void {
    this.#return();
    this.#skip();
    const target = this.#anchors.get(token.value);
    if (target === undefined) throw yamlFault(`unknown anchor '${token.value}' referenced`);
    this.#put({ kind: "alias", value: token.value, target }, { ...noProperties, line: token.mark.line });
  }

  /** Reads an anchor and a tag, in any order. */
  #readProperties(first: Token): Properties {
    let anchor = "";
    let tag: Token | undefined;
    for (let token = first; ; token = this.#peek()) {
      if (token.kind === "anchor" && anchor === "") anchor = token.value;
      else if (token.kind === "tag" && tag === undefined) tag = token;
      else break;
      this.#skip();
    }
    return { anchor, tag: tag === undefined ? "" : this.#fullTag(tag, first.mark.line), line: first.mark.line };
  }

  #fullTag(token: Token, contextLine: number): string {
    if (token.value === "") return token.suffix;
    const prefix = this.#tagHandles.get(token.value);
    if (prefix === undefined) throw this.#fault("found undefined tag handle", token.mark.line || contextLine);
    return prefix + token.suffix;
  }

  #scalar(token: Token, properties: Properties): void {
    this.#return();
    this.#skip();
    const isPlain = properties.tag === "" ? token.isPlain : properties.tag === "!";
    this.#put({ kind: "scalar", value: token.value, isPlain }, properties);
  }

  #begin(kind: "sequence" | "mapping", properties: Properties, state: State): void {
    this.#state = state;
    this.#open.push(this.#put({ kind }, properties));
  }

  #end(): void {
    this.#return();
    this.#open.pop();
  }

  #put(
    given: { kind: YamlNode["kind"]; value?: string; isPlain?: boolean; target?: YamlNode },
    { anchor, tag, line }: Properties,
  ): YamlNode {
    const { kind, value = "", isPlain = false, target } = given;
    const node: YamlNode = { kind, line, tag, value, isPlain, children: [], target };
    if (anchor !== "") this.#anchors.set(anchor, node);
    const parent = this.#open[this.#open.length - 1];
    if (parent === undefined) this.root = node;
    else parent.children.push(node);
    return node;
  }

  /** Puts a node for what isn't there, and goes on with `next`. */
  #empty(next: State, line = this.#peek().mark.line): void {
    this.#state = next;
    this.#put({ kind: "scalar", isPlain: true }, { ...noProperties, line });
  }

  #emptyThenReturn(): void {
    this.#empty(this.#states.pop() as State);
  }

  /** Reads a node and goes on with `next`, or puts an empty one if one of `ends` is here. */
  #nodeUnless(ends: readonly TokenKind[], next: State, context: "block" | "blockOrIndentless" | "flow", line?: number) {
    if (ends.includes(this.#peek().kind)) return this.#empty(next, line);
    this.#states.push(next);
    this.#node(context);
  }

  #blockSequence(): void {
    const token = this.#peek();
    if (token.kind === "blockEntry") {
      this.#skip();
      return this.#nodeUnless(["blockEntry", "blockEnd"], "blockSequence", "block", token.mark.line);
    }
    if (token.kind !== "blockEnd") throw this.#collectionFault("did not find expected '-' indicator", token);
    this.#end();
    this.#skip();
  }

  #indentlessSequence(): void {
    const token = this.#peek();
    if (token.kind !== "blockEntry") return this.#end();
    this.#skip();
    const ends: TokenKind[] = ["blockEntry", "key", "value", "blockEnd"];
    this.#nodeUnless(ends, "indentlessSequence", "block", token.mark.line);
  }

  #blockMappingKey(): void {
    const token = this.#peek();
    if (token.kind === "key") {
      this.#skip();
      const ends: TokenKind[] = ["key", "value", "blockEnd"];
      return this.#nodeUnless(ends, "blockMappingValue", "blockOrIndentless", token.mark.line);
    }
    if (token.kind !== "blockEnd") throw this.#collectionFault("did not find expected key", token);
    this.#end();
    this.#skip();
  }

  #blockMappingValue(): void {
    const token = this.#peek();
    if (token.kind !== "value") return this.#empty("blockMappingKey");
    this.#skip();
    this.#nodeUnless(["key", "value", "blockEnd"], "blockMappingKey", "blockOrIndentless", token.mark.line);
  }

  #flowSequence(isFirst: boolean): void {
    if (!isFirst && this.#peek().kind !== "flowSequenceEnd") this.#skipComma("did not find expected ',' or ']'");
    const token = this.#peek();
    if (token.kind === "flowSequenceEnd") {
      this.#end();
      return this.#skip();
    }
    if (token.kind === "key") {
      this.#begin("mapping", { ...noProperties, line: token.mark.line }, "flowPairKey");
      return this.#skip();
    }
    this.#states.push("flowSequence");
    this.#node("flow");
  }

  #skipComma(problem: string): void {
    const token = this.#peek();
    if (token.kind !== "flowEntry") throw this.#collectionFault(problem, token);
    this.#skip();
  }

  #flowPairKey(): void {
    const token = this.#peek();
    const ends: TokenKind[] = ["value", "flowEntry", "flowSequenceEnd"];
    const isEmpty = ends.includes(token.kind);
    this.#nodeUnless(ends, "flowPairValue", "flow", token.mark.line);
    // libyaml drops what stands here, the colon too.
    if (isEmpty) this.#skip();
  }

  #flowPairValue(): void {
    const token = this.#peek();
    if (token.kind !== "value") return this.#empty("flowPairEnd");
    this.#skip();
    this.#nodeUnless(["flowEntry", "flowSequenceEnd"], "flowPairEnd", "flow");
  }

  #flowMappingKey(isFirst: boolean): void {
    if (!isFirst && this.#peek().kind !== "flowMappingEnd") this.#skipComma("did not find expected ',' or '}'");
    const token = this.#peek();
    if (token.kind === "flowMappingEnd") {
      this.#end();
      return this.#skip();
    }
    if (token.kind === "key") {
      this.#skip();
      return this.#nodeUnless(["value", "flowEntry", "flowMappingEnd"], "flowMappingValue", "flow");
    }
    this.#states.push("flowMappingEmptyValue");
    this.#node("flow");
  }

  #flowMappingValue(): void {
    const token = this.#peek();
    if (token.kind !== "value") return this.#empty("flowMappingKey");
    this.#skip();
    this.#nodeUnless(["flowEntry", "flowMappingEnd"], "flowMappingKey", "flow");
  }

  #collectionFault(problem: string, token: Token): YamlSyntaxError {
    const begun = this.#open[this.#open.length - 1];
    return this.#fault(problem, token.mark.line || (begun?.line ?? 0));
  }
}

function isDocumentBorder(kind: TokenKind): boolean {
  return ["version", "tagDirective", "documentStart", "documentEnd", "streamEnd"].includes(kind);
}
