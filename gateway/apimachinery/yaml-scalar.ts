/**
 * What an unquoted YAML scalar stands for: YAML 1.1's words for true, false and null, its numbers, or
 * text.
 *
 * Numbers keep 64 bits. What looks like a date stays text, but is told apart, since whoever writes
 * must quote it.
 * Source: go.yaml.in/yaml/v2 resolve.go.
 */

/** Tags of YAML's own types, without their common prefix. */
export type ScalarTag = "str" | "bool" | "null" | "int" | "float" | "timestamp";

/** A scalar that was looked at. Integers are bigint here, and only floats are number. */
export interface ResolvedScalar {
  readonly tag: ScalarTag;
  readonly value: null | boolean | bigint | number | string;
}

const maxInt64 = 2n ** 63n - 1n;
const minInt64 = -(2n ** 63n);
const maxUint64 = 2n ** 64n - 1n;
/** More digits than any 64-bit integer has in base 2, with its prefix. */
const maxIntegerLength = 80;

const words = new Map<string, ResolvedScalar>();
for (const [value, tag, spellings] of [
  [true, "bool", "y Y yes Yes YES true True TRUE on On ON"],
  [false, "bool", "n N no No NO false False FALSE off Off OFF"],
  [null, "null", "~ null Null NULL"],
  [Number.NaN, "float", ".nan .NaN .NAN"],
  [Number.POSITIVE_INFINITY, "float", ".inf .Inf .INF +.inf +.Inf +.INF"],
  [Number.NEGATIVE_INFINITY, "float", "-.inf -.Inf -.INF"],
] as const) {
  for (const spelling of spellings.split(" ")) words.set(spelling, { tag, value });
}
words.set("", { tag: "null", value: null });

/** Gives what an unquoted scalar stands for. */
export function resolvePlain(text: string): ResolvedScalar {
  return words.get(text) ?? resolveNumber(text) ?? { tag: isTimestamp(text) ? "timestamp" : "str", value: text };
}

function resolveNumber(text: string): ResolvedScalar | undefined {
  const first = text.charCodeAt(0);
  if (first === 0x2e) return resolveFloat(text);
  const mayBeNumber = (first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d;
  if (!mayBeNumber || isTimestamp(text)) return undefined;
  const digits = text.replaceAll("_", "");
  const integer = digits.length <= maxIntegerLength ? parseInteger(digits) : undefined;
  return integer === undefined ? resolveFloat(digits) : { tag: "int", value: integer };
}

function resolveFloat(text: string): ResolvedScalar | undefined {
  if (!/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? { tag: "float", value } : undefined;
}

/** Reads what Go's ParseInt reads in base 0; undefined if it is none, or has more than 64 bits. */
function parseInteger(text: string): bigint | undefined {
  const [, sign = "", digits = ""] =
    /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)$/.exec(text) ?? [];
  if (digits === "") return undefined;
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  if (sign === "-") return -magnitude < minInt64 ? undefined : -magnitude;
  return magnitude > (sign === "+" ? maxInt64 : maxUint64) ? undefined : magnitude;
}

const timestamp =
  /^[0-9]{4}-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]([0-9:]+)(?:[.,][0-9]+)?(?:Z|[+-]([0-9]{2}):([0-9]{2})))|(?: ([0-9:]+)(?:[.,][0-9]+)?))?$/;

function isTimestamp(text: string): boolean {
  if (text.charCodeAt(4) !== 0x2d) return false;
  const found = timestamp.exec(text);
  if (found === null) return false;
  const [, month, day, zoned, zoneHour = "0", zoneMinute = "0", local] = found;
  const time = zoned ?? local;
  if (time !== undefined && !isTime(time)) return false;
  const days = new Date(Date.UTC(Number(text.slice(0, 4)), Number(month), 0)).getUTCDate();
  const isDate = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= days;
  return isDate && Number(zoneHour) <= 24 && Number(zoneMinute) < 60;
}

function isTime(text: string): boolean {
  const [, hour, minute, second] = /^([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})$/.exec(text) ?? [];
  return hour !== undefined && Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
}

/** Gives a float as Go's `%g` does: with an exponent, of two digits at least, below 1e-4 and from 1e+06 on. */
export function formatFloat(value: number): string {
  const [mantissa, exponent = "0"] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 6) return Object.is(value, -0) ? "-0" : String(value);
  return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}
