/**
 * Label selectors: the text of `?labelSelector=`, its requirements as data, and the match.
 *
 * A selector is the AND of its requirements, sorted by key. A match allocates nothing: it runs for
 * every object of a list and every event of a watch.
 * Source: apimachinery pkg/labels/selector.go.
 */
import { type FieldError, fieldInvalid, formatFieldError } from "./field-error.ts";
import { labelValueErrors, qualifiedNameErrors } from "./names.ts";

/** Kubernetes' words for what a requirement asks. */
export type LabelOperator = "in" | "notin" | "=" | "==" | "!=" | "gt" | "lt" | "exists" | "!";

/** One condition on one label. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  /** Sorted, without duplicates; one for the comparisons, none for `exists` and `!`. */
  readonly values: readonly string[];
}

/** The AND of its requirements; without any, it matches everything. */
export interface LabelSelector {
  readonly requirements: readonly LabelRequirement[];
}

/**
 * Reads a selector, `a=b,c in (d,e),!f`.
 * @throws Error with Kubernetes' text, such as `unable to parse requirement: found 'b', expected: in, notin, …`.
 */
export function parseLabelSelector(text: string): LabelSelector {
  const requirements = new Parser(text).parse();
  requirements.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return { requirements };
}

/** Gives the text that parses to the same selector. */
export function formatLabelSelector(selector: LabelSelector): string {
  return selector.requirements.map(formatRequirement).join(",");
}

/** Labels as an object carries them. What is no string counts as absent. */
export type Labels = Readonly<Record<string, unknown>>;

/** Whether labels meet every requirement. */
export function matchesLabels(selector: LabelSelector, labels: Labels): boolean {
  for (const requirement of selector.requirements) {
    if (!meets(requirement, labels[requirement.key])) return false;
  }
  return true;
}

/** Gives the one value that a label must have to match; undefined if the selector asks for no single one. */
export function requiresExactLabel(selector: LabelSelector, key: string): string | undefined {
  const first = selector.requirements.find((requirement) => requirement.key === key);
  if (first === undefined || first.values.length !== 1) return undefined;
  return first.operator === "=" || first.operator === "==" || first.operator === "in" ? first.values[0] : undefined;
}

function meets(requirement: LabelRequirement, label: unknown): boolean {
  const isSet = typeof label === "string";
  switch (requirement.operator) {
    case "in":
    case "=":
    case "==":
      return isSet && requirement.values.includes(label);
    case "notin":
    case "!=":
      return !isSet || !requirement.values.includes(label);
    case "exists":
      return isSet;
    case "!":
      return !isSet;
    default:
      return isSet && meetsBound(requirement, label);
  }
}

function meetsBound(requirement: LabelRequirement, label: string): boolean {
  const value = parseInt64(label);
  const bound = parseInt64(requirement.values[0] ?? "");
  if (value === undefined || bound === undefined) return false;
  return requirement.operator === "gt" ? value > bound : value < bound;
}

/** A number where it is exact, else a bigint: they compare by value. Undefined for what is no int64. */
function parseInt64(text: string): number | bigint | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  if (text.length <= 15) return Number(text);
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  const list = values.join(",");
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${list})`;
    case "gt":
      return `${key}>${list}`;
    case "lt":
      return `${key}<${list}`;
    default:
      return `${key}${operator}${list}`;
  }
}

/** A token: its kind is its own text for operators and brackets, `word` for the rest, `` at the end. */
interface Token {
  readonly kind: string;
  readonly text: string;
}

const end: Token = { kind: "", text: "" };
const symbols = new Set(["=", "!", "(", ")", ",", ">", "<"]);
const doubleSymbols = new Set(["==", "!="]);
const operatorOf: ReadonlyMap<string, LabelOperator> = new Map([
  ["in", "in"],
  ["notin", "notin"],
  ["=", "="],
  ["==", "=="],
  ["!=", "!="],
  [">", "gt"],
  ["<", "lt"],
]);
const operatorList = "in, notin, =, ==, !=, gt, lt";

/** Splits into tokens. Go's lexer skips a NUL right after a token and takes any other for the end. */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < text.length) {
    const char = text.charAt(position);
    if (isSpace(char)) {
      position++;
      continue;
    }
    if (char === "\0") break;
    if (symbols.has(char)) {
      const pair = text.slice(position, position + 2);
      const symbol = doubleSymbols.has(pair) ? pair : char;
      tokens.push({ kind: symbol, text: symbol });
      position += symbol.length;
      if (text.charAt(position) === "\0") position++;
      continue;
    }
    const start = position;
    while (position < text.length && !isWordEnd(text.charAt(position))) position++;
    const word = text.slice(start, position);
    tokens.push({ kind: word === "in" || word === "notin" ? word : "word", text: word });
    if (text.charAt(position) === "\0") position++;
  }
  tokens.push(end);
  return tokens;
}

const isSpace = (char: string): boolean => char === " " || char === "\t" || char === "\r" || char === "\n";
const isWordEnd = (char: string): boolean => char === "\0" || isSpace(char) || symbols.has(char);

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const first = this.#peek();
      if (first.kind === "") return requirements;
      if (!isWord(first) && first.kind !== "!") {
        throw new Error(`found '${first.text}', expected: !, identifier, or 'end of string'`);
      }
      requirements.push(this.#requirement());
      const next = this.#take();
      if (next.kind === "") return requirements;
      if (next.kind !== ",") throw new Error(`found '${next.text}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (!isWord(after) && after.kind !== "!") {
        throw new Error(`found '${after.text}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): LabelRequirement {
    let token = this.#take();
    const isNegated = token.kind === "!";
    if (isNegated) token = this.#take();
    if (!isWord(token)) throw unparsable(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const keyError = keyErrorOf(key, "<nil>");
    if (keyError !== undefined) throw unparsable(formatFieldError(keyError));
    const next = this.#peek();
    if (isNegated) return { key, operator: "!", values: [] };
    if (next.kind === "" || next.kind === ",") return { key, operator: "exists", values: [] };
    this.#take();
    const operator = operatorOf.get(next.kind);
    if (operator === undefined) throw unparsable(`found '${next.text}', expected: ${operatorList}`);
    const values = operator === "in" || operator === "notin" ? this.#values() : [this.#value()];
    return checked({ key, operator, values });
  }

  #value(): string {
    const next = this.#peek();
    if (next.kind === "" || next.kind === ",") return "";
    this.#take();
    if (!isWord(next)) throw unparsable(`found '${next.text}', expected: identifier`);
    return next.text;
  }

  #values(): string[] {
    const open = this.#take();
    if (open.kind !== "(") throw unparsable(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (first.kind === ")") {
      this.#take();
      return [""];
    }
    if (!isWord(first) && first.kind !== ",") {
      throw unparsable(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = this.#list();
    this.#take();
    return [...values].sort();
  }

  /** Reads up to the closing bracket. An empty place between, before or after commas is the empty value. */
  #list(): Set<string> {
    const values = new Set<string>();
    for (;;) {
      const token = this.#take();
      const next = this.#peek();
      if (isWord(token)) {
        values.add(token.text);
        if (next.kind === ")") return values;
        if (next.kind !== ",") throw unparsable(`found '${next.text}', expected: ',' or ')'`);
      } else if (token.kind === ",") {
        if (values.size === 0 || next.kind === ")" || next.kind === ",") values.add("");
        if (next.kind === ")") return values;
      } else throw unparsable(`found '${token.text}', expected: ',', or identifier`);
    }
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? end;
  }

  #take(): Token {
    return this.#tokens[this.#position++] ?? end;
  }
}

/** `in` and `notin` are words wherever no operator is looked for. */
function isWord(token: Token): boolean {
  return token.kind === "word" || token.kind === "in" || token.kind === "notin";
}

function unparsable(why: string): Error {
  return new Error(`unable to parse requirement: ${why}`);
}

function keyErrorOf(key: string, field: string): FieldError | undefined {
  const errors = qualifiedNameErrors(key);
  return errors.length === 0 ? undefined : fieldInvalid(field, key, errors.join("; "));
}

function checked(requirement: LabelRequirement): LabelRequirement {
  const { key, operator, values } = requirement;
  const errors: FieldError[] = [];
  if ((operator === "gt" || operator === "lt") && parseInt64(values[0] ?? "") === undefined) {
    errors.push(fieldInvalid("values[0]", values[0], "for 'Gt', 'Lt' operators, the value must be an integer"));
  }
  for (const [index, value] of values.entries()) {
    const complaints = labelValueErrors(value);
    if (complaints.length > 0) errors.push(fieldInvalid(`values[${index}][${key}]`, value, complaints.join("; ")));
  }
  const texts = [...new Set(errors.map(formatFieldError))];
  if (texts.length > 0) throw unparsable(texts.length === 1 ? (texts[0] as string) : `[${texts.join(", ")}]`);
  return requirement;
}
