import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorDetail, ErrorDetailSchema } from "../../gen/annex/store/v1/error_pb.js";
import { StatusError } from "../apimachinery/status.ts";
import { storeErrorFrom } from "./errors.ts";
import { WriteConflict } from "./store-call.ts";

const call = { group: "g.dev", plural: "things", kind: "Thing", name: "a", verb: "update", store: "s" };

function map(code: Code, detail?: Partial<Omit<ErrorDetail, "$typeName">>, logged: string[] = []): Error {
  const details =
    detail === undefined ? [] : [{ desc: ErrorDetailSchema, value: create(ErrorDetailSchema, detail as never) }];
  return storeErrorFrom(
    new ConnectError("secret text", code, undefined, details),
    call,
    () => undefined,
    (_, message) => logged.push(message),
  );
}

function status(error: Error) {
  assert.ok(error instanceof StatusError);
  return [error.status.code, error.status.reason, error.message];
}

test("storeErrorFrom() maps each code of the contract's table", () => {
  assert.deepEqual(status(map(Code.NotFound)), [404, "NotFound", 'things.g.dev "a" not found']);
  assert.deepEqual(status(map(Code.AlreadyExists)), [409, "AlreadyExists", 'things.g.dev "a" already exists']);
  assert.ok(map(Code.Aborted) instanceof WriteConflict);
  assert.equal(status(map(Code.OutOfRange))[0], 410);
  assert.deepEqual(status(map(Code.PermissionDenied, { message: "not you" })), [
    403,
    "Forbidden",
    'things.g.dev "a" is forbidden: not you',
  ]);
  assert.equal(status(map(Code.Unimplemented))[0], 405);
  assert.equal(status(map(Code.DeadlineExceeded))[0], 504);
});

test("storeErrorFrom() passes causes on as a 422 of the kind", () => {
  const causes = [{ reason: "FieldValueInvalid", field: "spec.x", message: "Invalid value: 1: too small" }];
  const error = map(Code.InvalidArgument, { causes: causes as never });
  assert.deepEqual(status(error), [422, "Invalid", 'Thing.g.dev "a" is invalid: spec.x: Invalid value: 1: too small']);
});

test("storeErrorFrom() says when to try again", () => {
  const busy = map(Code.ResourceExhausted, { message: "busy", retryAfterSeconds: 7 });
  assert.ok(busy instanceof StatusError);
  assert.deepEqual([busy.status.code, busy.status.details?.retryAfterSeconds], [429, 7]);
  const away = map(Code.Unavailable);
  assert.ok(away instanceof StatusError);
  assert.deepEqual([away.status.code, away.status.details?.retryAfterSeconds], [503, 1]);
});

test("storeErrorFrom() shows nothing of an unknown error and logs it", () => {
  const logged: string[] = [];
  const error = map(Code.Internal, undefined, logged);
  assert.deepEqual(status(error), [500, "InternalError", "Internal error occurred: the store failed"]);
  assert.deepEqual(logged, ["the store failed"]);
});

test("storeErrorFrom() takes a socket that can't be opened for a store that is away", () => {
  const cause = Object.assign(new Error("connect ENOENT"), { code: "ENOENT" });
  const failed = new ConnectError("x", Code.Internal, undefined, undefined, cause);
  assert.equal(
    status(
      storeErrorFrom(
        failed,
        call,
        () => undefined,
        () => {},
      ),
    )[0],
    503,
  );
});

test("storeErrorFrom() takes no connection that was reset for a lost compare-and-swap", () => {
  const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  const behind = new Error("the stream ended", { cause: reset });
  for (const cause of [reset, behind]) {
    const error = new ConnectError("aborted", Code.Aborted, undefined, undefined, cause);
    const mapped = storeErrorFrom(
      error,
      call,
      () => undefined,
      () => assert.fail("it is no bug of the store's"),
    );
    assert.deepEqual(status(mapped), [503, "ServiceUnavailable", 'the store "s" of things is not available']);
  }
});
