/**
 * A value into a cell of a Table, by the type of its column.
 *
 * A value of another type than the column's gives null, but for text, which shows anything.
 * Source: apiextensions-apiserver pkg/registry/customresource/tableconvertor; client-go
 * util/jsonpath (PrintResults).
 */
import type { TimeSpan } from "../apimachinery/item-form.ts";
import { encodeJson, type JsonValue } from "../apimachinery/json.ts";
import type { PrinterColumn } from "../apimachinery/resource.ts";
import { parseTime } from "../apimachinery/time.ts";
import { formatAge, sameAges } from "./duration.ts";

/** Go's zero time stands for "never". */
const zeroTimeMs = Date.parse("0001-01-01T00:00:00Z");
const int64Limit = 2 ** 63;

/** What a cell shows. */
export type Cell = Exclude<JsonValue, object> | null | Age;

/** How long ago something was, which is another text all the time. */
export class Age {
  readonly sinceMs: number;
  constructor(since: Date) {
    this.sinceMs = since.getTime();
  }
}

/** Gives a cell as JSON. */
export function cellJson(cell: Cell, now: Date): string {
  return encodeJson(cell instanceof Age ? formatAge(now.getTime() - cell.sinceMs) : cell);
}

/** Gives the time in which an age shows the same as now. */
export function spanOf({ sinceMs }: Age, nowMs: number): TimeSpan {
  const ages = sameAges(nowMs - sinceMs);
  return { fromMs: sinceMs + ages.fromMs, untilMs: sinceMs + ages.untilMs };
}

/** Gives the cell of a value that was found. */
export function cellOf(type: PrinterColumn["type"], value: JsonValue): Cell {
  switch (type) {
    case "string":
      return printed(value);
    case "integer":
      return whole(value);
    case "number":
      return typeof value === "number" || typeof value === "bigint" ? Number(value) : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value === "string" ? age(value) : null;
    default:
      return null;
  }
}

function whole(value: JsonValue): Cell {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  // As amd64 converts a float that no 64-bit integer holds.
  if (value >= int64Limit || value < -int64Limit) return -(2n ** 63n);
  if (typeof value === "bigint") return value;
  const cut = Math.trunc(value);
  return Number.isSafeInteger(cut) ? cut + 0 : BigInt(cut);
}

function age(text: string): string | Age {
  if (text === "" || text === "null") return "<unknown>";
  const time = parseTime(text);
  if (time === undefined) return "<invalid>";
  return time.getTime() === zeroTimeMs ? "<unknown>" : new Age(time);
}

/** Text as Go's templates print a value: text bare, structures as JSON. */
function printed(value: JsonValue): string {
  if (value === null) return "<no value>";
  if (typeof value === "string") return value;
  if (typeof value === "number")
    return Number.isInteger(value) && Math.abs(value) < int64Limit ? String(BigInt(value)) : goFloat(value);
  if (typeof value === "bigint") {
    return value >= int64Limit || value < -int64Limit ? goFloat(Number(value)) : String(value);
  }
  return encodeJson(value);
}

/** A float as Go's %v: the shortest digits, with an exponent of two digits below 1e-4 and from 1e6. */
function goFloat(value: number): string {
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  const sign = exponent < 0 ? "-" : "+";
  return `${digits}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}
