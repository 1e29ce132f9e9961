/**
 * What a failed call says of whether its store has seen it.
 *
 * A call that nobody can have received may be made again, anywhere. One that was lost on the way, or
 * whose answer was, may have had its effect: only who knows that a second time does no harm makes it again.
 * Source: RFC 9113 section 8.7 (REFUSED_STREAM), gRFC A6 (transparent retries).
 */
import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import { isConnectionError } from "./errors.ts";

/** Whether a call may be made a second time after it was lost. Default: no. */
export const repeatable = createContextKey(false, { description: "a second time does no harm" });

/** A call that was refused here, before anything was sent. */
export class NotSent extends ConnectError {
  // Its base takes every ConnectError for one of any subclass.
  static override [Symbol.hasInstance](value: unknown): boolean {
    return Object.prototype.isPrototypeOf.call(NotSent.prototype, value as object);
  }
  constructor(message: string) {
    super(message, Code.Unavailable);
  }
}

/** Whether nobody can have received the call: no connection came about, or the other side didn't look at it. */
export function isUnreceived(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof NotSent || cause.message.includes("REFUSED_STREAM")) return true;
    const attempts = cause instanceof AggregateError ? cause.errors : [cause];
    if (attempts.length > 0 && attempts.every(isOfConnecting)) return true;
  }
  return false;
}

/** Whether a call, or its answer, was lost, or its store could not answer it now. */
export function isLost(error: unknown): boolean {
  const failed = ConnectError.from(error);
  return isConnectionError(failed) || failed.code === Code.Unavailable || failed.code === Code.Canceled;
}

function isOfConnecting(error: NodeJS.ErrnoException): boolean {
  return error.syscall === "connect" || error.syscall === "getaddrinfo";
}
