/**
 * YAML as Kubernetes reads and writes it: text that stands for a JSON value.
 *
 * Read as YAML 1.1 (`yes` is true, `0777` is octal) but without dates; numbers keep 64 bits; keys
 * that come twice are reported with their line. Reader and writer are Steps, without recursion, so
 * that no text holds the event loop or breaks the stack.
 * Source: sigs.k8s.io/yaml; go.yaml.in/yaml/v2.
 */
import type { JsonValue } from "./json.ts";
import { finish, type Steps } from "./steps.ts";
import { textFromUtf8 } from "./utf8.ts";
import { YamlDecoder } from "./yaml-decoder.ts";
import { YamlEncoder } from "./yaml-encoder.ts";
import { yamlFault } from "./yaml-error.ts";
import { YamlParser } from "./yaml-parser.ts";

export { YamlSyntaxError } from "./yaml-error.ts";

/** What a parse gives: the value, and keys that came twice as `line 6: key "size" already set in map`. */
export interface ParsedYaml {
  readonly value: JsonValue;
  readonly duplicates: readonly string[];
}

/** Parses the first document of a text to the end at once. @throws as yamlParser */
export function parseYaml(text: string): ParsedYaml {
  return finish(yamlParser(Buffer.from(text)));
}

/**
 * Parses the first document step by step; a unit is one token or one node.
 *
 * @param bytes UTF-8.
 * @throws YamlSyntaxError from `step`; JsonSyntaxError if it is nested deeper than JSON may be.
 */
export function yamlParser(bytes: Uint8Array): Steps<ParsedYaml> {
  return new YamlWork(bytes);
}

class YamlWork implements Steps<ParsedYaml> {
  readonly #bytes: Uint8Array;
  #parser: YamlParser | undefined;
  #decoder: YamlDecoder | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  step(units: number): boolean {
    this.#parser ??= new YamlParser(readableText(this.#bytes));
    let left = units;
    while (this.#decoder === undefined) {
      if (left-- <= 0) return false;
      if (this.#parser.step()) this.#decoder = new YamlDecoder(this.#parser.root);
    }
    for (; left > 0; left--) if (this.#decoder.step()) return true;
    return false;
  }

  result(): ParsedYaml {
    const { value = null, duplicates = [] } = this.#decoder ?? {};
    return { value, duplicates };
  }
}

/** What may stand in YAML text; a zero byte may not, which marks the end for the reader. */
const unreadable = /[^\t\n\r\u0020-\u007e\u0085\u00a0-\ufffd]/;

function readableText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = textFromUtf8(buffer);
  if (text.includes("\ufffd") && !buffer.equals(Buffer.from(text))) throw yamlFault(utf8Problem(buffer));
  if (unreadable.test(text)) throw yamlFault("control characters are not allowed");
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** The words for the first byte that is no UTF-8. */
function utf8Problem(bytes: Buffer): string {
  let at = 0;
  while (bytes[at] !== undefined && startsValid(bytes, at)) at += widthOf(bytes[at] as number);
  const width = widthOf(bytes[at] ?? 0);
  if (width === 0) return "invalid leading UTF-8 octet";
  if (at + width > bytes.length) return "incomplete UTF-8 octet sequence";
  for (let next = at + 1; next < at + width; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return "invalid trailing UTF-8 octet";
  }
  const isOverlong = bytes.toString("latin1", at, at + 2) < "\xc2\x80" || [0xe0, 0xf0].includes(bytes[at] as number);
  return isOverlong ? "invalid length of a UTF-8 sequence" : "invalid Unicode character";
}

function startsValid(bytes: Buffer, at: number): boolean {
  const width = widthOf(bytes[at] as number);
  if (width === 0 || at + width > bytes.length) return false;
  return textFromUtf8(bytes.subarray(at, at + width)) !== "\ufffd".repeat(width);
}

function widthOf(octet: number): number {
  if (octet < 0x80) return 1;
  if ((octet & 0xe0) === 0xc0) return 2;
  if ((octet & 0xf0) === 0xe0) return 3;
  return (octet & 0xf8) === 0xf0 ? 4 : 0;
}

/** Writes a value to the end at once, keys in go-yaml's order. Ends in a newline. */
export function encodeYaml(value: JsonValue): string {
  return finish(yamlEncoder(value)).toString();
}

/** Writes a value step by step; a unit is one value. */
export function yamlEncoder(value: JsonValue): Steps<Buffer> {
  return new YamlEncoder(value);
}
