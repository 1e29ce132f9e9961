/** The order of lists: that of the bytes of `namespace/name`. */

/** Code units of one half of a character above the first plane. */
const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

/** Compares two keys' texts as their UTF-8 bytes compare; JavaScript's own order is UTF-16's. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const [one, two] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (one === two) continue;
    // What is written with surrogates lies above everything that isn't.
    if (isSurrogate(one) !== isSurrogate(two)) return isSurrogate(one) ? 1 : -1;
    return one - two;
  }
  return a.length - b.length;
}
