/**
 * A store's RPC errors as Statuses: the one table between Connect's codes and Kubernetes' reasons.
 *
 * A code may come with a detail that says more; without it the code alone decides. What is not in
 * the table is a bug: it is logged whole and shown as InternalError without its text.
 * Source: proto/annex/store/v1/error.proto.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorDetail, ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import { type FieldErrorReason, invalid } from "../apimachinery/field-error.ts";
import {
  alreadyExists,
  badRequest,
  conflict,
  expired,
  forbidden,
  internalError,
  methodNotSupported,
  modifiedText,
  notFound,
  StatusError,
  serviceUnavailable,
  timeout,
  tooManyRequests,
} from "../apimachinery/status.ts";
import { type StoredObject, WriteConflict } from "./store-call.ts";

/** What a failed call was about, for the message. */
export interface FailedCall {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
  readonly name: string;
  /** The Kubernetes verb. */
  readonly verb: string;
  /** The store's name in the configuration. */
  readonly store: string;
}

/** Seconds after which a client tries again when the store says nothing else. */
const defaultRetrySeconds = 1;

/** Gives what to throw for a failed call. `log` gets what clients must not see. */
export function storeErrorFrom(
  error: unknown,
  call: FailedCall,
  readStored: (detail: ErrorDetail) => StoredObject | undefined,
  log: (error: unknown, message: string) => void,
): Error {
  if (error instanceof StatusError || error instanceof WriteConflict) return error;
  const failed = ConnectError.from(error);
  const detail = failed.findDetails(ErrorDetailSchema)[0];
  const resource = { group: call.group, word: call.plural };
  const said = detail?.message ?? "";
  const retrySeconds = detail?.retryAfterSeconds || defaultRetrySeconds;
  // Before the codes: a connection that is reset comes as ABORTED, which a store says of a lost compare-and-swap.
  if (isConnectionError(failed)) {
    return serviceUnavailable(`the store "${call.store}" of ${call.plural} is not available`, retrySeconds);
  }
  switch (failed.code) {
    case Code.NotFound:
      return notFound(resource, call.name);
    case Code.AlreadyExists:
      return alreadyExists(resource, call.name);
    case Code.Aborted:
      if (detail?.reason) return reasoned(detail, conflict(resource, call.name, said || modifiedText));
      return new WriteConflict(detail === undefined ? undefined : readStored(detail));
    case Code.OutOfRange:
      return expired(said || "The resourceVersion for the provided list is too old.");
    case Code.InvalidArgument:
    case Code.FailedPrecondition: {
      if (!detail?.causes.length) return badRequest(said || "the store can't read the request");
      const kind = { group: call.group, word: call.kind };
      return invalid(
        kind,
        call.name,
        detail.causes.map((cause) => ({
          reason: (cause.reason || "FieldValueInvalid") as FieldErrorReason,
          field: cause.field,
          message: cause.message,
        })),
      );
    }
    case Code.PermissionDenied:
      return forbidden(resource, call.name, said || "the store refuses the request");
    case Code.Unimplemented:
      log(error, "the store does not implement what it describes");
      return methodNotSupported(resource, call.verb);
    case Code.ResourceExhausted:
      return tooManyRequests(said || "the store is overloaded, please try again later", retrySeconds);
    // Whoever cancels a call himself doesn't read its answer: so it was the store, as it went away.
    case Code.Canceled:
    case Code.Unavailable:
      return serviceUnavailable(said || `the store "${call.store}" of ${call.plural} is not available`, retrySeconds);
    case Code.DeadlineExceeded:
      return timeout("request did not complete within requested timeout - context deadline exceeded");
    default:
      log(error, "the store failed");
      return internalError("the store failed", { cause: error });
  }
}

function reasoned(detail: ErrorDetail, fallback: StatusError): StatusError {
  return new StatusError({ ...fallback.status, reason: detail.reason });
}

/** Whether a socket can't be opened, or broke: that comes as a system error somewhere behind the code. */
export function isConnectionError(error: ConnectError): boolean {
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    if (systemError.test((cause as NodeJS.ErrnoException).code ?? "")) return true;
  }
  return false;
}

const systemError =
  /^(ECONN|ECANCELED|ENOENT|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_|EACCES|ERR_HTTP2|ERR_STREAM|ERR_SSL|ERR_TLS)/;
