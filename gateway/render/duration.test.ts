import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAge, sameAges } from "./duration.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test("formatAge() grows coarser with age, at Kubernetes' borders", () => {
  const cases: [number, string][] = [
    [-2 * second, "<invalid>"],
    [-1.9 * second, "0s"],
    [0, "0s"],
    [119 * second, "119s"],
    [2 * minute, "2m"],
    [2 * minute + second, "2m1s"],
    [10 * minute + 30 * second, "10m"],
    [179 * minute, "179m"],
    [3 * hour, "3h"],
    [3 * hour + 5 * minute, "3h5m"],
    [8 * hour + 30 * minute, "8h"],
    [47 * hour, "47h"],
    [48 * hour, "2d"],
    [51 * hour, "2d3h"],
    [8 * day + hour, "8d"],
    [729 * day, "729d"],
    [730 * day, "2y"],
    [731 * day, "2y1d"],
    [8 * 365 * day, "8y"],
  ];
  for (const [ms, text] of cases) assert.equal(formatAge(ms), text, `${ms} ms`);
});

test("sameAges() is the ages up to the next that reads otherwise", () => {
  const near = (ms: number) => fc.integer({ min: ms - 5 * second, max: ms + 5 * second });
  const borders = [0, 2 * minute, 10 * minute, 3 * hour, 8 * hour, 2 * day, 8 * day, 730 * day, 8 * 365 * day];
  const ages = fc.oneof(...borders.map(near), fc.integer({ min: -day, max: 12 * 365 * day }));
  fc.assert(
    fc.property(ages, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (age, part) => {
      const { fromMs, untilMs } = sameAges(age);
      assert.ok(fromMs <= age && age < untilMs);
      assert.notEqual(formatAge(untilMs), formatAge(age));
      assert.equal(formatAge(untilMs - 1), formatAge(age));
      if (fromMs === Number.NEGATIVE_INFINITY) return;
      assert.equal(formatAge(fromMs), formatAge(age));
      assert.equal(formatAge(fromMs + Math.floor(part * (untilMs - fromMs))), formatAge(age));
      assert.notEqual(formatAge(fromMs - 1), formatAge(age));
    }),
  );
});
