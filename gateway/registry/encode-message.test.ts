import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, equals, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { InvokeResponseSchema } from "../../gen/annex/store/v1/action_pb.js";
import { CreateRequestSchema, GetResponseSchema } from "../../gen/annex/store/v1/store_pb.js";
import { encodeMessage } from "./encode-message.ts";

/** Asserts that what is encoded is read as what was meant, and that the message is left as it was. */
function assertSame<D extends DescMessage>(desc: D, init: MessageInitShape<D>, isSplit: boolean): void {
  const message = create(desc, init);
  const plain = toBinary(desc, message);
  const encoded = encodeMessage(desc, message);
  assert.ok(equals(desc, fromBinary(desc, encoded), message));
  assert.ok(Buffer.from(toBinary(desc, message)).equals(plain));
  assert.equal(Buffer.from(encoded).equals(plain), !isSplit);
}

const size = fc.oneof(fc.nat(100), fc.integer({ min: 510, max: 300_000 }));

test("encodeMessage() is read as what toBinary() gives, however large the bytes are and wherever they lie", () => {
  const script = fc.record({ size, name: fc.string(), revision: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) });
  fc.assert(
    fc.property(script, ({ size, name, revision }) => {
      const json = Buffer.alloc(size, 0x61);
      const isSplit = size >= 512;
      const object = { key: { namespace: "ns", name }, revision, uid: "u", json };
      const mark = { revision, epoch: name };
      assertSame(GetResponseSchema, { object, mark }, isSplit);
      assertSame(InvokeResponseSchema, { httpStatus: 201, contentType: name, body: json, warnings: [name] }, isSplit);
      const context = { requestId: name, user: { name, groups: ["g"] }, timeoutMs: 5 };
      assertSame(CreateRequestSchema, { context, object, dryRun: true }, isSplit);
    }),
    { numRuns: 60 },
  );
});
