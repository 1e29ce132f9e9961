/**
 * The one error that clients see: a Kubernetes Status, and a constructor for each reason.
 *
 * Throw a StatusError where the fact is known; listen turns it into the answer. Anything else that
 * is thrown is a bug and is shown as InternalError without its text.
 * Source: apimachinery pkg/api/errors/errors.go, pkg/apis/meta/v1/types.go.
 */
import { formatGroupWord } from "./gvk.ts";
import type { JsonObject } from "./json.ts";

/** One detail of a failure: `reason` is the machine word, `field` a path such as `spec.ports[0]`. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** What a failure is about. `kind` is the resource for most reasons and the Kind for Invalid. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** A failure Status. `details: {}` is written as such; undefined leaves it out. */
export interface Status {
  readonly code: number;
  /** `""` is Kubernetes' Unknown: the field is left out. */
  readonly reason: string;
  readonly message: string;
  readonly details?: StatusDetails | undefined;
  /** A continue token that a 410 offers (`metadata.continue`). */
  readonly continueToken?: string;
}

/** An error that is a Kubernetes Status. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: Status;
  constructor(status: Status, options?: ErrorOptions) {
    super(status.message, options);
    this.status = status;
  }
}

/** A resource (or kind) word with its group, as messages name them. */
export interface GroupWord {
  readonly group: string;
  /** The resource, or the Kind where the constructor says so. */
  readonly word: string;
}

function about(what: GroupWord, name: string, more: Partial<StatusDetails> = {}): StatusDetails {
  return {
    ...(name === "" ? {} : { name }),
    ...(what.group === "" ? {} : { group: what.group }),
    ...(what.word === "" ? {} : { kind: what.word }),
    ...more,
  };
}

const full = (what: GroupWord) => formatGroupWord(what.word, what.group);

/** Gives the JSON value of a failure, its fields in Go's order. */
export function statusToJson(status: Status): JsonObject {
  const details = status.details;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: status.continueToken === undefined ? {} : { continue: status.continueToken },
    status: "Failure",
    message: status.message,
    ...(status.reason === "" ? {} : { reason: status.reason }),
    ...(details === undefined ? {} : { details: detailsToJson(details) }),
    code: status.code,
  };
}

/** Gives the JSON value of a Status's details, its fields in Go's order. */
export function detailsToJson(details: StatusDetails): JsonObject {
  return {
    ...(details.name ? { name: details.name } : {}),
    ...(details.group ? { group: details.group } : {}),
    ...(details.kind ? { kind: details.kind } : {}),
    ...(details.uid ? { uid: details.uid } : {}),
    ...(details.causes?.length
      ? {
          causes: details.causes.map((cause) => ({
            ...(cause.reason ? { reason: cause.reason } : {}),
            ...(cause.message ? { message: cause.message } : {}),
            ...(cause.field ? { field: cause.field } : {}),
          })),
        }
      : {}),
    ...(details.retryAfterSeconds ? { retryAfterSeconds: details.retryAfterSeconds } : {}),
  };
}

/** 404: the object does not exist. */
export function notFound(resource: GroupWord, name: string): StatusError {
  return new StatusError({
    code: 404,
    reason: "NotFound",
    message: `${full(resource)} "${name}" not found`,
    details: about(resource, name),
  });
}

/** 409: the name is taken. */
export function alreadyExists(resource: GroupWord, name: string): StatusError {
  return new StatusError({
    code: 409,
    reason: "AlreadyExists",
    message: `${full(resource)} "${name}" already exists`,
    details: about(resource, name),
  });
}

/** 409: the object changed since it was read, or a precondition failed. `why` ends the message. */
export function conflict(resource: GroupWord, name: string, why: string): StatusError {
  return new StatusError({
    code: 409,
    reason: "Conflict",
    message: `Operation cannot be fulfilled on ${full(resource)} "${name}": ${why}`,
    details: about(resource, name),
  });
}

/** The text of a lost compare-and-swap. */
export const modifiedText =
  "the object has been modified; please apply your changes to the latest version and try again";

/** 403. `why` follows `is forbidden: `; a resource without a word gives the bare `forbidden: ` form. */
export function forbidden(resource: GroupWord, name: string, why: string): StatusError {
  const subject = resource.word === "" ? "" : name === "" ? `${full(resource)} is ` : `${full(resource)} "${name}" is `;
  return new StatusError({
    code: 403,
    reason: "Forbidden",
    message: `${subject}forbidden: ${why}`,
    details: about(resource, name),
  });
}

/** 401, with no word on why. */
export function unauthorized(): StatusError {
  return new StatusError({ code: 401, reason: "Unauthorized", message: "Unauthorized" });
}

/** 400. */
export function badRequest(message: string): StatusError {
  return new StatusError({ code: 400, reason: "BadRequest", message });
}

/** 405 of a verb that this resource does not offer. */
export function methodNotSupported(resource: GroupWord, verb: string): StatusError {
  return new StatusError({
    code: 405,
    reason: "MethodNotAllowed",
    message: `${verb} is not supported on resources of kind "${full(resource)}"`,
    details: about(resource, ""),
  });
}

/** 406: none of the media types asked for can be given. */
export function notAcceptable(message: string): StatusError {
  return new StatusError({ code: 406, reason: "NotAcceptable", message });
}

/** 415: the body's media type is not read here. */
export function unsupportedMediaType(message: string): StatusError {
  return new StatusError({ code: 415, reason: "UnsupportedMediaType", message });
}

/** 413. `why` follows `Request entity too large: `. */
export function requestEntityTooLarge(why: string): StatusError {
  return new StatusError({
    code: 413,
    reason: "RequestEntityTooLarge",
    message: `Request entity too large: ${why}`,
  });
}

/** 410 Expired: the history asked for is gone. */
export function expired(message: string, continueToken?: string): StatusError {
  return new StatusError({
    code: 410,
    reason: "Expired",
    message,
    ...(continueToken === undefined ? {} : { continueToken }),
  });
}

/** Gives the header that says when to try again, if a Status says it. */
export function retryAfterHeader({ details }: Status): { readonly "Retry-After"?: string } {
  const seconds = details?.retryAfterSeconds ?? 0;
  return seconds > 0 ? { "Retry-After": String(seconds) } : {};
}

/** 429 with the seconds after which to try again. */
export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError({ code: 429, reason: "TooManyRequests", message, details: { retryAfterSeconds } });
}

/** 500 InternalError: `Internal error occurred: <text>`. The text must be fit for clients. */
export function internalError(text: string, options?: ErrorOptions): StatusError {
  return new StatusError(
    {
      code: 500,
      reason: "InternalError",
      message: `Internal error occurred: ${text}`,
      details: { causes: [{ message: text }] },
    },
    options,
  );
}

/** 500 with Kubernetes' reason Unknown and the bare text: what Go gives for an error that is no Status. */
export function unknownError(message: string): StatusError {
  return new StatusError({ code: 500, reason: "", message });
}

/** 503 with the seconds after which to try again. */
export function serviceUnavailable(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError({ code: 503, reason: "ServiceUnavailable", message, details: { retryAfterSeconds } });
}

/** 504: `Timeout: <text>`. */
export function timeout(text: string, retryAfterSeconds = 0, causes: readonly StatusCause[] = []): StatusError {
  return new StatusError({
    code: 504,
    reason: "Timeout",
    message: `Timeout: ${text}`,
    details: {
      ...(causes.length > 0 ? { causes } : {}),
      ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
    },
  });
}

/** 504 of a revision that is not there yet. */
export function tooLargeResourceVersion(asked: bigint, current: bigint): StatusError {
  return timeout(`Too large resource version: ${asked}, current: ${current}`, 1, [
    { reason: "ResourceVersionTooLarge", message: "Too large resource version" },
  ]);
}
