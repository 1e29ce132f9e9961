/** The table in README.md: no row is empty, and every test that it names is there. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../support/checkout.ts";

const folder = join(root, "test/seed");
const rows = readFileSync(join(folder, "README.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| the (seed|cluster) \|/.test(line))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("the table has no empty row", () => {
  assert.ok(rows.length > 80, `${rows.length} rows`);
  for (const [feature = "", , shown = "", ...more] of rows) {
    assert.ok(feature !== "" && shown !== "" && more.length === 0, feature);
  }
});

test("every test that the table names is there", () => {
  for (const [feature, , shown = ""] of rows) {
    for (const part of shown.split("; ")) {
      const [, file = "", title = ""] = /^([\w./-]+\.test\.ts)(?:: (.*))?$/.exec(part) ?? [];
      assert.ok(file !== "", `${feature}: ${part} names no test`);
      const path = file.includes("/") ? join(root, file) : join(folder, file);
      assert.ok(existsSync(path), `${feature}: ${file}`);
      const text = readFileSync(path, "utf8");
      for (const one of title === "" ? [] : title.split(", ")) {
        assert.ok(text.includes(one.replace(/ \(.*\)$/, "")), `${feature}: ${file} has no "${one}"`);
      }
    }
  }
});
