import assert from "node:assert/strict";
import { test } from "node:test";
import { formatGoFloat } from "./go-text.ts";

test("formatGoFloat() turns to exponents where Go's %v does", () => {
  const shown: readonly (readonly [number, string])[] = [
    [0, "0"],
    [0.5, "0.5"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [-1.5e-7, "-1.5e-07"],
    [999999.5, "999999.5"],
    [3e9, "3e+09"],
    [1234567.5, "1.2345675e+06"],
    [1e21, "1e+21"],
    [1e300, "1e+300"],
  ];
  for (const [value, text] of shown) assert.equal(formatGoFloat(value), text);
});
