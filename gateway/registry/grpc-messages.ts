/**
 * Cuts a stream of bytes into gRPC messages: a flag, the length in four bytes, the message.
 *
 * Source: gRPC over HTTP/2, "Length-Prefixed-Message".
 *
 * The gateway and a store have each their own of it: they share nothing but the contract.
 */
import { Code, ConnectError } from "@connectrpc/connect";

/** Flag and length. */
export const prefixBytes = 5;

/**
 * Makes the function that takes the stream's chunks. `take` has each message as a view into them.
 *
 * It throws ConnectError: INTERNAL if a message is compressed, which was not negotiated,
 * RESOURCE_EXHAUSTED if one is larger than `maxBytes`, and what `take` throws. It is not used after.
 */
export function createMessageReader(maxBytes: number, take: (message: Uint8Array) => void): (chunk: Buffer) => void {
  let held: Buffer[] = [];
  let bytes = 0;
  let needed = prefixBytes;
  return (chunk) => {
    held.push(chunk);
    bytes += chunk.length;
    if (bytes < needed) return;
    const data = held.length === 1 ? chunk : Buffer.concat(held, bytes);
    let at = 0;
    needed = prefixBytes;
    while (data.length - at >= prefixBytes) {
      const length = data.readUInt32BE(at + 1);
      if (data[at] !== 0) throw new ConnectError("a message is compressed", Code.Internal);
      if (length > maxBytes) throw new ConnectError("a message is too large", Code.ResourceExhausted);
      const end = at + prefixBytes + length;
      if (end > data.length) {
        needed = prefixBytes + length;
        break;
      }
      take(data.subarray(at + prefixBytes, end));
      at = end;
    }
    bytes = data.length - at;
    held = bytes === 0 ? [] : [data.subarray(at)];
  };
}
