/**
 * Go's regular expressions, by a port of RE2: the same syntax, and a match never takes more than time
 * linear in its text, whatever the pattern. JavaScript's own engine can promise neither.
 */
import { RE2JS } from "re2js";

/** A compiled pattern. */
export interface Pattern {
  /** As it stands in the schema, for messages. */
  readonly source: string;
  /** Whether the pattern is found anywhere in the text. */
  test(text: string): boolean;
}

/**
 * Compiles a pattern.
 * @throws Error with Go's text if it is none.
 */
export function compilePattern(source: string): Pattern {
  const compiled = RE2JS.compile(source);
  return { source, test: (text) => compiled.test(text) };
}

/** Compiles each pattern once: a schema says the same few hundreds of times, and each takes a fraction of a millisecond. */
export class PatternMemo {
  readonly #known = new Map<string, Pattern | Error>();

  /** @throws Error with Go's text if it is none. */
  compile(source: string): Pattern {
    let known = this.#known.get(source);
    if (known === undefined) {
      try {
        known = compilePattern(source);
      } catch (error) {
        known = error as Error;
      }
      this.#known.set(source, known);
    }
    if (known instanceof Error) throw known;
    return known;
  }
}
