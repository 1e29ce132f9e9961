import assert from "node:assert/strict";
import { test } from "node:test";
import { Ring } from "./ring.ts";

const event = (revision: number, cost = 1, at = 0) => ({ revision: BigInt(revision), cost, at });
const revisions = (events: readonly { revision: bigint }[] | undefined) => events?.map((one) => Number(one.revision));

test("Ring.after() gives exactly what came later", () => {
  const ring = new Ring(10n, 0, { maxEvents: 100, maxBytes: 1000 });
  for (const revision of [12, 15, 20]) ring.push(event(revision));
  assert.deepEqual(revisions(ring.after(10n)), [12, 15, 20]);
  assert.deepEqual(revisions(ring.after(12n)), [15, 20]);
  assert.deepEqual(revisions(ring.after(14n)), [15, 20]);
  assert.deepEqual(revisions(ring.after(99n)), []);
  assert.deepEqual(revisions(ring.after(10n, 15n)), [12, 15]);
  assert.deepEqual(revisions(ring.after(12n, 12n)), []);
});

test("Ring.after() says when history is gone", () => {
  const ring = new Ring(10n, 0, { maxEvents: 2, maxBytes: 1000 });
  for (const revision of [11, 12, 13]) ring.push(event(revision));
  assert.equal(ring.after(9n), undefined);
  assert.equal(ring.after(10n), undefined);
  assert.deepEqual(revisions(ring.after(11n)), [12, 13]);
  assert.equal(ring.floor, 11n);
});

test("Ring drops the oldest when its bytes are over the limit", () => {
  const ring = new Ring(0n, 0, { maxEvents: 100, maxBytes: 10 });
  ring.push(event(1, 6));
  ring.push(event(2, 6));
  assert.deepEqual([ring.size, ring.bytes], [1, 6]);
  assert.deepEqual(revisions(ring.after(1n)), [2]);
  assert.equal(ring.after(0n), undefined);
});

test("Ring stays whole over many pushes", () => {
  const ring = new Ring(0n, 0, { maxEvents: 10, maxBytes: 1e9 });
  for (let revision = 1; revision <= 5000; revision++) ring.push(event(revision));
  assert.deepEqual(
    revisions(ring.after(4990n)),
    Array.from({ length: 10 }, (_, index) => 4991 + index),
  );
  assert.equal(ring.after(4989n), undefined);
});

test("Ring.floorAt is when it began, and then when the last was told that it dropped", () => {
  const ring = new Ring(0n, 500, { maxEvents: 2, maxBytes: 1000 });
  ring.push(event(1, 1, 1_000));
  ring.push(event(2, 1, 2_000));
  assert.equal(ring.floorAt, 500);
  ring.push(event(3, 1, 2_000));
  assert.equal(ring.floorAt, 1_000);
});
