/**
 * JSONPath in Kubernetes' dialect, as printer columns use it.
 *
 *   .spec.x  ['a\.b']  a\.b  [0] [-1] [1:3] [*] .*  ..name  [?(@.type=="Ready")]
 *
 * A missing key gives no result. A step that can't be taken (an index out of bounds, a filter on
 * what is no list, a comparison of unlike things) gives none for the whole path. Absent on purpose:
 * range and end, which a column has no use for.
 * Source: client-go util/jsonpath/{parser,jsonpath}.go.
 */
import { isJsonObject, type JsonValue, sortedKeys } from "../apimachinery/json.ts";
import { type FilterOperator, type PathNode, parsePath } from "./jsonpath-parser.ts";

/** Finds values; the results are in document order. Undefined: the path can't be followed in this value. */
export type JsonPath = (root: JsonValue) => readonly JsonValue[] | undefined;

/** Results of one step: more would be of no use to a cell, and `..` may find very many. */
const maxResults = 1000;
/** Levels that `..` descends. */
const maxDescent = 200;

type Values = readonly JsonValue[];

/** A step that can't be taken. `values` is what a filter that asks only for existence sees of it. */
class Impassable extends Error {
  readonly values: Values;
  constructor(values: Values) {
    super("the path can't be followed");
    this.values = values;
  }
}

/**
 * Compiles a path such as `.spec.x`.
 * @throws JsonPathSyntaxError if it can't be read.
 */
export function compileJsonPath(path: string): JsonPath {
  const nodes = parsePath(path);
  return (root) => {
    try {
      return walk(nodes, [root]);
    } catch (error) {
      if (error instanceof Impassable) return undefined;
      throw error;
    }
  };
}

function walk(nodes: readonly PathNode[], from: Values): Values {
  let values = from;
  for (const node of nodes) {
    const next = take(node, values);
    values = next.length > maxResults ? next.slice(0, maxResults) : next;
  }
  return values;
}

function take(node: PathNode, values: Values): Values {
  switch (node.type) {
    case "constant":
      return node.isText ? [node.value] : values.map(() => node.value);
    case "field":
      return values.flatMap((value) => {
        const found = isJsonObject(value) ? value[node.name] : undefined;
        return found === undefined ? [] : [found];
      });
    case "wildcard":
      return values.flatMap(childrenOf);
    case "recursive":
      return descend(values);
    case "slice":
      return values.flatMap((value) => slice(node, value, values));
    case "union":
      return node.paths.flatMap((path) => walk(path, values));
    case "filter":
      return values.flatMap((value) => {
        if (!Array.isArray(value)) throw new Impassable(values);
        return value.filter((element) => passes(node, element, values));
      });
    case "unknown":
      throw new Impassable(values);
  }
}

function childrenOf(value: JsonValue): Values {
  if (Array.isArray(value)) return value;
  return isJsonObject(value) ? sortedKeys(value).map((key) => value[key] as JsonValue) : [];
}

/** Every value that has values below it, parents before children. */
function descend(values: Values): Values {
  const found: JsonValue[] = [];
  const work = values.map((value) => ({ value, depth: 0 })).reverse();
  for (let next = work.pop(); next !== undefined && found.length < maxResults; next = work.pop()) {
    const { value, depth } = next;
    const children = childrenOf(value);
    if (children.length > 0 || (typeof value === "string" && value !== "")) found.push(value);
    if (depth === maxDescent) continue;
    for (let index = children.length - 1; index >= 0; index--) {
      work.push({ value: children[index] as JsonValue, depth: depth + 1 });
    }
  }
  return found;
}

function slice(node: PathNode & { type: "slice" }, value: JsonValue, all: Values): Values {
  if (value === null) return [];
  if (!Array.isArray(value)) throw new Impassable(all);
  const length = value.length;
  let from = node.from ?? 0;
  if (from < 0) from += length;
  let to = node.to ?? length;
  if (to < 0 || (to === 0 && node.isItem)) to += length;
  if (from === to) return [];
  if (from < 0 || from >= length || to < 0 || to > length || from > to) throw new Impassable(all);
  const by = node.by ?? 1;
  if (by <= 0) throw new Impassable(all);
  return value.slice(from, to).filter((_, index) => index % by === 0);
}

function passes(node: PathNode & { type: "filter" }, element: JsonValue, all: Values): boolean {
  if (node.operator === "exists") return exists(node.left, element);
  const left = walk(node.left, [element]);
  if (left.length === 0) return false;
  if (left.length > 1) throw new Impassable(all);
  const right = walk(node.right, [element]);
  if (right.length === 0) return false;
  if (right.length > 1) throw new Impassable(all);
  const passed = compare(left[0] as JsonValue, right[0] as JsonValue, node.operator);
  if (passed === undefined) throw new Impassable(all);
  return passed;
}

function exists(path: readonly PathNode[], element: JsonValue): boolean {
  try {
    return walk(path, [element]).length > 0;
  } catch (error) {
    if (error instanceof Impassable) return error.values.length > 0;
    throw error;
  }
}

/** Compares values of one kind: text, whole numbers, fractions, booleans. Undefined: they can't be compared. */
function compare(a: JsonValue, b: JsonValue, operator: FilterOperator): boolean | undefined {
  const kind = kindOf(a);
  if (kind === undefined || kind !== kindOf(b)) return undefined;
  const isSame = a === b || (kind === "whole" && String(a) === String(b));
  if (operator === "==") return isSame;
  if (operator === "!=") return !isSame;
  if (kind === "boolean") return undefined;
  const isLess = kind === "text" ? Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))) < 0 : less(a, b);
  switch (operator) {
    case "<":
      return isLess;
    case "<=":
      return isLess || isSame;
    case ">":
      return !isLess && !isSame;
    case ">=":
      return !isLess;
    default:
      return undefined;
  }
}

function less(a: JsonValue, b: JsonValue): boolean {
  return (a as number | bigint) < (b as number | bigint);
}

function kindOf(value: JsonValue): "boolean" | "text" | "whole" | "fraction" | undefined {
  switch (typeof value) {
    case "boolean":
      return "boolean";
    case "string":
      return "text";
    case "bigint":
      return "whole";
    case "number":
      return Number.isInteger(value) ? "whole" : "fraction";
    default:
      return undefined;
  }
}
