import assert from "node:assert/strict";
import { test } from "node:test";
import { goTimeFault } from "./go-time.ts";

const layout = '"2006-01-02T15:04:05Z07:00"';

test("goTimeFault() names the part that Go stumbles over", () => {
  const faults: readonly (readonly [string, string])[] = [
    ["", `as ${layout}: cannot parse "" as "2006"`],
    ["2020/01-01", `as ${layout}: cannot parse "/01-01" as "-"`],
    ["2020-1-01T00:00:00Z", `as ${layout}: cannot parse "1-01T00:00:00Z" as "01"`],
    ["2020-01-01", `as ${layout}: cannot parse "" as "T"`],
    ["2020-01-01T00:00:00", `as ${layout}: cannot parse "" as "Z07:00"`],
    ["2020-01-01T00:00:00+0100", `as ${layout}: cannot parse "+0100" as "Z07:00"`],
    ["é", `as ${layout}: cannot parse "\\xc3\\xa9" as "2006"`],
  ];
  for (const [text, words] of faults)
    assert.equal(goTimeFault(text), `parsing time "${text === "é" ? "\\xc3\\xa9" : text}" ${words}`);
});

test("goTimeFault() tells numbers that are out of range, and what comes after the end", () => {
  const faults: readonly (readonly [string, string])[] = [
    ["2020-13-01T00:00:00Z", "month out of range"],
    ["2020-02-30T00:00:00Z", "day out of range"],
    ["2020-01-01T24:00:00Z", "hour out of range"],
    ["2020-01-01T00:60:00Z", "minute out of range"],
    ["2020-01-01T00:00:61Z", "second out of range"],
    ["2020-01-01T00:00:00+25:00", "time zone offset hour out of range"],
    ["2020-01-01T00:00:00+01:61", "time zone offset minute out of range"],
    ["2020-01-01T00:00:00Zx", 'extra text: "x"'],
  ];
  for (const [text, words] of faults) assert.equal(goTimeFault(text), `parsing time "${text}": ${words}`);
});
