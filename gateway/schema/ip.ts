/**
 * IP addresses as Kubernetes takes them in schemas: leading zeros are tolerated in IPv4 parts, and an
 * IPv6 zone is not.
 *
 * Source: k8s.io/utils net ParseIPSloppy, ParseCIDRSloppy; Go net ParseIP.
 */
import { isIPv4, isIPv6 } from "node:net";

/** Whether a text is an IPv4 address whose parts may begin with zeros, `010.0.0.1`. */
export function isSloppyIpv4(text: string): boolean {
  if (text.length > maxSloppyLength || !/^\d+\.\d+\.\d+\.\d+$/.test(text)) return false;
  return isIPv4(withoutZeros(text));
}

/** Whether a text is an IPv6 address without a zone; `sloppy`: an IPv4 part may have leading zeros. */
export function isPlainIpv6(text: string, sloppy: boolean): boolean {
  if (text.length > maxSloppyLength || text.includes("%")) return false;
  if (!sloppy) return isIPv6(text);
  const colon = text.lastIndexOf(":");
  return isIPv6(text.slice(0, colon + 1) + withoutZeros(text.slice(colon + 1)));
}

/** Whether a text is a network, `10.0.0.0/8`. */
export function isSloppyCidr(text: string): boolean {
  const slash = text.indexOf("/");
  if (slash < 0) return false;
  const address = text.slice(0, slash);
  const bits = text.slice(slash + 1);
  if (!/^\d{1,6}$/.test(bits)) return false;
  if (isSloppyIpv4(address)) return Number(bits) <= 32;
  return isPlainIpv6(address, true) && Number(bits) <= 128;
}

/** Longer texts aren't looked at: real ones stay below fifty characters. */
const maxSloppyLength = 1000;

function withoutZeros(text: string): string {
  return text.includes(".") ? text.replace(/(^|\.)0+(?=\d)/g, "$1") : text;
}
