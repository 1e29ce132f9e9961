import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type FieldError, formatFieldError } from "../apimachinery/field-error.ts";
import { type JsonObject, type JsonValue, parseJson } from "../apimachinery/json.ts";
import { finish, type Steps } from "../apimachinery/steps.ts";
import { createAnswers, statusAnswers, updateAnswers, wholeObject, wholeSchema } from "./kube-answers.fixture.ts";
import { compiled, compiledSpec, read } from "./schema.fixture.ts";
import { validateStatusSteps, validateSteps } from "./schema.ts";

function texts(work: Steps<readonly FieldError[]>): string[] {
  return finish(work).map(formatFieldError);
}

for (const answer of createAnswers) {
  test(`validateSteps() answers as kube-apiserver about ${answer.about}`, () => {
    const schema = compiled(wholeSchema(answer));
    assert.deepEqual(texts(validateSteps(schema, read(wholeObject(answer.object)))), answer.faults);
  });
}

for (const answer of updateAnswers) {
  test(`validateSteps() on an update answers as kube-apiserver about ${answer.about}`, () => {
    const schema = compiled(wholeSchema(answer));
    const old = read(wholeObject(answer.old ?? {}));
    assert.deepEqual(texts(validateSteps(schema, read(wholeObject(answer.object)), old)), answer.faults);
  });
}

for (const answer of statusAnswers) {
  test(`validateStatusSteps() answers as kube-apiserver about ${answer.about}`, () => {
    const schema = compiled(wholeSchema(answer));
    const old = read(wholeObject(answer.old ?? {}));
    assert.deepEqual(texts(validateStatusSteps(schema, read(wholeObject(answer.object)), old)), answer.faults);
  });
}

test("validateSteps() gives each fault the reason of its kind", () => {
  const schema = compiledSpec({
    type: "object",
    required: ["r"],
    properties: {
      t: { type: "string" },
      e: { type: "string", enum: ["a"] },
      l: { type: "string", maxLength: 1 },
      m: { type: "array", maxItems: 0, items: { type: "string" } },
      p: { type: "string", pattern: "^a" },
      s: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
    },
  });
  const object = read({ spec: { t: 1, e: "b", l: "xx", m: [""], p: "b", s: ["a", "a"] } });
  const reasons = Object.fromEntries(finish(validateSteps(schema, object)).map((fault) => [fault.field, fault.reason]));
  assert.deepEqual(reasons, {
    "spec.t": "FieldValueTypeInvalid",
    "spec.e": "FieldValueNotSupported",
    "spec.l": "FieldValueTooLong",
    "spec.m": "FieldValueTooMany",
    "spec.p": "FieldValueInvalid",
    "spec.r": "FieldValueRequired",
    "spec.s[1]": "FieldValueDuplicate",
  });
});

test("validateSteps() keeps 64-bit integers exact", () => {
  const schema = compiledSpec({ type: "object", properties: { x: { type: "integer", enum: [1] } } });
  const object = parseJson(Buffer.from('{"spec":{"x":9007199254740993}}')) as JsonObject;
  assert.deepEqual(texts(validateSteps(schema, object)), [
    'spec.x: Unsupported value: 9007199254740993: supported values: "1"',
  ]);
  const tooLarge = parseJson(Buffer.from('{"spec":{"x":9223372036854775808}}')) as JsonObject;
  assert.equal(
    texts(validateSteps(schema, tooLarge))[0],
    'spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"',
  );
});

test("validateSteps() hands embedded metadata to the check it was given", () => {
  const schema = compiledSpec({
    type: "object",
    "x-kubernetes-embedded-resource": true,
    "x-kubernetes-preserve-unknown-fields": true,
  });
  const object = read({ spec: { apiVersion: "v1", kind: "Pod", metadata: { name: "a", labels: { b: "c" } } } });
  const seen: unknown[] = [];
  const embeddedMetadata = (metadata: JsonObject, path: string): FieldError[] => {
    seen.push([path, Object.keys(metadata)]);
    return [{ reason: "FieldValueInvalid", field: `${path}.name`, message: "no" }];
  };
  assert.deepEqual(texts(validateSteps(schema, object, undefined, { embeddedMetadata })), ["spec.metadata.name: no"]);
  assert.deepEqual(seen, [["spec.metadata", ["labels", "name"]]]);
});

test("validateSteps() stops collecting at a bound", () => {
  const schema = compiledSpec({ type: "array", items: { type: "string" } });
  const object = read({ spec: Array.from({ length: 50_000 }, () => 1) });
  const found = finish(validateSteps(schema, object)).length;
  assert.ok(found > 900 && found < 1100, `${found} faults`);
});

test("validateSteps() finds the same in slices of any size", () => {
  const answers = [...createAnswers, ...updateAnswers];
  fc.assert(
    fc.property(fc.nat(answers.length - 1), fc.integer({ min: 1, max: 5 }), (index, units) => {
      const answer = answers[index];
      if (answer === undefined) return;
      const old = answer.old === undefined ? undefined : read(wholeObject(answer.old));
      const work = validateSteps(compiled(wholeSchema(answer)), read(wholeObject(answer.object)), old);
      while (!work.step(units));
      assert.deepEqual(work.result().map(formatFieldError), answer.faults);
    }),
  );
});

test("validateSteps() compares values of any depth with what they were", () => {
  const deepValue = (): JsonValue => {
    let value: JsonValue = 1;
    for (let level = 0; level < 10_000; level++) value = level % 2 === 0 ? [value] : { a: value };
    return value;
  };
  const schema = compiledSpec({ type: "array", maxItems: 0, items: { "x-kubernetes-preserve-unknown-fields": true } });
  const object: JsonObject = { spec: [deepValue()] };
  assert.deepEqual(texts(validateSteps(schema, object)), ["spec: Too many: 1: must have at most 0 items"]);
  assert.deepEqual(texts(validateSteps(schema, object, { spec: [deepValue()] })), []);
});
