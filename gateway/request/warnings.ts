/**
 * The Warning headers of one answer.
 *
 * A text comes once. All together stay within a budget: when it is passed, every text is cut short
 * and written again from the first, and what no longer fits is dropped. A text with control
 * characters is dropped as a whole, so that nobody writes headers through it.
 * Source: apiserver pkg/endpoints/filters/warning.go; apimachinery pkg/util/net/http.go.
 */

/** All warnings of an answer, in characters. */
const maxTotalChars = 4096;
/** One warning once the budget was passed. */
const maxItemChars = 256;

/** Collects the warnings of one answer. */
export interface Warnings {
  /** Adds a warning; one that was added before, or is empty, changes nothing. */
  add(text: string): void;
  /** Gives the values of the Warning headers, each character one byte as Node's header values are. */
  headers(): readonly string[];
}

/** Begins with no warnings. */
export function createWarnings(): Warnings {
  const texts = new Set<string>();
  let values: string[] = [];
  let written = 0;
  let isCutting = false;

  const write = (text: string) => {
    const chars = [...text];
    const kept = isCutting ? chars.slice(0, maxItemChars) : chars;
    const value = headerValue(kept.join(""));
    if (value === undefined) return;
    written += kept.length;
    values.push(value);
  };

  return {
    add(text) {
      if (text === "" || texts.has(text) || (isCutting && written >= maxTotalChars)) return;
      texts.add(text);
      if (isCutting || headerValue(text) === undefined || written + [...text].length <= maxTotalChars) {
        write(text);
        return;
      }
      isCutting = true;
      written = 0;
      values = [];
      for (const earlier of texts) write(earlier);
    },
    headers: () => values,
  };
}

/** `299 - "text"` as header bytes, undefined for a text that must not be sent. */
function headerValue(text: string): string | undefined {
  if (/\p{Cc}/u.test(text) || !text.isWellFormed()) return undefined;
  const quoted = text.replace(/["\\]/g, "\\$&");
  return Buffer.from(`299 - "${quoted}"`, "utf8").toString("latin1");
}
