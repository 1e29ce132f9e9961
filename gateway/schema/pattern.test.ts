import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePattern } from "./pattern.ts";

test("compilePattern() keeps flags inside the group that sets them", () => {
  const months = compilePattern("^((?i)january|february)(x)$");
  assert.ok(months.test("FEBRUARYx"));
  assert.ok(!months.test("FEBRUARYX"));
  assert.ok(compilePattern("^(?i)(abort|warn)?$").test("ABORT"));
  assert.ok(compilePattern("(?i)^ab|cd$").test("CD"));
});

test("compilePattern() reads what only RE2 has", () => {
  assert.ok(compilePattern("\\A[[:alpha:]]+\\z").test("abc"));
  assert.ok(!compilePattern("\\A[[:alpha:]]+\\z").test("ab1"));
  assert.ok(compilePattern("^\\Qa.b\\E$").test("a.b"));
  assert.ok(!compilePattern("^\\Qa.b\\E$").test("axb"));
  assert.ok(compilePattern("^(?P<x>a)$").test("a"));
  assert.ok(compilePattern("^\\pL+$").test("é"));
  assert.ok(compilePattern("^[]a]+$").test("]a"));
});

test("compilePattern() makes patterns that can't backtrack without end", () => {
  // A backtracking engine would not come back from this one.
  assert.ok(!compilePattern("^(a+)+$").test(`${"a".repeat(5000)}b`));
});

test("compilePattern() refuses what is no pattern", () => {
  assert.throws(() => compilePattern("a("), /missing closing \)/);
});
