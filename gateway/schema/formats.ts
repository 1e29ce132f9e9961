/**
 * The formats of text that are checked; any other is ignored.
 *
 * Each check takes what Kubernetes takes, its oddities with it, in time linear in the text.
 * Source: kube-openapi pkg/validation/strfmt; apiextensions-apiserver pkg/apiserver/validation/formats.go.
 */
import { parseGoDurationMs } from "../apimachinery/go-text.ts";
import { dns1123LabelErrors, dns1123SubdomainErrors } from "../apimachinery/names.ts";
import { isEmail } from "./email.ts";
import { isPlainIpv6, isSloppyCidr, isSloppyIpv4 } from "./ip.ts";
import { isRequestUri } from "./uri.ts";

type Check = (text: string) => boolean;

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

const hex = "[0-9a-fA-F]";
/** Go's `\s`: fewer characters than JavaScript's. */
const space = "[\\t\\n\\f\\r ]";
const rgbPart = `${space}*(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])${space}*`;
const hostname =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;
const groups = (digits: number, separator: string, counts: readonly number[]) =>
  counts.map((count) => `(${hex}{${digits}}${separator}){${count - 1}}${hex}{${digits}}`).join("|");

const checks: Readonly<Record<string, Check>> = {
  bsonobjectid: matches(new RegExp(`^${hex}{24}$`)),
  uri: isRequestUri,
  email: isEmail,
  hostname: isHostname,
  ipv4: (text) => isSloppyIpv4(text) || (text.includes(".") && isPlainIpv6(text, true)),
  ipv6: (text) => isPlainIpv6(text, false),
  cidr: isSloppyCidr,
  mac: matches(
    new RegExp(`^(${groups(2, ":", [6, 8, 20])}|${groups(2, "-", [6, 8, 20])}|${groups(4, "\\.", [3, 4, 10])})$`),
  ),
  uuid: uuid("[0-9a-f]", "[0-9a-f]"),
  uuid3: uuid("3", "[0-9a-f]"),
  uuid4: uuid("4", "[89ab]"),
  uuid5: uuid("5", "[89ab]"),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  // The separators look optional in the pattern of Kubernetes, but its length check wants them.
  ssn: matches(/^\d{3}[- ]\d{2}[- ]\d{4}$/),
  hexcolor: matches(new RegExp(`^#?(${hex}{3}|${hex}{6})$`)),
  rgbcolor: matches(new RegExp(`^rgb\\(${rgbPart},${rgbPart},${rgbPart}\\)$`)),
  byte: isBase64,
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  k8sshortname: (text) => dns1123LabelErrors(text).length === 0,
  k8slongname: (text) => dns1123SubdomainErrors(text).length === 0,
};

/** Gives the check of a format of text, or undefined if there is none. Dashes in the name don't count. */
export function formatCheck(format: string): Check | undefined {
  const name = format.replaceAll("-", "");
  return Object.hasOwn(checks, name) ? checks[name] : undefined;
}

const numberFormats: Readonly<Record<string, readonly string[]>> = {
  integer: ["int32", "int64"],
  number: ["float", "double"],
};

/** Gives the format if it means something for the types, else `""`. */
export function formatFor(format: string, types: readonly string[]): string {
  const type = types.length === 1 ? (types[0] as string) : "";
  if (type === "" || type === "string") return formatCheck(format) === undefined ? "" : format;
  return Object.hasOwn(numberFormats, type) && numberFormats[type]?.includes(format) ? format : "";
}

function uuid(version: string, variant: string): Check {
  const pattern = new RegExp(
    `^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`,
    "i",
  );
  return (text) => pattern.test(text);
}

function isHostname(text: string): boolean {
  // Lengths first: they bound what the pattern has to try.
  if (Buffer.byteLength(text) > 255 || text.split(".").some((label) => Buffer.byteLength(label) > 63)) return false;
  return hostname.test(text);
}

/** Scans: a pattern with a repeated group could exhaust the engine's stack on megabytes. */
function isBase64(text: string): boolean {
  if (text === "" || text.length % 4 !== 0) return false;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return /^[A-Za-z0-9+/]+$/.test(padding === 0 ? text : text.slice(0, -padding));
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\t\n\f\r -]+/g, "");
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < 10; index++) sum += (index + 1) * (digits[index] === "X" ? 10 : Number(digits[index]));
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\t\n\f\r -]+/g, "");
  if (!/^\d{13}$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < 13; index++) sum += Number(digits[index]) * (index % 2 === 0 ? 1 : 3);
  return sum % 10 === 0;
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, "");
  if (
    !/^(4\d{12}(\d{3})?|5[1-5]\d{14}|6(011|5\d\d)\d{12}|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11})$/.test(
      digits,
    )
  ) {
    return false;
  }
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    let digit = Number(digits[digits.length - 1 - index]);
    if (index % 2 === 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}

function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (parts === null) return false;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** What follows a second `t` is not looked at; any character may begin the fraction; the zone must be there. */
function isDateTime(text: string): boolean {
  const [date, time] = text.toLowerCase().split("t", 2);
  if (date === undefined || time === undefined || !isDate(date)) return false;
  const parts = /^([0-9]{2}):([0-9]{2}):([0-9]{2})([^\n][0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/u.exec(time);
  return parts !== null && Number(parts[1]) <= 23 && Number(parts[2]) <= 59 && Number(parts[3]) <= 59;
}

/** Names of units; the last of each may go on with any letters. */
const durationUnits: readonly (readonly string[])[] = [
  ["ns", "nano"],
  ["us", "µs", "micro"],
  ["ms", "milli"],
  ["s", "sec"],
  ["m", "min"],
  ["h", "hr", "hour"],
  ["d", "day"],
  ["w", "wk", "week"],
];
const maxInt64 = 2n ** 63n - 1n;

/** Go's durations; else any text in which a number with a known unit stands. */
function isDuration(text: string): boolean {
  try {
    parseGoDurationMs(text);
    return true;
  } catch {
    // Not Go's: the looser form is next.
  }
  let isFound = false;
  for (const found of text.matchAll(/([0-9]+)[\t\n\f\r ]*([A-Za-zµ]+)/g)) {
    const digits = (found[1] ?? "").replace(/^0+/, "");
    if (digits.length > 19 || BigInt(digits) > maxInt64) return false;
    const unit = (found[2] ?? "").toLowerCase();
    isFound ||= durationUnits.some((names) => names.includes(unit) || unit.startsWith(names.at(-1) as string));
  }
  return isFound;
}
