/**
 * Puts a resourceVersion into an object's encoded JSON without parsing it.
 *
 * The bytes must be as json.ts encodes them: no white space, keys sorted at every level. So the
 * place inside `metadata` is found by one scan over the bytes.
 */

const quote = 0x22;
const backslash = 0x5c;
const open = 0x7b;
const close = 0x7d;
const openList = 0x5b;
const closeList = 0x5d;
const comma = 0x2c;
const metadataKey = Buffer.from('"metadata"');
const revisionKey = Buffer.from('"resourceVersion"');

/**
 * Gives the same object with `metadata.resourceVersion` set.
 *
 * @param json an encoded object whose metadata is an object without a resourceVersion.
 * @throws RangeError if the bytes are not such an object: they were not made by our encoder.
 */
export function insertRevision(json: Uint8Array, revision: bigint): Buffer {
  const metadata = valueOfKey(json, 0, metadataKey);
  if (metadata === undefined || json[metadata] !== open) throw new RangeError("encoded object has no metadata");
  let position = metadata + 1;
  let isFirst = true;
  while (json[position] !== close) {
    const keyStart = json[position] === comma ? position + 1 : position;
    const keyEnd = skipString(json, keyStart);
    if (Buffer.compare(json.subarray(keyStart, keyEnd), revisionKey) > 0) {
      return spliced(json, keyStart, `"resourceVersion":"${revision}",`);
    }
    isFirst = false;
    position = skipValue(json, keyEnd + 1);
  }
  return spliced(json, position, `${isFirst ? "" : ","}"resourceVersion":"${revision}"`);
}

function spliced(json: Uint8Array, at: number, text: string): Buffer {
  const out = Buffer.allocUnsafe(json.length + text.length);
  out.set(json.subarray(0, at), 0);
  out.write(text, at, "latin1");
  out.set(json.subarray(at), at + text.length);
  return out;
}

/** Gives where the value of a key of the object that begins at `start` begins. */
function valueOfKey(json: Uint8Array, start: number, key: Buffer): number | undefined {
  if (json[start] !== open) return undefined;
  let position = start + 1;
  while (position < json.length && json[position] !== close) {
    const keyStart = json[position] === comma ? position + 1 : position;
    const keyEnd = skipString(json, keyStart);
    if (keyEnd - keyStart === key.length && Buffer.compare(json.subarray(keyStart, keyEnd), key) === 0) {
      return keyEnd + 1;
    }
    position = skipValue(json, keyEnd + 1);
  }
  return undefined;
}

/** Gives the position after the string that begins at `start`. */
function skipString(json: Uint8Array, start: number): number {
  for (let position = start + 1; position < json.length; position++) {
    const byte = json[position];
    if (byte === backslash) position++;
    else if (byte === quote) return position + 1;
  }
  throw new RangeError("encoded object ends inside a string");
}

/** Gives the position after the value that begins at `start`. */
function skipValue(json: Uint8Array, start: number): number {
  let depth = 0;
  for (let position = start; position < json.length; ) {
    const byte = json[position];
    if (byte === quote) {
      position = skipString(json, position);
      if (depth === 0) return position;
      continue;
    }
    if (byte === open || byte === openList) depth++;
    else if (byte === close || byte === closeList) {
      if (depth === 0) return position;
      depth--;
      if (depth === 0) return position + 1;
    } else if (byte === comma && depth === 0) return position;
    position++;
  }
  throw new RangeError("encoded object ends inside a value");
}
