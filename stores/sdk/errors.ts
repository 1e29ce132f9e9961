/**
 * The errors that a store tells: one constructor for each row of the contract's table.
 *
 * Source: proto/annex/store/v1/error.proto.
 */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorDetail, ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import type { StoredObject } from "./store.ts";

/** One fault of one field. */
export interface Cause {
  /** A Kubernetes cause, `FieldValueInvalid`. */
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

/** No such object. */
export function notFound(): ConnectError {
  return new ConnectError("not found", Code.NotFound);
}

/** The name is taken. */
export function alreadyExists(): ConnectError {
  return new ConnectError("already exists", Code.AlreadyExists);
}

/** A precondition doesn't hold. `current` saves the gateway a read. */
export function conflict(current?: StoredObject): ConnectError {
  if (current === undefined) return new ConnectError("conflict", Code.Aborted);
  const { namespace, name, revision, uid, json } = current;
  return withDetail("conflict", Code.Aborted, { current: { key: { namespace, name }, revision, uid, json } });
}

/** Largest present object that a conflict carries over gRPC: trailers are bounded by 64 KB in all. */
const maxTrailerObjectBytes = 16 * 1024;

/** Gives a conflict without its present object, if nobody asked for that or the protocol can't carry it. */
export function withBoundedCurrent(error: ConnectError, protocol: string, isWanted: boolean): ConnectError {
  const current = error.findDetails(ErrorDetailSchema)[0]?.current;
  if (current === undefined) return error;
  const fits = protocol !== "grpc" || current.json.length <= maxTrailerObjectBytes;
  return isWanted && fits ? error : new ConnectError(error.rawMessage, error.code);
}

/** The revision, or the token, is too old. */
export function expired(oldestResumable: bigint): ConnectError {
  return withDetail("expired", Code.OutOfRange, { oldestResumable });
}

/** The store's own rules refuse the object. */
export function invalid(causes: readonly Cause[]): ConnectError {
  return withDetail("invalid", Code.InvalidArgument, { causes: [...causes] });
}

/** A token or a selector can't be read. */
export function badRequest(message: string): ConnectError {
  return withDetail(message, Code.InvalidArgument, { message });
}

/** The store's own policy says no. */
export function forbidden(message: string): ConnectError {
  return withDetail(message, Code.PermissionDenied, { message });
}

/** Too much at once, or no room left. */
export function exhausted(message: string, retryAfterSeconds = 1): ConnectError {
  return withDetail(message, Code.ResourceExhausted, { message, retryAfterSeconds });
}

/** Starting, stopping, or the backend is away. */
export function unavailable(message: string, retryAfterSeconds = 1): ConnectError {
  return withDetail(message, Code.Unavailable, { message, retryAfterSeconds });
}

type DetailInit = Partial<Omit<ErrorDetail, "$typeName" | "$unknown" | "causes" | "current">> & {
  causes?: Cause[];
  current?: { key: { namespace: string; name: string }; revision: bigint; uid: string; json: Uint8Array };
};

function withDetail(message: string, code: Code, detail: DetailInit): ConnectError {
  return new ConnectError(message, code, undefined, [
    { desc: ErrorDetailSchema, value: create(ErrorDetailSchema, detail as never) },
  ]);
}
