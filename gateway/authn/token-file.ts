/**
 * Reads a file of static tokens: lines of `token,user,uid,"group1,group2"`.
 *
 * The last line of a token wins; lines with an empty token are skipped; both are said to the log,
 * by line and never by token.
 * Source: apiserver pkg/authentication/token/tokenfile/tokenfile.go; Go encoding/csv.
 */
import type { User } from "../apimachinery/user.ts";

/** What a token file gives. */
export interface TokenFile {
  readonly users: ReadonlyMap<string, User>;
  /** What a log should say. */
  readonly warnings: readonly string[];
}

/**
 * Reads the text of a token file.
 *
 * @param file its name, for messages.
 * @throws Error naming file and line if it is no CSV, or a line has fewer than three columns.
 */
export function parseTokenFile(text: string, file: string): TokenFile {
  const users = new Map<string, User>();
  const warnings: string[] = [];
  for (const { line, fields } of parseCsv(text, file)) {
    const [token, name, uid, groups] = fields;
    if (token === undefined || name === undefined || uid === undefined) {
      const wanted = "must have at least 3 columns (token, user name, user uid)";
      throw new Error(`${file}:${line}: token file ${wanted}, found ${fields.length}`);
    }
    if (token === "") {
      warnings.push(`empty token has been found in token file '${file}', line ${line}`);
      continue;
    }
    if (users.has(token)) warnings.push(`duplicate token has been found in token file '${file}', line ${line}`);
    // An empty column means no groups; Go would give one group without a name.
    users.set(token, { name, uid, groups: groups ? groups.split(",") : [], extra: {} });
  }
  return { users, warnings };
}

interface CsvRecord {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** RFC 4180 as Go reads it: quotes only around whole fields, empty lines skipped, spaces kept. */
function parseCsv(text: string, file: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  const source = text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  let line = 1;
  let start = 1;
  let fields: string[] = [];
  for (let at = 0; at < source.length; ) {
    if (fields.length === 0) {
      start = line;
      if (source[at] === "\n") {
        at++;
        line++;
        continue;
      }
    }
    const field = source[at] === '"' ? quotedField(source, at) : plainField(source, at);
    if (field === undefined) throw new Error(`${file}:${start}: a quote in the wrong place, or one that is missing`);
    fields.push(field.value);
    line += field.value.split("\n").length - 1;
    at = field.end;
    if (source[at] === ",") {
      at++;
      // A comma at the very end still opens a field.
      if (at < source.length) continue;
      fields.push("");
    }
    records.push({ line: start, fields });
    fields = [];
    at++;
    line++;
  }
  return records;
}

interface Field {
  readonly value: string;
  /** Position of the comma or the newline behind it, or of the end. */
  readonly end: number;
}

function plainField(source: string, at: number): Field | undefined {
  let end = at;
  while (end < source.length && source[end] !== "," && source[end] !== "\n") end++;
  const value = source.slice(at, end);
  return value.includes('"') ? undefined : { value, end };
}

function quotedField(source: string, at: number): Field | undefined {
  let value = "";
  for (let from = at + 1; ; ) {
    const quote = source.indexOf('"', from);
    if (quote < 0) return undefined;
    value += source.slice(from, quote);
    const next = source[quote + 1];
    if (next !== '"') {
      const isEnd = next === undefined || next === "," || next === "\n";
      return isEnd ? { value, end: quote + 1 } : undefined;
    }
    value += '"';
    from = quote + 2;
  }
}
