/** The order in which go-yaml writes the keys of a map. Source: go.yaml.in/yaml/v2 sorter.go. */

/** Orders keys as go-yaml does: letters after everything else, numbers by their value. */
export function compareYamlKeys(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  const l = a.charCodeAt(at);
  const r = b.charCodeAt(at);
  return isAsciiLetter(l) && isAsciiLetter(r) ? l - r : compareRunes(a, b);
}

function isAsciiLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function compareRunes(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < left.length && at < right.length; at++) {
    const l = left[at] as string;
    const r = right[at] as string;
    if (l === r) continue;
    const isLeftLetter = /\p{L}/u.test(l);
    const isRightLetter = /\p{L}/u.test(r);
    if (isLeftLetter !== isRightLetter) return isRightLetter ? -1 : 1;
    const byCode = (l.codePointAt(0) as number) - (r.codePointAt(0) as number);
    return isLeftLetter ? byCode : compareNumbersAt(left, right, at) || byCode;
  }
  return left.length - right.length;
}

/** Compares the runs of digits that begin at `at`; 0 if neither has one or they are alike. */
function compareNumbersAt(left: readonly string[], right: readonly string[], at: number): number {
  let isInsideNumber = false;
  if (left[at] === "0" || right[at] === "0") {
    for (let before = at - 1; before >= 0 && isDigit(left[before]); before--) {
      if (left[before] !== "0") isInsideNumber = true;
    }
  }
  const l = numberAt(left, at, isInsideNumber);
  const r = numberAt(right, at, isInsideNumber);
  if (l.value !== r.value) return l.value < r.value ? -1 : 1;
  return l.digits - r.digits;
}

function numberAt(chars: readonly string[], at: number, isInsideNumber: boolean): { value: bigint; digits: number } {
  let value = isInsideNumber ? 1n : 0n;
  let end = at;
  for (; isDigit(chars[end]); end++) {
    value = BigInt.asIntN(64, value * 10n + BigInt((chars[end] as string).codePointAt(0) as number) - 48n);
  }
  return { value, digits: end - at };
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && /\p{Nd}/u.test(char);
}
