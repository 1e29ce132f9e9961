import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "../apimachinery/status.ts";
import { createStreamSeats, type StreamSeats } from "./stream-seats.ts";

function refusal(seats: StreamSeats, name: string): number | undefined {
  try {
    seats.take({ name, uid: "", groups: [], extra: new Map() } as never);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.status.details?.retryAfterSeconds, 5);
    return error.status.code;
  }
}

test("createStreamSeats() gives each user so many seats and no more, until one is given back, once", () => {
  const seats = createStreamSeats({ perUser: 2, inAll: 10 });
  const giveBack = seats.take({ name: "ann" } as never);
  assert.deepEqual([refusal(seats, "ann"), refusal(seats, "ann"), refusal(seats, "bob")], [undefined, 429, undefined]);
  giveBack();
  giveBack();
  assert.deepEqual([refusal(seats, "ann"), refusal(seats, "ann")], [undefined, 429]);
});

test("createStreamSeats() refuses everybody when all seats are taken", () => {
  const seats = createStreamSeats({ perUser: 2, inAll: 3 });
  assert.deepEqual(
    ["a", "b", "c", "d"].map((name) => refusal(seats, name)),
    [undefined, undefined, undefined, 429],
  );
});
