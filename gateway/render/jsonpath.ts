/**
 * JSONPath in Kubernetes' dialect, as printer columns use it.
 *
 *   .spec.x  ['a.b']  a\.b  [0] [-1] [1:3] [*] .*  ..name  [?(@.type=="Ready")]
 *
 * Missing keys give no result. Source: client-go util/jsonpath.
 */
import { isJsonObject, type JsonValue, sortedKeys } from "../apimachinery/json.ts";

/** Finds values; the results are in document order. */
export type JsonPath = (root: JsonValue) => readonly JsonValue[];

/** Results of one step: more would be of no use to a cell, and `..` may find very many. */
const maxResults = 1000;
/** Levels that `..` descends. */
const maxDescent = 200;

type Step = (values: readonly JsonValue[]) => JsonValue[];

/**
 * Compiles a path such as `.spec.x`.
 * @throws Error if it can't be read.
 */
export function compileJsonPath(path: string): JsonPath {
  const steps = parseSteps(path);
  return (root) => steps.reduce<readonly JsonValue[]>((values, step) => step(values).slice(0, maxResults), [root]);
}

function parseSteps(path: string): Step[] {
  const steps: Step[] = [];
  let rest = path.startsWith("{") && path.endsWith("}") ? path.slice(1, -1) : path;
  if (rest.startsWith("$")) rest = rest.slice(1);
  while (rest !== "") {
    if (rest.startsWith("..")) {
      steps.push(descend);
      rest = rest.slice(rest[2] === "[" ? 2 : 1);
      continue;
    }
    if (rest.startsWith("[")) {
      const end = closingBracket(rest);
      steps.push(bracketStep(rest.slice(1, end).trim()));
      rest = rest.slice(end + 1);
      continue;
    }
    if (rest.startsWith(".")) rest = rest.slice(1);
    if (rest === "") break;
    const name = /^(?:\\.|[^.[\\])+/.exec(rest)?.[0];
    if (name === undefined) throw new Error(`unrecognized character in path: ${rest}`);
    rest = rest.slice(name.length);
    steps.push(name === "*" ? wildcard : field(name.replace(/\\(.)/g, "$1")));
  }
  return steps;
}

function closingBracket(text: string): number {
  let depth = 0;
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const char = text[index] as string;
    if (quote !== "") {
      if (char === "\\") index++;
      else if (char === quote) quote = "";
    } else if (char === '"' || char === "'") quote = char;
    else if (char === "[") depth++;
    else if (char === "]" && --depth === 0) return index;
  }
  throw new Error(`unterminated array: ${text}`);
}

function bracketStep(inner: string): Step {
  if (inner === "*") return wildcard;
  const filter = /^\?\((.*)\)$/s.exec(inner);
  if (filter !== null) return filterStep(filter[1] ?? "");
  const quoted = /^'((?:\\.|[^'\\])*)'$|^"((?:\\.|[^"\\])*)"$/s.exec(inner);
  if (quoted !== null) return field((quoted[1] ?? quoted[2] ?? "").replace(/\\(.)/g, "$1"));
  const indices = inner.split(",").map((part) => part.trim());
  if (indices.length > 1) {
    const each = indices.map(bracketStep);
    return (values) => each.flatMap((step) => step(values));
  }
  const slice = /^(-?\d*)(?::(-?\d*))?(?::(-?\d*))?$/.exec(inner);
  if (slice === null || inner === "") throw new Error(`invalid array index ${inner}`);
  if (!inner.includes(":")) return item(Number(inner));
  return range(slice[1] ?? "", slice[2] ?? "", slice[3] ?? "");
}

function field(name: string): Step {
  return (values) => {
    const found: JsonValue[] = [];
    for (const value of values) {
      if (!isJsonObject(value)) continue;
      const child = value[name];
      if (child !== undefined) found.push(child);
    }
    return found;
  };
}

function item(index: number): Step {
  return (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const found = value[index < 0 ? index + value.length : index];
      return found === undefined ? [] : [found];
    });
}

function range(from: string, to: string, by: string): Step {
  const step = by === "" ? 1 : Number(by);
  if (step < 1) throw new Error(`step must be > 0, got ${by}`);
  return (values) =>
    values.flatMap((value) => {
      if (!Array.isArray(value)) return [];
      const place = (text: string, missing: number) => {
        if (text === "") return missing;
        const number = Number(text);
        return Math.min(Math.max(number < 0 ? number + value.length : number, 0), value.length);
      };
      const found: JsonValue[] = [];
      for (let index = place(from, 0); index < place(to, value.length); index += step)
        found.push(value[index] as JsonValue);
      return found;
    });
}

const wildcard: Step = (values) => values.flatMap(childrenOf);

function childrenOf(value: JsonValue): JsonValue[] {
  if (Array.isArray(value)) return value;
  return isJsonObject(value) ? sortedKeys(value).map((key) => value[key] as JsonValue) : [];
}

const descend: Step = (values) => {
  const found: JsonValue[] = [];
  const work = values.map((value) => ({ value, depth: 0 })).reverse();
  for (let next = work.pop(); next !== undefined && found.length < maxResults; next = work.pop()) {
    found.push(next.value);
    if (next.depth === maxDescent) continue;
    for (const child of childrenOf(next.value).reverse()) work.push({ value: child, depth: next.depth + 1 });
  }
  return found;
};

const operators: Readonly<Record<string, (a: JsonValue, b: JsonValue) => boolean>> = {
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
  "<=": (a, b) => isOrdered(a, b) && (a as number) <= (b as number),
  ">=": (a, b) => isOrdered(a, b) && (a as number) >= (b as number),
  "<": (a, b) => isOrdered(a, b) && (a as number) < (b as number),
  ">": (a, b) => isOrdered(a, b) && (a as number) > (b as number),
};

function isOrdered(a: JsonValue, b: JsonValue): boolean {
  const isNumber = (value: JsonValue) => typeof value === "number" || typeof value === "bigint";
  return (isNumber(a) && isNumber(b)) || (typeof a === "string" && typeof b === "string");
}

function filterStep(text: string): Step {
  const parts = /^(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$/s.exec(text);
  const left = operand((parts?.[1] ?? text).trim());
  const compare = operators[parts?.[2] ?? ""];
  const right = parts === null ? undefined : operand((parts[3] ?? "").trim());
  return (values) =>
    values.flatMap((value) =>
      (Array.isArray(value) ? value : []).filter((element) => {
        const found = left(element);
        if (compare === undefined || right === undefined) return found.length > 0;
        const wanted = right(element);
        return found.length > 0 && wanted.length > 0 && compare(found[0] as JsonValue, wanted[0] as JsonValue);
      }),
    );
}

function operand(text: string): JsonPath {
  if (text.startsWith("@")) return compileJsonPath(text.slice(1));
  const quoted = /^'(.*)'$|^"(.*)"$/s.exec(text);
  if (quoted !== null) return constant(quoted[1] ?? quoted[2] ?? "");
  if (text === "true" || text === "false") return constant(text === "true");
  const number = Number(text);
  if (text === "" || Number.isNaN(number)) throw new Error(`can't read the filter's operand ${text}`);
  return constant(number);
}

function constant(value: JsonValue): JsonPath {
  return () => [value];
}
