/** The definitions and objects of real projects, where they are given. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { formatFieldError } from "../apimachinery/field-error.ts";
import { finish } from "../apimachinery/steps.ts";
import { read } from "./schema.fixture.ts";
import {
  coerceEmbedded,
  coerceMetadata,
  compileSchema,
  defaultSteps,
  pruneSteps,
  type Schema,
  validateSteps,
} from "./schema.ts";

const folder = process.env["ANNEX_REAL_DATA"];
const skip = folder === undefined ? "ANNEX_REAL_DATA is not set" : false;

interface Document {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly name?: string };
  readonly spec?: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: object } }[];
  };
}

function documents(pattern: string): Document[] {
  return globSync(`${folder}/${pattern}`).flatMap((file) =>
    parseAllDocuments(readFileSync(file, "utf8")).map((document) => document.toJS() as Document),
  );
}

test("compileSchema() finds no fault in real definitions, and real objects are valid under them", { skip }, (t) => {
  const schemas = new Map<string, Schema>();
  let slowestMs = 0;
  for (const { spec } of documents("*/crds/*.yaml")) {
    for (const { name, schema } of spec?.versions ?? []) {
      const source = read(schema.openAPIV3Schema);
      const start = performance.now();
      const outcome = compileSchema(source);
      slowestMs = Math.max(slowestMs, performance.now() - start);
      if ("faults" in outcome) assert.fail(`${spec?.names.kind} ${name}: ${JSON.stringify(outcome.faults)}`);
      schemas.set(`${spec?.group}/${name} ${spec?.names.kind}`, outcome.schema);
    }
  }
  assert.ok(schemas.size > 20, `${schemas.size} schemas`);
  const sound: string[] = [];
  const unsound: string[] = [];
  for (const document of documents("*/examples/**/*.yaml")) {
    const schema = schemas.get(`${document?.apiVersion} ${document?.kind}`);
    if (schema === undefined) continue;
    const object = read(document);
    const unknown = [
      ...coerceMetadata(object, { dropMalformed: false }).unknown,
      ...finish(pruneSteps(schema, object, { trackUnknown: true })).unknown,
      ...coerceEmbedded(schema, object, false),
    ];
    finish(defaultSteps(schema, object));
    const faults = finish(validateSteps(schema, object)).map(formatFieldError);
    const subject = `${document.kind} ${document.metadata?.name ?? ""}`;
    if (unknown.length + faults.length === 0) sound.push(subject);
    else unsound.push(`${subject}: ${[...unknown, ...faults].join("; ")}`);
  }
  // Two guides of prometheus-operator show only the part that they speak of: kube-apiserver refuses them too.
  assert.deepEqual(unsound, [
    "PodMonitor : spec.selector: Required value",
    "ServiceMonitor servicemonitor-example: spec.selector: Required value",
  ]);
  assert.ok(sound.length > 100, `${sound.length} objects`);
  t.diagnostic(`${schemas.size} schemas, the slowest compiled in ${slowestMs.toFixed(1)} ms; ${sound.length} objects`);
});
