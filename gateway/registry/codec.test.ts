import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { file_annex_store_v1_action } from "../../gen/annex/store/v1/action_pb.js";
import { file_annex_store_v1_catalog } from "../../gen/annex/store/v1/catalog_pb.js";
import { file_annex_store_v1_error } from "../../gen/annex/store/v1/error_pb.js";
import { file_annex_store_v1_hook } from "../../gen/annex/store/v1/hook_pb.js";
import { file_annex_store_v1_host } from "../../gen/annex/store/v1/host_pb.js";
import { file_annex_store_v1_object, StoredObjectSchema } from "../../gen/annex/store/v1/object_pb.js";
import { file_annex_store_v1_session } from "../../gen/annex/store/v1/session_pb.js";
import {
  CreateRequestSchema,
  file_annex_store_v1_store,
  GetResponseSchema,
} from "../../gen/annex/store/v1/store_pb.js";
import { decodeMessage, encodeMessage } from "./codec.ts";

const files = [
  file_annex_store_v1_action,
  file_annex_store_v1_catalog,
  file_annex_store_v1_error,
  file_annex_store_v1_hook,
  file_annex_store_v1_host,
  file_annex_store_v1_object,
  file_annex_store_v1_session,
  file_annex_store_v1_store,
];
const contract = files.flatMap(({ messages }) => messages);

const text = fc.oneof(fc.string(), fc.string({ unit: "binary", maxLength: 100 }), fc.constantFrom("\ud800", "\ufffd"));
const bytes = fc.oneof(
  fc.uint8Array(),
  fc.nat(20_000).map((size) => new Uint8Array(size)),
);
const uint64 = fc.oneof(fc.nat().map(BigInt), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const uint32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const int32 = fc.oneof(fc.nat(300), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));

function valuesOf(field: DescField): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return initOf(field.message);
  switch (field.scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return bytes;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.UINT64:
      return uint64;
    case ScalarType.UINT32:
      return uint32;
    default:
      return int32;
  }
}

/** What a message may be made from: any of its fields, with values of their types. */
function initOf(desc: DescMessage): fc.Arbitrary<object> {
  const members = desc.members.map((member): [string, fc.Arbitrary<unknown>] => {
    if (member.kind === "oneof") {
      const cases = member.fields.map((field) =>
        fc.record({ case: fc.constant(field.localName), value: valuesOf(field) }),
      );
      return [member.localName, fc.oneof(...cases)];
    }
    const value = valuesOf(member);
    if (member.fieldKind === "list") return [member.localName, fc.array(value, { maxLength: 3 })];
    if (member.fieldKind !== "map") return [member.localName, value];
    return [member.localName, fc.dictionary(fc.oneof(text, fc.constant("__proto__")), value, { maxKeys: 3 })];
  });
  return fc.record(Object.fromEntries(members), { requiredKeys: [] });
}

/** What came of it: a value, or the error's text. */
function outcome<T>(work: () => T): { value: T } | { error: string } {
  try {
    return { value: work() };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function joined<D extends DescMessage>(desc: D, init: MessageInitShape<D>): Buffer {
  const { chunks, length } = encodeMessage(desc, init);
  const whole = Buffer.concat(chunks);
  assert.equal(whole.length, length);
  return whole;
}

function assertReadAlike(desc: DescMessage, encoded: Buffer): void {
  assert.deepEqual(
    outcome(() => decodeMessage(desc, encoded)),
    outcome(() => fromBinary(desc, encoded)),
  );
}

test("encodeMessage() and decodeMessage() do what @bufbuild/protobuf does, for every message of the contract", () => {
  for (const desc of contract) {
    fc.assert(
      fc.property(initOf(desc), (init) => {
        const message = create(desc, init as MessageInitShape<typeof desc>);
        const encoded = Buffer.from(toBinary(desc, message));
        assert.ok(joined(desc, init as MessageInitShape<typeof desc>).equals(encoded), desc.typeName);
        assert.ok(joined(desc, message).equals(encoded), desc.typeName);
        assertReadAlike(desc, encoded);
      }),
      { numRuns: 30 },
    );
  }
});

test("decodeMessage() does with bytes that no encoder wrote what @bufbuild/protobuf does", () => {
  const damage = fc.record({ at: fc.nat(), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) });
  const script = fc
    .constantFrom(...contract)
    .chain((desc) => fc.tuple(fc.constant(desc), initOf(desc), fc.array(damage, { minLength: 1, maxLength: 3 })));
  fc.assert(
    fc.property(script, ([desc, init, damages]) => {
      let encoded = joined(desc, init as MessageInitShape<typeof desc>);
      for (const { at, remove, insert } of damages) {
        const from = at % (encoded.length + 1);
        encoded = Buffer.concat([encoded.subarray(0, from), insert, encoded.subarray(from + remove)]);
      }
      assertReadAlike(desc, encoded);
    }),
    { numRuns: 1_500 },
  );
});

test("decodeMessage() merges a message in two pieces, and keeps fields that it doesn't know", () => {
  const pieces = [{ object: { uid: "u" } }, { object: { json: Buffer.from("{}") }, mark: { epoch: "e" } }];
  const encoded = Buffer.concat(pieces.map((piece) => joined(GetResponseSchema, piece)));
  assert.equal(decodeMessage(GetResponseSchema, encoded).object?.uid, "u");
  assertReadAlike(GetResponseSchema, encoded);
  const later = Buffer.from([0x80, 0x7d, 0x05]);
  const message = decodeMessage(GetResponseSchema, Buffer.concat([encoded, later]));
  assert.ok(joined(GetResponseSchema, message).includes(later));
});

test("encodeMessage() copies no large bytes, and many messages don't touch each other", () => {
  const json = Buffer.alloc(100_000, 0x61);
  const object = { key: { namespace: "ns", name: "n" }, json, labels: { a: "b" } };
  assert.ok(encodeMessage(CreateRequestSchema, { object, dryRun: true }).chunks.includes(json));
  const inits = Array.from({ length: 2_000 }, (_, index) => ({ uid: `${index}`, json: Buffer.alloc(index) }));
  const encoded = inits.map((init) => encodeMessage(StoredObjectSchema, init));
  for (const [index, { chunks }] of encoded.entries()) {
    const init = inits[index] as (typeof inits)[number];
    assert.ok(Buffer.concat(chunks).equals(toBinary(StoredObjectSchema, create(StoredObjectSchema, init))));
  }
});

test("what the codec doesn't know goes the generic way: a message in itself, floats, negative numbers", () => {
  const nested = { messageType: [{ name: "a", nestedType: [{ name: "b" }] }] };
  const encoded = toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, nested));
  assert.ok(joined(FileDescriptorProtoSchema, nested).equals(encoded));
  assert.deepEqual(decodeMessage(FileDescriptorProtoSchema, encoded), fromBinary(FileDescriptorProtoSchema, encoded));
  const wrong = { revision: -1n } as MessageInitShape<typeof StoredObjectSchema>;
  assert.throws(() => encodeMessage(StoredObjectSchema, wrong), /revision/);
});

test("where Node may make no code from texts, messages go the generic way", () => {
  const [codec, store] = [
    import.meta.resolve("./codec.ts"),
    import.meta.resolve("../../gen/annex/store/v1/object_pb.js"),
  ];
  const script = `
    import { decodeMessage, encodeMessage } from ${JSON.stringify(codec)};
    import { StoredObjectSchema } from ${JSON.stringify(store)};
    const { chunks } = encodeMessage(StoredObjectSchema, { uid: "u" });
    process.stdout.write(decodeMessage(StoredObjectSchema, Buffer.concat(chunks)).uid);`;
  const args = ["--disallow-code-generation-from-strings", "--input-type=module", "--eval", script];
  assert.equal(execFileSync(process.execPath, args, { encoding: "utf8" }), "u");
});
