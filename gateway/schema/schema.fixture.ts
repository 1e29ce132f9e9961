/** Schemas and objects for tests, from plain literals to values as a body is read. */
import assert from "node:assert/strict";
import { type JsonObject, type JsonValue, parseJson } from "../apimachinery/json.ts";
import { finish } from "../apimachinery/steps.ts";
import { compileSchema, type Defaulting, defaultSteps, pruneSteps, type Schema } from "./schema.ts";

/** Gives a value as the parser would have read it. */
export function read<T = JsonObject>(value: unknown): T {
  return parseJson(Buffer.from(JSON.stringify(value))) as T;
}

/** Gives a value as a plain literal, to compare with. */
export function plain(value: JsonValue): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Compiles a sound schema. */
export function compiled(source: object): Schema {
  const outcome = compileSchema(read(source));
  if ("faults" in outcome) assert.fail(outcome.faults.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  return outcome.schema;
}

/** Compiles a schema whose `spec` is given. */
export function compiledSpec(spec: object): Schema {
  return compiled({ type: "object", properties: { spec } });
}

/** Gives the faults of a schema, `path: message`. */
export function faultsOf(source: object): string[] {
  const outcome = compileSchema(read(source));
  return "faults" in outcome ? outcome.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}

/** Prunes a copy of an object. */
export function pruned(
  schema: Schema,
  object: object,
): { readonly value: unknown; readonly unknown: readonly string[] } {
  const value = read(object);
  const { unknown } = finish(pruneSteps(schema, value, { trackUnknown: true }));
  return { value: plain(value), unknown };
}

/** Defaults a copy of an object. */
export function defaulted(schema: Schema, object: object, how?: Defaulting): unknown {
  const value = read(object);
  finish(defaultSteps(schema, value, how));
  return plain(value);
}
