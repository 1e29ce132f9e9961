/**
 * The string formats that are checked; any other is ignored.
 *
 * Source: kube-openapi pkg/validation/strfmt; apiextensions-apiserver pkg/apiserver/validation/formats.go.
 */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { dns1123LabelErrors, dns1123SubdomainErrors } from "../apimachinery/names.ts";

type Check = (text: string) => boolean;

const matches =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);

const hex = "[0-9a-fA-F]";
const hostname =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$/u;

const checks: Readonly<Record<string, Check>> = {
  bsonobjectid: matches(new RegExp(`^${hex}{24}$`)),
  uri: isRequestUri,
  email: isEmail,
  hostname: (text) => hostname.test(text) && text.split(".").every((label) => label.length <= 63),
  ipv4: isIPv4,
  ipv6: (text) => isIPv6(text),
  cidr: isCidr,
  mac: matches(
    new RegExp(
      `^((${hex}{2}:){5}${hex}{2}|(${hex}{2}-){5}${hex}{2}|(${hex}{4}\\.){2}${hex}{4}|(${hex}{2}:){7}${hex}{2}|(${hex}{2}-){7}${hex}{2}|(${hex}{4}\\.){3}${hex}{4}|(${hex}{2}:){19}${hex}{2}|(${hex}{2}-){19}${hex}{2})$`,
    ),
  ),
  uuid: uuid("[0-9a-f]", "[0-9a-f]"),
  uuid3: uuid("3", "[0-9a-f]"),
  uuid4: uuid("4", "[89ab]"),
  uuid5: uuid("5", "[89ab]"),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(new RegExp(`^#?(${hex}{3}|${hex}{6})$`)),
  rgbcolor: matches(
    /^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$/,
  ),
  byte: matches(/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  "k8s-short-name": (text) => dns1123LabelErrors(text).length === 0,
  "k8s-long-name": (text) => dns1123SubdomainErrors(text).length === 0,
};

/** Gives the check of a format, or undefined if the format is ignored. `date-time` is `datetime`. */
export function formatCheck(format: string): Check | undefined {
  const name = format.replaceAll("-", "");
  if (format === "k8s-short-name" || format === "k8s-long-name") return checks[format];
  return Object.hasOwn(checks, name) ? checks[name] : undefined;
}

function uuid(version: string, variant: string): Check {
  const pattern = new RegExp(
    `^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?${variant}[0-9a-f]{3}-?[0-9a-f]{12}$`,
    "i",
  );
  return (text) => pattern.test(text);
}

function isRequestUri(text: string): boolean {
  if (text === "") return false;
  if (/[\u0000-\u0020\u007f]/.test(text)) return false;
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) || text.startsWith("/") || text === "*";
}

function isEmail(text: string): boolean {
  const address = /^(?:[^<>]*<([^<>]+)>|([^<>\s]+))$/.exec(text);
  const spec = address?.[1] ?? address?.[2];
  if (spec === undefined) return false;
  return /^("[^"]*"|[^\s@"(),:;<>[\\\]]+)@[^\s@"(),:;<>\\]+$/.test(spec) && !/(^\.|\.\.|\.@)/.test(spec);
}

function isCidr(text: string): boolean {
  const slash = text.lastIndexOf("/");
  if (slash < 0) return false;
  const family = isIP(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  return family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, "");
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  let sum = 0;
  for (let index = 0; index < 10; index++) sum += (index + 1) * (digits[index] === "X" ? 10 : Number(digits[index]));
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, "");
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

function isDateTime(text: string): boolean {
  const parts = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?$/.exec(text);
  if (parts === null || !isDate(parts[1] ?? "")) return false;
  return Number(parts[2]) < 24 && Number(parts[3]) < 60 && Number(parts[4]) < 60;
}

const durationUnits =
  "ns|us|µs|μs|ms|s|m|h|d|w|nanos?|nanoseconds?|micros?|microseconds?|millis?|milliseconds?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|wks?";
const goDuration = /^[-+]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*)$/;
const wordDuration = new RegExp(`^(\\d+\\s*(${durationUnits})\\s*)+$`, "i");

function isDuration(text: string): boolean {
  return goDuration.test(text) || wordDuration.test(text.trim());
}
