/**
 * Reads the text of a JSONPath into its steps.
 *
 * White space, `$` and `@` between steps are skipped; text after a closing brace is not read.
 * Source: client-go util/jsonpath/parser.go.
 */

/** How a filter compares; `exists` asks only whether its left side finds something. */
export type FilterOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "exists" | "unknown";

/** One step of a path. */
export type PathNode =
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "wildcard" }
  | { readonly type: "recursive" }
  | {
      readonly type: "slice";
      readonly from: number | undefined;
      readonly to: number | undefined;
      readonly by: number | undefined;
      /** Written as one index: `[n]`. */
      readonly isItem: boolean;
    }
  | { readonly type: "union"; readonly paths: readonly (readonly PathNode[])[] }
  | {
      readonly type: "filter";
      readonly left: readonly PathNode[];
      readonly operator: FilterOperator;
      readonly right: readonly PathNode[];
    }
  | { readonly type: "constant"; readonly value: string | number | boolean; readonly isText: boolean }
  /** A bare word: it can be read, but nothing is found through it. */
  | { readonly type: "unknown" };

/** A path that can't be read. */
export class JsonPathSyntaxError extends Error {
  override readonly name = "JsonPathSyntaxError";
}

const terminators = new Set([" ", "\t", "\r", "\n", ".", ",", "[", "]", "$", "@", "{", "}"]);
const wordStart = /[\p{L}\p{Nd}_]/u;
const operators = new Set<string>(["==", "!=", "<", "<=", ">", ">="]);

interface Cursor {
  readonly text: string;
  at: number;
}

/** Reads a path. @throws JsonPathSyntaxError */
export function parsePath(text: string): readonly PathNode[] {
  const cursor: Cursor = { text, at: 0 };
  const nodes: PathNode[] = [];
  while (cursor.at < text.length && text[cursor.at] !== "}") readStep(cursor, nodes);
  return nodes;
}

function readStep(cursor: Cursor, nodes: PathNode[]): void {
  const { text, at } = cursor;
  const char = text[at] as string;
  if (text.startsWith("[?(", at)) return readFilter(cursor, nodes);
  if (text.startsWith("..", at)) return readRecursive(cursor, nodes);
  if (char === "\n" || char === "\r") throw new JsonPathSyntaxError("unclosed action");
  cursor.at++;
  if (char === " " || char === "@" || char === "$") return;
  if (char === "[") return readBrackets(cursor, nodes);
  if (char === '"' || char === "'") return readQuoted(cursor, nodes, char);
  if (char === ".") return readField(cursor, nodes);
  cursor.at--;
  if (/[-+\p{Nd}]/u.test(char)) return readNumber(cursor, nodes);
  if (wordStart.test(charAt(cursor))) return readWord(cursor, nodes);
  throw new JsonPathSyntaxError(`unrecognized character in action: ${charAt(cursor)}`);
}

function charAt({ text, at }: Cursor): string {
  const code = text.codePointAt(at);
  return code === undefined ? "" : String.fromCodePoint(code);
}

function readField(cursor: Cursor, nodes: PathNode[]): void {
  const { text } = cursor;
  const start = cursor.at;
  while (cursor.at < text.length && !terminators.has(text[cursor.at] as string)) {
    cursor.at += text[cursor.at] === "\\" ? 2 : 1;
  }
  cursor.at = Math.min(cursor.at, text.length);
  const name = text.slice(start, cursor.at);
  nodes.push(name === "*" ? { type: "wildcard" } : { type: "field", name: name.replaceAll("\\", "") });
}

function readRecursive(cursor: Cursor, nodes: PathNode[]): void {
  if (nodes.at(-1)?.type === "recursive") throw new JsonPathSyntaxError("invalid multiple recursive descent");
  cursor.at += 2;
  nodes.push({ type: "recursive" });
  if (wordStart.test(charAt(cursor))) readField(cursor, nodes);
}

function readWord(cursor: Cursor, nodes: PathNode[]): void {
  const { text } = cursor;
  const start = cursor.at;
  while (cursor.at < text.length && !terminators.has(text[cursor.at] as string)) cursor.at++;
  const word = text.slice(start, cursor.at);
  const isBoolean = word === "true" || word === "false";
  nodes.push(isBoolean ? { type: "constant", value: word === "true", isText: false } : { type: "unknown" });
}

function readNumber(cursor: Cursor, nodes: PathNode[]): void {
  const word = /^[-+]?[\p{Nd}.]*/u.exec(cursor.text.slice(cursor.at))?.[0] ?? "";
  cursor.at += word.length;
  if (!/^[-+]?(\d+\.?\d*|\.\d+)$/.test(word)) throw new JsonPathSyntaxError(`cannot parse number ${word}`);
  nodes.push({ type: "constant", value: Number(word), isText: false });
}

function readQuoted(cursor: Cursor, nodes: PathNode[], quote: string): void {
  const { text } = cursor;
  const start = cursor.at;
  for (; text[cursor.at] !== quote || text[cursor.at - 1] === "\\"; cursor.at++) {
    if (cursor.at >= text.length || text[cursor.at] === "\n")
      throw new JsonPathSyntaxError("unterminated quoted string");
  }
  const value = unescaped(text.slice(start, cursor.at), quote);
  cursor.at++;
  nodes.push({ type: "constant", value, isText: true });
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
};

function unescaped(text: string, quote: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\s\S])/g, (whole, code: string) => {
    if (code === quote) return quote;
    if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    const found = escapes[code];
    if (found === undefined) throw new JsonPathSyntaxError(`unquote string ${whole} error invalid syntax`);
    return found;
  });
}

function readBrackets(cursor: Cursor, nodes: PathNode[]): void {
  const { text } = cursor;
  const start = cursor.at;
  const end = text.indexOf("]", start);
  if (end < 0 || text.slice(start, end).includes("\n")) throw new JsonPathSyntaxError("unterminated array");
  cursor.at = end + 1;
  const inner = text.slice(start, end);
  const parts = inner.split(",");
  if (parts.length > 1) {
    nodes.push({ type: "union", paths: parts.map((part) => parsePath(`[${part.replace(/^ +| +$/g, "")}]`)) });
    return;
  }
  const key = /^'([^']*)'$/.exec(inner)?.[1];
  if (key !== undefined) nodes.push(...parsePath(`.${key}`));
  else nodes.push(sliceNode(inner === "*" ? ":" : inner));
}

function sliceNode(text: string): PathNode {
  const found = /^(-?\d*)(:-?\d*)?(:-?\d*)?$/.exec(text);
  if (found === null) throw new JsonPathSyntaxError(`invalid array index ${text}`);
  const [, from = "", to, by] = found;
  const isItem = to === undefined;
  return {
    type: "slice",
    from: indexFrom(from),
    to: isItem ? (indexFrom(from) ?? 0) + 1 : indexFrom(to.slice(1)),
    by: by === undefined ? undefined : indexFrom(by.slice(1)),
    isItem,
  };
}

function indexFrom(text: string): number | undefined {
  if (text === "") return undefined;
  if (text === "-") throw new JsonPathSyntaxError(`array index ${text} is not a number`);
  return Number(text);
}

function readFilter(cursor: Cursor, nodes: PathNode[]): void {
  const { text } = cursor;
  const start = cursor.at + 3;
  const end = filterEnd(text, start);
  if (text[end + 1] !== "]") throw new JsonPathSyntaxError("unclosed array expect ]");
  cursor.at = end + 2;
  const inner = text.slice(start, end);
  const parts = /^([^!<>=]+)([!<>=]+)(.+?)$/.exec(inner);
  if (parts === null) {
    nodes.push({ type: "filter", left: parsePath(inner), operator: "exists", right: [] });
    return;
  }
  const [, left = "", word = "", right = ""] = parts;
  const operator = operators.has(word) ? (word as FilterOperator) : "unknown";
  nodes.push({ type: "filter", left: parsePath(left), operator, right: parsePath(right) });
}

/** Gives the place of the parenthesis that ends a filter; one pair of quotes may hide others. */
function filterEnd(text: string, start: number): number {
  let quote = "";
  let isClosed = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at] as string;
    if (char === "\n") break;
    if (char === '"' || char === "'") {
      if (quote === "") quote = char;
      else if (char === quote && text[at - 1] !== "\\") isClosed = true;
    } else if (char === ")" && (quote === "" || isClosed)) return at;
  }
  throw new JsonPathSyntaxError("unterminated filter");
}
