/**
 * Messages to bytes and back, by code that is made once for each message from its descriptor: straight lines
 * over its fields, where a generic codec walks tables and copies what it wrote.
 *
 * The rule that always holds: it gives what @bufbuild/protobuf gives. It knows the kinds of fields that the
 * contract has, in the form in which encoders write them; whatever else it meets (an unknown field, a message
 * in two pieces, a value of another type) is left to the generic codec, whole.
 *
 * It writes from the end to the start, so that a length is known when its turn comes. Large bytes are not
 * copied: an encoded message is a row of chunks, and they are one of them.
 * Source: protobuf's encoding. The code has no text but names and numbers of gen/.
 *
 * The gateway and a store have each their own of it: they share nothing but the contract.
 */
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { tag, varintLength, writeVarint } from "./session-outbox.ts";

/** An encoded message: its bytes in order, which stay as they are until they were sent. */
export interface Encoded {
  readonly chunks: readonly Uint8Array[];
  /** Of all chunks together, in bytes. */
  readonly length: number;
}

/** Bytes from this size on are a chunk of their own; below, one more chunk costs as much as the copy. */
const largeBytes = 8 * 1024;
/** Many messages share a slab, and one may take several. A text that doesn't fit into one goes the generic way. */
const slabBytes = 64 * 1024;
const leastRoom = 16 * 1024;

/** Gives what toBinary() gives for what create() makes. */
export function encodeMessage<D extends DescMessage>(desc: D, init: MessageInitShape<D>): Encoded {
  const codec = codecOf(desc);
  const encoded = codec && unlessOdd(() => encode(codec, init as Fields));
  if (encoded !== undefined) return encoded;
  const bytes = toBinary(desc, create(desc, init));
  return { chunks: [bytes], length: bytes.length };
}

/** Gives what fromBinary() gives. Bytes in it are views. */
export function decodeMessage<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> {
  const codec = codecOf(desc);
  const decoded = codec && unlessOdd(() => codec.read(new Reader(bytes), bytes.length));
  return (decoded as MessageShape<D> | undefined) ?? fromBinary(desc, bytes);
}

/** Gives how long the message is at least that begins with these bytes: up to the end of the field that is cut. */
export function leastLength(first: Uint8Array): number {
  const reader = new Reader(first);
  const end = unlessOdd(() => {
    while (reader.at < first.length) {
      const wireType = reader.varint() & 7;
      const value = reader.varint();
      if (wireType === 2) reader.at += value;
      else if (wireType !== 0) giveUp();
    }
    return reader.at;
  });
  return end !== undefined && end > first.length ? end : first.length;
}

/** Thrown by what is left to the generic codec. */
const odd = new Error("not for this codec");

function giveUp(): never {
  throw odd;
}

function unlessOdd<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    // Node may be told to make no code from texts.
    if (error !== odd && !(error instanceof EvalError)) throw error;
    return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads and writes one kind of message. */
interface Codec {
  /** @param end the position after the message. @throws odd */
  read(reader: Reader, end: number): Fields;
  /** @throws odd */
  write(writer: Writer, init: Fields): void;
}

const codecs = new WeakMap<DescMessage, Codec | undefined>();

/** Gives a message's codec; undefined: it has fields of a kind that the contract doesn't have. */
function codecOf(desc: DescMessage): Codec | undefined {
  if (!codecs.has(desc)) {
    // As long as it is made: a message within itself has none.
    codecs.set(desc, undefined);
    codecs.set(
      desc,
      unlessOdd(() => compile(desc)),
    );
  }
  return codecs.get(desc);
}

/** The scalars of the contract: the reader's and the writer's name for each, and what it is when it isn't set. */
const scalars: { readonly [type in ScalarType]?: { name: string; wireType: 0 | 2; zero: string } } = {
  [ScalarType.STRING]: { name: "string", wireType: 2, zero: '""' },
  [ScalarType.BYTES]: { name: "bytes", wireType: 2, zero: "empty" },
  [ScalarType.BOOL]: { name: "bool", wireType: 0, zero: "false" },
  [ScalarType.INT32]: { name: "int32", wireType: 0, zero: "0" },
  [ScalarType.UINT32]: { name: "uint32", wireType: 0, zero: "0" },
  [ScalarType.UINT64]: { name: "uint64", wireType: 0, zero: "0n" },
};

/** What is done with a field, as code: `m` is the message, `r` the reader, `w` the writer. */
interface FieldCode {
  readonly wireType: 0 | 2;
  /** A property that a new message has. */
  readonly zero?: string;
  readonly read: string;
  /** Writes the field with its tags, if it is set. */
  readonly write: string;
}

/** Makes the codec of a message. @throws odd if it has fields of other kinds than the contract's. */
function compile(desc: DescMessage): Codec {
  if (desc.typeName.startsWith("google.protobuf.")) giveUp();
  const inner: Codec[] = [];
  const fields = desc.fields.map((field) => ({ field, code: fieldCode(field, inner) }));
  const zeros = fields.flatMap(({ code }) => code.zero ?? []);
  zeros.push(...desc.oneofs.map(({ localName }) => `${localName}: { case: undefined }`));
  const reads = fields.map(({ field, code }) => `case ${tag(field.number, code.wireType)}: ${code.read} break;`);
  const writes = fields.toSorted((a, b) => b.field.number - a.field.number).map(({ code }) => code.write);
  const source = `return {
    read(r, end) {
      const m = { ${[`$typeName: ${JSON.stringify(desc.typeName)}`, ...zeros].join(", ")} };
      while (r.at < end) switch (r.varint()) { ${reads.join("\n")} default: giveUp(); }
      if (r.at !== end) giveUp();
      return m;
    },
    write(w, m) {
      if (m.$unknown !== undefined) giveUp();
      ${writes.join("\n")}
    },
  }`;
  return new Function("inner", "giveUp", "empty", source)(inner, giveUp, new Uint8Array()) as Codec;
}

/** @param inner takes the codecs of the messages in it. */
function fieldCode(field: DescField, inner: Codec[]): FieldCode {
  const name = JSON.stringify(field.localName);
  const own = `m.${field.oneof?.localName ?? field.localName}`;
  const value = valueCode(field, inner);
  const { wireType } = value;
  const tagged = (write: string, type = wireType) => `${write} w.varint(${tag(field.number, type)});`;
  const backwards = (work: string) => `for (let i = ${own}.length; i-- > 0; ) { ${work} }`;
  if (field.fieldKind === "map") {
    if (field.mapKey !== ScalarType.STRING) giveUp();
    const valueTag = tag(2, wireType);
    const write = `${value.write(`${own}[key]`)} w.varint(${valueTag}); w.string(key); w.varint(${tag(1, 2)});`;
    return {
      wireType: 2,
      zero: `${field.localName}: {}`,
      read: `{
        const end = r.part(), key = r.varint() === ${tag(1, 2)} ? r.string() : giveUp();
        if (key === "__proto__" || r.varint() !== ${valueTag}) giveUp();
        ${own}[key] = ${value.read};
        if (r.at !== end) giveUp();
      }`,
      write: `if (${own} != null) for (const key of Object.keys(${own}).reverse()) { ${tagged(withLength(write), 2)} }`,
    };
  }
  if (field.fieldKind === "list" && field.packed) {
    return {
      wireType: 2,
      zero: `${field.localName}: []`,
      read: `for (const end = r.part(); r.at !== end; ) { ${own}.push(${value.read}); if (r.at > end) giveUp(); }`,
      write: `if (${own} != null && ${own}.length > 0) { ${tagged(withLength(backwards(value.write(`${own}[i]`))), 2)} }`,
    };
  }
  if (field.fieldKind === "list") {
    const write = tagged(value.write(`${own}[i]`));
    return {
      wireType,
      zero: `${field.localName}: []`,
      read: `${own}.push(${value.read});`,
      write: `if (${own} != null) ${backwards(write)}`,
    };
  }
  if (field.oneof !== undefined) {
    // What comes in pieces is one message.
    const once = field.fieldKind === "message" ? `if (${own}.case === ${name}) giveUp();` : "";
    return {
      wireType,
      read: `${once} ${own} = { case: ${name}, value: ${value.read} };`,
      write: `if (${own} != null && ${own}.case === ${name}) { ${tagged(value.write(`${own}.value`))} }`,
    };
  }
  const read = `${own} = ${value.read};`;
  if (field.fieldKind === "message") {
    const once = `if (${own} !== undefined) giveUp();`;
    return { wireType, read: `${once} ${read}`, write: `if (${own} != null) { ${tagged(value.write(own))} }` };
  }
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT) {
    return { wireType, read, write: `if (${own} != null) { ${tagged(value.write(own))} }` };
  }
  const isZero = field.scalar === ScalarType.BYTES ? `${own}.length === 0` : `${own} === ${value.zero}`;
  return {
    wireType,
    zero: `${field.localName}: ${value.zero}`,
    read,
    write: `if (${own} != null && !(${isZero})) { ${tagged(value.write(own))} }`,
  };
}

/** How one value of a field is read, and written without its tag. */
function valueCode(field: DescField, inner: Codec[]) {
  if (field.message !== undefined) {
    const its = `inner[${inner.push(codecOf(field.message) ?? giveUp()) - 1}]`;
    const write = (value: string) => withLength(`${its}.write(w, ${value});`);
    return { wireType: 2 as const, read: `${its}.read(r, r.part())`, write, zero: "undefined" };
  }
  // An enum is open: any INT32.
  const { name, ...code } = scalars[field.scalar ?? ScalarType.INT32] ?? giveUp();
  return { ...code, read: `r.${name}()`, write: (value: string) => `w.${name}(${value});` };
}

/** Writes what has its length before it. */
function withLength(write: string): string {
  return `{ const after = w.size(); ${write} w.varint(w.size() - after); }`;
}

/** Reads from a buffer; whoever reads a part looks whether it ends where it should. */
class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A whole number up to 2^53; NaN after the last byte. */
  varint(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.at++] as number;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let scale = 0x80; ; scale *= 0x80) {
      byte = bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      // Not so after the last byte either.
      if (!(byte >= 0x80)) return value <= Number.MAX_SAFE_INTEGER ? value : giveUp();
    }
  }

  uint32(): number {
    const value = this.varint();
    return value <= 0xffff_ffff ? value : giveUp();
  }

  int32(): number {
    const value = this.varint();
    return value <= 0x7fff_ffff ? value : giveUp();
  }

  uint64(): bigint {
    return BigInt(this.varint());
  }

  bool(): boolean {
    return this.uint32() !== 0;
  }

  /** Reads a length. @returns the position after so many bytes. */
  part(): number {
    const end = this.varint() + this.at;
    return end <= this.#bytes.length ? end : giveUp();
  }

  bytes(): Uint8Array {
    const end = this.part();
    const given = this.#bytes.subarray(this.at, end);
    this.at = end;
    return given;
  }

  string(): string {
    const end = this.part();
    const text = this.#bytes.toString("utf8", this.at, end);
    this.at = end;
    // What isn't UTF-8 is an error, or was one before.
    return text.includes("\ufffd") ? giveUp() : text;
  }
}

/** Characters of a text that is written one by one. */
const maxShortText = 48;

let slab = Buffer.alloc(0);
/** Bytes of the slab that are free: its first. */
let free = 0;

function encode(codec: Codec, init: Fields): Encoded {
  const writer = new Writer();
  codec.write(writer, init);
  return writer.finish();
}

/** Writes from the end to the start. */
class Writer {
  readonly #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  /** The chunk that is being written: bytes of the slab from `at` to `end`. */
  #end: number;
  #at: number;

  constructor() {
    if (free < leastRoom) {
      slab = Buffer.allocUnsafeSlow(slabBytes);
      free = slabBytes;
    }
    this.#end = free;
    this.#at = free;
  }

  /** Bytes that were written. */
  size(): number {
    return this.#chunkBytes + this.#end - this.#at;
  }

  finish(): Encoded {
    this.#cut();
    free = this.#at;
    return { chunks: this.#chunks.reverse(), length: this.#chunkBytes };
  }

  #cut(): void {
    if (this.#at === this.#end) return;
    this.#chunks.push(slab.subarray(this.#at, this.#end));
    this.#chunkBytes += this.#end - this.#at;
    this.#end = this.#at;
  }

  /** Makes room for so many bytes, in another slab if need be. @returns where. */
  #room(bytes: number): number {
    if (bytes > this.#at) this.#renew(bytes);
    this.#at -= bytes;
    return this.#at;
  }

  #renew(bytes: number): void {
    if (bytes > slabBytes) giveUp();
    this.#cut();
    slab = Buffer.allocUnsafeSlow(slabBytes);
    this.#end = slabBytes;
    this.#at = slabBytes;
  }

  varint(value: number): void {
    const at = this.#room(varintLength(value));
    writeVarint(slab, at, value);
  }

  uint32(value: unknown): void {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xffff_ffff) giveUp();
    this.varint(value);
  }

  int32(value: unknown): void {
    if (typeof value !== "number" || value > 0x7fff_ffff) giveUp();
    this.uint32(value);
  }

  uint64(value: unknown): void {
    if (typeof value !== "bigint" || value < 0n || value > Number.MAX_SAFE_INTEGER) giveUp();
    this.varint(Number(value));
  }

  bool(value: unknown): void {
    this.varint(value ? 1 : 0);
  }

  bytes(value: unknown): void {
    if (!(value instanceof Uint8Array)) giveUp();
    if (value.length < largeBytes) {
      const at = this.#room(value.length);
      slab.set(value, at);
    } else {
      this.#cut();
      this.#chunks.push(value);
      this.#chunkBytes += value.length;
    }
    this.varint(value.length);
  }

  string(value: unknown): void {
    if (typeof value !== "string") giveUp();
    if (!this.#shortText(value)) {
      const length = Buffer.byteLength(value);
      const at = this.#room(length);
      slab.write(value, at, length, "utf8");
      this.varint(length);
    }
  }

  /** Writes what is short and ASCII, in a third of the time of a call into Node. @returns whether it was. */
  #shortText(text: string): boolean {
    const { length } = text;
    if (length > maxShortText) return false;
    const at = this.#room(length);
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#at += length;
        return false;
      }
      slab[at + index] = code;
    }
    this.varint(length);
    return true;
  }
}
