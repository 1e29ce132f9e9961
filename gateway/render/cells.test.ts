import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJson, type JsonValue, parseJson } from "../apimachinery/json.ts";
import type { PrinterColumn } from "../apimachinery/resource.ts";
import { cellJson, cellOf } from "./cells.ts";
import { now } from "./views.fixture.ts";

/** Answers checked against apiextensions-apiserver's table convertor 0.36. */
const cells: [type: PrinterColumn["type"], json: string, cell: JsonValue][] = [
  ["string", '"a"', "a"],
  ["string", "7", "7"],
  ["string", "true", "true"],
  ["string", "null", "<no value>"],
  ["string", '{"b":"<","a":[1]}', '{"a":[1],"b":"\\u003c"}'],
  ["string", "1234567.5", "1.2345675e+06"],
  ["string", "123456.75", "123456.75"],
  ["string", "0.00001", "1e-05"],
  ["string", "9223372036854775807", "9223372036854775807"],
  ["string", "12345678901234567890", "1.2345678901234567e+19"],
  ["integer", "7", 7],
  ["integer", "-3.9", -3],
  ["integer", "9223372036854775807", 9223372036854775807n],
  ["integer", '"7"', null],
  ["number", "2.5", 2.5],
  ["number", "7", 7],
  ["number", "true", null],
  ["boolean", "false", false],
  ["boolean", '"false"', null],
  ["date", '"2026-11-24T09:55:00Z"', "5m"],
  ["date", '"2026-11-24T10:55:00Z"', "<invalid>"],
  ["date", '"yesterday"', "<invalid>"],
  ["date", '""', "<unknown>"],
  ["date", '"0001-01-01T00:00:00Z"', "<unknown>"],
  ["date", "7", null],
];

for (const [type, json, cell] of cells) {
  test(`cellJson() shows ${json} in a column of type ${type}`, () => {
    assert.equal(cellJson(cellOf(type, parseJson(json)), now), encodeJson(cell));
  });
}
