/**
 * Why Go can't read a time: the text of the error of time.Parse with the layout of RFC 3339.
 *
 * Source: Go time/format.go.
 */

const layout = "2006-01-02T15:04:05Z07:00";

interface Element {
  /** As it stands in the layout. */
  readonly word: string;
  readonly pattern: RegExp;
  /** What a number beyond the greatest is called. */
  readonly range?: readonly [name: string, least: number, greatest: number];
}

const elements: readonly Element[] = [
  { word: "2006", pattern: /^\d{4}/ },
  { word: "-", pattern: /^-/ },
  { word: "01", pattern: /^\d\d/, range: ["month", 1, 12] },
  { word: "-", pattern: /^-/ },
  { word: "02", pattern: /^\d\d/ },
  { word: "T", pattern: /^T/ },
  { word: "15", pattern: /^\d\d?/, range: ["hour", 0, 23] },
  { word: ":", pattern: /^:/ },
  { word: "04", pattern: /^\d\d/, range: ["minute", 0, 59] },
  { word: ":", pattern: /^:/ },
  { word: "05", pattern: /^\d\d/, range: ["second", 0, 59] },
  { word: "Z07:00", pattern: /^(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)/ },
];

/** Gives the text of Go's error for a text that is no time of RFC 3339. */
export function goTimeFault(text: string): string {
  const subject = `parsing time ${quote(text)}`;
  let rest = text;
  for (const { word, pattern, range } of elements) {
    const found = pattern.exec(rest)?.[0];
    if (found === undefined) {
      const from = word === "Z07:00" ? rest.replace(/^[.,]\d+/, "") : rest;
      return `${subject} as ${quote(layout)}: cannot parse ${quote(from)} as ${quote(word)}`;
    }
    rest = rest.slice(found.length);
    if (word === "Z07:00") {
      const [hour, minute] = [Number(found.slice(-5, -3)), Number(found.slice(-2))];
      if (hour > 24) return `${subject}: time zone offset hour out of range`;
      if (minute > 60) return `${subject}: time zone offset minute out of range`;
    }
    if (range !== undefined && (Number(found) < range[1] || Number(found) > range[2]))
      return `${subject}: ${range[0]} out of range`;
  }
  return rest === "" ? `${subject}: day out of range` : `${subject}: extra text: ${quote(rest)}`;
}

/** Quotes as Go's time package does: what isn't printable ASCII stands as its bytes. */
function quote(text: string): string {
  let out = '"';
  for (const char of text) {
    if (char === '"' || char === "\\") out += `\\${char}`;
    else if (char >= " " && char < "\u0080") out += char;
    else for (const byte of Buffer.from(char)) out += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `${out}"`;
}
