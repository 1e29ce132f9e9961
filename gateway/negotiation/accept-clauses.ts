/**
 * An Accept header into its clauses, in the order in which kube-apiserver tries them.
 *
 * That order is odd: what is more specific goes before what is wanted more, where they meet.
 * Source: github.com/munnerz/goautoneg.
 */

/** One clause. Parameters without `=` are left out; q is not among them. */
export interface AcceptClause {
  readonly type: string;
  readonly subtype: string;
  readonly quality: number;
  readonly params: ReadonlyMap<string, string>;
}

/** Gives the clauses, best first. What is no media range is skipped. */
export function parseAccept(header: string): readonly AcceptClause[] {
  const clauses: AcceptClause[] = [];
  for (const part of header.split(",")) {
    const clause = parseClause(trimSpaces(part));
    if (clause !== undefined) insertSorted(clauses, clause);
  }
  return clauses;
}

/** An insertion sort: the relation is no order, so how it is sorted shows. */
function insertSorted(clauses: AcceptClause[], clause: AcceptClause): void {
  let at = clauses.length;
  while (at > 0 && goesBefore(clause, clauses[at - 1] as AcceptClause)) at--;
  clauses.splice(at, 0, clause);
}

function goesBefore(a: AcceptClause, b: AcceptClause): boolean {
  if (a.quality > b.quality) return true;
  if (a.type !== "*" && b.type === "*") return true;
  return a.subtype !== "*" && b.subtype === "*";
}

function parseClause(part: string): AcceptClause | undefined {
  const [range, items] = cut(part, ";");
  const [type, afterType] = cut(range, "/");
  const [subtype, more] = cut(afterType, "/");
  const isAny = afterType === "" && trimSpaces(type) === "*";
  if (more !== "" || (afterType === "" && !isAny)) return undefined;
  let quality = 1;
  const params = new Map<string, string>();
  for (const item of items.split(";")) {
    const [name, afterName] = cut(item, "=");
    const [value, moreValues] = cut(afterName, "=");
    if (afterName === "" || moreValues !== "") continue;
    if (trimSpaces(name) === "q") quality = parseQuality(value);
    else params.set(trimSpaces(name), trimSpaces(value));
  }
  return { type: trimSpaces(type), subtype: isAny ? "*" : trimSpaces(subtype), quality, params };
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function parseQuality(text: string): number {
  return /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(text) ? Number(text) : 0;
}

function trimSpaces(text: string): string {
  return text.replace(/^ +| +$/g, "");
}
