/** What Go writes into headers, read back. */

/** Gives a header's value: Node reads latin1, Go writes UTF-8. */
export function headerText(value: string): string {
  return isAscii.test(value) ? value : Buffer.from(value, "latin1").toString("utf8");
}

/** Nearly all: read the same either way. */
const isAscii = /^[\x00-\x7f]*$/;

/** Gives the key that stands percent-encoded in a header's name; one that isn't encoded as it should be, as it stands. */
export function headerKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return encoded;
  }
}

/** Gives all values of all headers that begin with a lower-case prefix, by key, in order. */
export function keyedValues(
  rawHeaders: readonly (readonly [name: string, value: string])[],
  prefixes: readonly string[],
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const prefix of prefixes) {
    for (const [name, value] of rawHeaders) {
      if (!name.startsWith(prefix)) continue;
      const key = headerKey(name.slice(prefix.length));
      found.set(key, [...(found.get(key) ?? []), headerText(value)]);
    }
  }
  return found;
}
