import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatTime, isCanonicalTime, parseTime } from "./time.ts";

test("formatTime() gives whole seconds in UTC", () => {
  assert.equal(formatTime(new Date("2026-11-24T09:05:03.999+01:00")), "2026-11-24T08:05:03Z");
});

test("parseTime() reads zones, fractions and early years", () => {
  assert.equal(parseTime("2026-11-24T09:05:03+01:30")?.toISOString(), "2026-11-24T07:35:03.000Z");
  assert.equal(parseTime("2026-11-24T09:05:03.123456789Z")?.toISOString(), "2026-11-24T09:05:03.123Z");
  assert.equal(parseTime("2026-11-24T09:05:03-00:30")?.toISOString(), "2026-11-24T09:35:03.000Z");
  assert.equal(parseTime("0001-01-01T00:00:00Z")?.toISOString(), "0001-01-01T00:00:00.000Z");
  assert.equal(parseTime("2024-02-29T00:00:00Z")?.toISOString(), "2024-02-29T00:00:00.000Z");
});

test("parseTime() refuses what is no RFC 3339 time", () => {
  const wrong = ["", "now", "2026-11-24", "2026-11-24T09:05:03", "2026-13-01T00:00:00Z", "2023-02-29T00:00:00Z"];
  wrong.push(
    "2026-02-30T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:00z",
    "2026-01-01 00:00:00Z",
  );
  for (const text of wrong) assert.equal(parseTime(text), undefined, text);
});

test("parseTime() is the inverse of formatTime() to the second", () => {
  const seconds = fc.integer({ min: -62135596800, max: 253402300799 });
  fc.assert(
    fc.property(seconds, (second) => {
      assert.equal(parseTime(formatTime(new Date(second * 1000)))?.getTime(), second * 1000);
    }),
  );
});

test("isCanonicalTime() holds of what formatTime() writes on most days, and of nothing else", () => {
  const part = (from: number, to: number, digits = 2) =>
    fc.integer({ min: from, max: to }).map((number) => String(number).padStart(digits, "0"));
  const texts = fc
    .tuple(part(0, 9999, 4), part(0, 13), part(0, 32), part(0, 25), part(0, 61), part(0, 61))
    .map(([year, month, day, hour, minute, second]) => `${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  fc.assert(
    fc.property(fc.oneof(texts, fc.string()), (text) => {
      const time = parseTime(text);
      if (isCanonicalTime(text)) assert.equal(time && formatTime(time), text);
      else assert.ok(time === undefined || time.getUTCDate() > 28 || formatTime(time) !== text);
    }),
  );
});
