/**
 * A failure as protobuf, for clients that read nothing else: the one thing that is written so here.
 *
 * Objects of our kinds have no protobuf form, and a client that asks for nothing else is told so in
 * what it does read.
 * Source: apimachinery pkg/runtime/serializer/protobuf, pkg/apis/meta/v1/generated.proto.
 */
import type { Status, StatusCause, StatusDetails } from "../apimachinery/status.ts";

/** The media type of Kubernetes' protobuf. */
export const protobufMediaType = "application/vnd.kubernetes.protobuf";

/** Gives the envelope: the magic bytes, and an Unknown with type and bytes of the Status. */
export function statusProtobuf(status: Status): Buffer {
  const type = Buffer.concat([text(1, "v1"), text(2, "Status")]);
  const unknown = [message(1, type), message(2, statusMessage(status)), text(3, ""), text(4, "")];
  return Buffer.concat([Buffer.from("k8s\0"), ...unknown]);
}

function statusMessage({ message: said, reason, details, code, continueToken = "" }: Status): Buffer {
  const listMeta = Buffer.concat([text(1, ""), text(2, ""), text(3, continueToken)]);
  return Buffer.concat([
    message(1, listMeta),
    text(2, "Failure"),
    text(3, said),
    text(4, reason),
    ...(details === undefined ? [] : [message(5, detailsMessage(details))]),
    number(6, code),
  ]);
}

function detailsMessage(details: StatusDetails): Buffer {
  const { name = "", group = "", kind = "", uid = "", causes = [], retryAfterSeconds = 0 } = details;
  return Buffer.concat([
    text(1, name),
    text(2, group),
    text(3, kind),
    ...causes.map((cause) => message(4, causeMessage(cause))),
    number(5, retryAfterSeconds),
    text(6, uid),
  ]);
}

function causeMessage({ reason = "", message: said = "", field = "" }: StatusCause): Buffer {
  return Buffer.concat([text(1, reason), text(2, said), text(3, field)]);
}

// Go writes fields that are empty, too.
function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value));
}

function message(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)]);
}

/** @param value a whole number that isn't negative. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
