/**
 * Text as Go writes it: quoted strings, number and duration errors.
 *
 * Messages of Kubernetes carry these forms, and clients match on them.
 * Source: Go's strconv and time packages.
 */

/** Gives Go's `%q`: double quotes, Go escapes, printable Unicode kept. */
export function goQuote(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === '"' || char === "\\") out += `\\${char}`;
    else if (char === "\n") out += "\\n";
    else if (char === "\t") out += "\\t";
    else if (char === "\r") out += "\\r";
    else if (code === 7) out += "\\a";
    else if (code === 8) out += "\\b";
    else if (code === 12) out += "\\f";
    else if (code === 11) out += "\\v";
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (code < 0x7f || isPrintable(char)) out += char;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, "0")}`;
    else out += `\\U${code.toString(16).padStart(8, "0")}`;
  }
  return `${out}"`;
}

function isPrintable(char: string): boolean {
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char);
}

/** Gives Go's `%v` of a 64-bit float: `0.5`, `1e-05`, `3e+09`. Go turns to exponents sooner than JavaScript. */
export function formatGoFloat(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || !Number.isFinite(value) || (size >= 1e-4 && size < 1e6)) return String(value);
  const [digits, exponent] = value.toExponential().split("e");
  return `${digits}e${exponent?.replace(/^([+-])(\d)$/, "$10$2")}`;
}

/**
 * Reads a decimal integer of 64 bits.
 * @throws Error with strconv's text, `strconv.ParseInt: parsing "x": invalid syntax`.
 */
export function parseGoInt64(text: string): bigint {
  return parseGoInteger("ParseInt", text, /^[+-]?[0-9]+$/, -(2n ** 63n), 2n ** 63n - 1n);
}

/**
 * Reads an unsigned decimal integer of 64 bits.
 * @throws Error with strconv's text, `strconv.ParseUint: parsing "x": invalid syntax`.
 */
export function parseGoUint64(text: string): bigint {
  return parseGoInteger("ParseUint", text, /^[0-9]+$/, 0n, 2n ** 64n - 1n);
}

function parseGoInteger(name: string, text: string, form: RegExp, min: bigint, max: bigint): bigint {
  if (!form.test(text)) throw new Error(`strconv.${name}: parsing ${goQuote(text)}: invalid syntax`);
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  if (value < min || value > max) throw new Error(`strconv.${name}: parsing ${goQuote(text)}: value out of range`);
  return value;
}

const unitNs: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };

/**
 * Reads a Go duration (`1h30m`, `1.5s`, `-2ms`) into milliseconds.
 * @throws Error with Go's text, `time: invalid duration "x"`.
 */
export function parseGoDurationMs(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return 0;
  if (rest === "") throw new Error(`time: invalid duration ${goQuote(text)}`);
  let totalNs = 0;
  while (rest !== "") {
    const number = /^([0-9]*)(\.[0-9]*)?/.exec(rest)?.[0] ?? "";
    if (number === "" || number === ".") throw new Error(`time: invalid duration ${goQuote(text)}`);
    rest = rest.slice(number.length);
    const unit = /^[^0-9.]+/.exec(rest)?.[0] ?? "";
    if (unit === "") throw new Error(`time: missing unit in duration ${goQuote(text)}`);
    const ns = unitNs[unit];
    if (ns === undefined) throw new Error(`time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`);
    totalNs += Number(number) * ns;
    rest = rest.slice(unit.length);
  }
  if (totalNs > 2 ** 63) throw new Error(`time: invalid duration ${goQuote(text)}`);
  return (sign * totalNs) / 1e6;
}
