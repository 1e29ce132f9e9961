/** Kubernetes' protobuf as its own definitions say it, to read what was written by hand. */
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

const { OPTIONAL: label } = FieldDescriptorProto_Label;
const { STRING, INT32, BYTES, MESSAGE } = FieldDescriptorProto_Type;

/** Fields by name: number, type, and of which message. */
type Fields = Readonly<Record<string, readonly [number: number, type: number, of?: string]>>;

function messageType(name: string, fields: Fields) {
  return {
    name,
    field: Object.entries(fields).map(([name, [number, type, of]]) => ({
      name,
      number,
      type,
      label,
      ...(of === undefined ? {} : { typeName: `.kube.${of}` }),
    })),
  } as Partial<DescriptorProto>;
}

const set = create(FileDescriptorSetSchema, {
  file: [
    {
      name: "kube.proto",
      package: "kube",
      syntax: "proto2",
      messageType: [
        messageType("TypeMeta", { apiVersion: [1, STRING], kind: [2, STRING] }),
        messageType("Unknown", {
          typeMeta: [1, MESSAGE, "TypeMeta"],
          raw: [2, BYTES],
          contentEncoding: [3, STRING],
          contentType: [4, STRING],
        }),
        messageType("Status", { status: [2, STRING], message: [3, STRING], reason: [4, STRING], code: [6, INT32] }),
      ] as never,
    },
  ],
});
const registry = createFileRegistry(set);

/** Reads a message: `Unknown`, which an envelope holds, or a `Status`, as far as it is looked at. */
export function readKubeProtobuf(name: "Unknown" | "Status", bytes: Uint8Array): Record<string, unknown> {
  const type = registry.getMessage(`kube.${name}`);
  if (type === undefined) throw new Error(`${name} is not defined`);
  return fromBinary(type, bytes) as unknown as Record<string, unknown>;
}
