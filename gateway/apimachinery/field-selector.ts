/**
 * Field selectors: the text of `?fieldSelector=`, its requirements as data, and the match.
 *
 * A selector is the AND of its requirements; which fields may be named, the resource decides.
 * Source: apimachinery pkg/fields/selector.go.
 */

/** One condition on one field: `==` is read as `=`. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** The AND of its requirements; without any, it matches everything. */
export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
}

/**
 * Reads a selector, `metadata.name=a,spec.color!=red`; in values `\\`, `\,` and `\=` stand for the character.
 * @throws Error with Kubernetes' text, such as `invalid selector: 'foo'; can't understand 'foo'`.
 */
export function parseFieldSelector(text: string): FieldSelector {
  const terms = splitTerms(text).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const requirements: FieldRequirement[] = [];
  for (const term of terms) {
    if (term === "") continue;
    const found = /!=|==|=/.exec(term);
    if (found === null) throw new Error(`invalid selector: '${text}'; can't understand '${term}'`);
    const field = term.slice(0, found.index);
    const value = unescapeValue(term.slice(found.index + found[0].length));
    // Kubernetes lets a term of two empty sides (`=`) pass as no condition at all.
    if (field === "" && value === "") continue;
    requirements.push({ field, operator: found[0] === "!=" ? "!=" : "=", value });
  }
  return { requirements };
}

/** Gives the text that parses to the same selector. */
export function formatFieldSelector(selector: FieldSelector): string {
  return selector.requirements
    .map(({ field, operator, value }) => `${field}${operator}${value.replace(/[\\,=]/g, "\\$&")}`)
    .join(",");
}

/** Whether an object's fields meet every requirement. `textOf` gives a field as text, `""` if it is missing. */
export function matchesFields(selector: FieldSelector, textOf: (field: string) => string): boolean {
  for (const { field, operator, value } of selector.requirements) {
    if ((textOf(field) === value) !== (operator === "=")) return false;
  }
  return true;
}

/** Gives the one value that a field must have to match; undefined if the selector asks for no single one. */
export function requiresExactMatch(selector: FieldSelector, field: string): string | undefined {
  for (const requirement of selector.requirements) {
    if (requirement.operator === "=" && requirement.field === field) return requirement.value;
  }
  return undefined;
}

/** Splits at commas that no backslash precedes; escapes stay as they are. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    if (char === "\\") index++;
    else if (char === ",") {
      terms.push(text.slice(start, index));
      start = index + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescapeValue(text: string): string {
  let out = "";
  const chars = text[Symbol.iterator]();
  for (const char of chars) {
    if (char === "," || char === "=") {
      // Go prints the rune's number.
      throw new Error(`invalid field selector: unescaped character in value: ${char.charCodeAt(0)}`);
    }
    if (char !== "\\") {
      out += char;
      continue;
    }
    const next = chars.next();
    const escaped = next.done ? "" : next.value;
    if (escaped !== "\\" && escaped !== "," && escaped !== "=") {
      throw new Error(`invalid field selector: invalid escape sequence: \\${escaped}`);
    }
    out += escaped;
  }
  return out;
}
