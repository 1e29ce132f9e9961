/**
 * The parameters of a URL, read as Go reads them.
 *
 * A pair with `;` in it and a pair with a bad escape are left out, the rest holds; `+` is a space;
 * bytes that are no UTF-8 become U+FFFD. Of a parameter that comes more than once the first counts.
 * Source: Go net/url ParseQuery; apimachinery pkg/runtime/conversion.go.
 */
import { parseGoInt64 } from "../apimachinery/go-text.ts";
import { badRequest } from "../apimachinery/status.ts";

/** Parameters by name, each with its values in order. A name that is there has at least one. */
export type Query = ReadonlyMap<string, readonly string[]>;

/** Go's own limit: a query with more pairs counts as empty, so that nobody makes us hash for nothing. */
const maxPairs = 10_000;

const nothing: Query = new Map();

/** Reads a raw query, without its `?`. */
export function parseQuery(raw: string): Query {
  if (raw === "") return nothing;
  const query = new Map<string, string[]>();
  const pairs = raw.split("&");
  if (pairs.length > maxPairs) return query;
  for (const pair of pairs) {
    if (pair === "" || pair.includes(";")) continue;
    const equals = pair.indexOf("=");
    const name = percentDecode(equals < 0 ? pair : pair.slice(0, equals), true);
    const value = percentDecode(equals < 0 ? "" : pair.slice(equals + 1), true);
    if (name === undefined || value === undefined) continue;
    const values = query.get(name);
    if (values === undefined) query.set(name, [value]);
    else values.push(value);
  }
  return query;
}

/**
 * Undoes percent-encoding.
 *
 * @param text as sent: each character up to U+00FF is one byte.
 * @param plusIsSpace true in queries, false in paths.
 * @returns undefined if a `%` is not followed by two hexadecimal digits.
 */
export function percentDecode(text: string, plusIsSpace: boolean): string | undefined {
  if (!/[^\x00-\x24\x26-\x2a\x2c-\x7f]/.test(text)) return text;
  const bytes = Buffer.from(text, "latin1");
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] ?? 0;
    if (byte === 0x25) {
      const digits = text.slice(at + 1, at + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) return undefined;
      byte = Number.parseInt(digits, 16);
      at += 2;
    } else if (byte === 0x2b && plusIsSpace) byte = 0x20;
    bytes[length++] = byte;
  }
  return bytes.toString("utf8", 0, length);
}

/** Gives a parameter's first value, `""` if it is missing. */
export function textOf(query: Query, name: string): string {
  return query.get(name)?.[0] ?? "";
}

/** Gives a switch: undefined if it is missing, false for `0` and `false`, true for anything else. */
export function switchOf(query: Query, name: string): boolean | undefined {
  const value = query.get(name)?.[0];
  if (value === undefined) return undefined;
  return value !== "0" && value.toLowerCase() !== "false";
}

/**
 * Gives an integer of 64 bits, undefined if it is missing.
 * @throws StatusError 400 `strconv.ParseInt: parsing "x": invalid syntax`.
 */
export function integerOf(query: Query, name: string): number | undefined {
  const value = query.get(name)?.[0];
  if (value === undefined) return undefined;
  try {
    return Number(parseGoInt64(value));
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}
