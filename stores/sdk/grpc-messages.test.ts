import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, type ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { createMessageReader } from "./grpc-messages.ts";

function prefixed(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test("createMessageReader() gives the same messages, wherever the stream is cut", () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 30 }), (messages, cuts) => {
      const stream = Buffer.concat(messages.map((message) => prefixed(message)));
      const got: Uint8Array[] = [];
      const read = createMessageReader(40, (message) => got.push(Uint8Array.from(message)));
      const ends = [...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
      let at = 0;
      for (const end of ends) {
        read(stream.subarray(at, end));
        at = end;
      }
      assert.deepEqual(got, messages);
    }),
  );
});

test("createMessageReader() refuses a compressed message, and one that is too large before it is there", () => {
  const codeOf = (chunk: Buffer) => {
    try {
      createMessageReader(10, () => {})(chunk);
      return undefined;
    } catch (error) {
      return (error as ConnectError).code;
    }
  };
  assert.equal(codeOf(prefixed(Buffer.alloc(10))), undefined);
  assert.equal(codeOf(prefixed(Buffer.alloc(11)).subarray(0, 5)), Code.ResourceExhausted);
  assert.equal(codeOf(prefixed(Buffer.alloc(1), 1)), Code.Internal);
});
