/** Builders for render's unit tests: views, forms, bytes as text. */
import { type AnswerForm, plainJson } from "../apimachinery/answer-form.ts";
import { encodeJsonBytes, isJsonObject, parseJson } from "../apimachinery/json.ts";
import type { ObjectView } from "../apimachinery/object.ts";
import type { PrinterColumn } from "../apimachinery/resource.ts";

/** Gives the view of an object written as JSON. */
export function viewOf(text: string): ObjectView {
  const value = parseJson(text);
  if (!isJsonObject(value)) throw new TypeError("a view is of an object");
  return { value, json: encodeJsonBytes(value) };
}

/** A view whose value nobody may ask for: plain JSON must not be parsed. */
export function unparsedView(text: string): ObjectView {
  return {
    json: Buffer.from(text),
    get value(): never {
      throw new Error("the bytes were parsed");
    },
  };
}

export const now = new Date("2026-11-24T10:00:00Z");

/** A widget, five minutes old. */
export const widget = viewOf(
  '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"creationTimestamp":"2026-11-24T09:55:00Z",' +
    '"labels":{"9":"b","10":"a"},"name":"a","namespace":"ns","resourceVersion":"7","uid":"u1"},"spec":{"size":3,"text":"<é>"}}',
);

/** Gives the form with a change. */
export function formWith(change: Partial<AnswerForm>): AnswerForm {
  return { ...plainJson, ...change };
}

/** Gives a column of type string at `.spec.text`, with a change. */
export function columnWith(change: Partial<PrinterColumn> = {}): PrinterColumn {
  return { name: "Text", type: "string", format: "", description: "", priority: 0, jsonPath: ".spec.text", ...change };
}

/** Joins buffers as text. */
export function textOf(buffers: readonly Uint8Array[]): string {
  return Buffer.concat(buffers).toString();
}
