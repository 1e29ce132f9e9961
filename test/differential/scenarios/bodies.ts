/**
 * Bodies: texts that can't be read, media types, sizes around the limits.
 */
import type { Scenario, Step } from "../scenario.ts";
import { gear, gears, get, note, notes, patch, post, put, remove, saveAll } from "../scenario.ts";

const current = { resourceVersion: "<<rv>>" };
const saved = (step: Step): Step => ({ ...step, save: saveAll });

/** Texts that are no object, or not this one, in both languages. */
const texts: readonly string[] = [
  "",
  " ",
  "{}",
  "[]",
  "null",
  "1",
  "true",
  '"text"',
  "{",
  "}",
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,}',
  "{'a':1}",
  "nul",
  "tru",
  "{a: 1}",
  "\u0000",
  "\ufeff{}",
  '{"a":01}',
  '{"a":1e999}',
  '{"a":"\u0001"}',
  '{"a":"\\x"}',
  '{"a":"\\ud800"}',
  "[1,2",
  `${"[".repeat(200)}`,
  `{"apiVersion":"differential.annex.dev/v1"}`,
  `{"kind":"Gear"}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":""}`,
  `{"apiVersion":1,"kind":"Gear"}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":5}`,
  `{"apiVersion":"a/b/c","kind":"Gear"}`,
  `{"apiVersion":"","kind":"Gear"}`,
  `{"apiVersion":"differential.annex.dev/v1beta1","kind":"Gear"}`,
  `{"apiVersion":"v1","kind":"Gear"}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Plate"}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"GearList","items":[]}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":null}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":[]}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":"x"}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":5}}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a"},"spec":null}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a"},"spec":{"color":"red"},"spec":{"color":"blue"}}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a","name":"b"},"spec":{"color":"red","color":"blue","parts":[{"name":"x","name":"y"}]}}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","Kind":"x","metadata":{"name":"a","Name":"b"},"spec":{"color":"red"}}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a"},"spec":{"color":"red","count":12345678901234567890}}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a"},"spec":{"color":"red","count":9223372036854775807,"ratio":1.0,"anything":[1.0,1e3,-0,0.1e-7,123456789012345678]}}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a"},"spec":{"color":"red","anything":{"__proto__":1,"constructor":2,"10":1,"9":2,"é":"\\u00e9","<":"&\\u2028"}}} `,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a"},"spec":{"color":"red"}}{}`,
  `{"apiVersion":"differential.annex.dev/v1","kind":"Gear","metadata":{"name":"a"},"spec":{"color":"red"}} x`,
  "apiVersion: differential.annex.dev/v1\nkind: Gear\nmetadata:\n  name: a\nspec:\n  color: red\n",
  "apiVersion: differential.annex.dev/v1\nkind: Gear\nmetadata: {name: a}\nspec: {color: red, color: blue, flag: yes, count: 0x10, word: 'no', ratio: .5, maybe: ~}\n",
  "apiVersion: differential.annex.dev/v1\nkind: Gear\nmetadata: {name: a}\nspec: {color: red, flag: on, count: 010, anything: [1_000, 0b11, 1:30, 2001-01-01, .inf, ~, 0o7, 1e3, +1, 'x']}\n",
  "a: b: c\n",
  "a:\n\t- b\n",
  "- a\n- b\n",
  "a: *x\n",
  "a: &x 1\nb: *x\n",
  "? a\n: b\n",
  "a: !!binary aGk=\n",
  "apiVersion: differential.annex.dev/v1\nkind: Gear\nmetadata: {name: a}\nspec: {color: red, anything: {1: x, true: y, null: z, 1.5: w}}\n",
  "---\napiVersion: differential.annex.dev/v1\nkind: Gear\nmetadata: {name: a}\nspec: {color: red}\n---\nkind: Other\n",
  "'unclosed\n",
  "{a: [1, 2}\n",
  "a: 1\n  b: 2\n",
  "%YAML 1.2\n---\na: 1\n",
  "a: |\n  text\n b: 2\n",
  "<<: 1\n",
];
const types = ["application/json", "application/yaml", undefined];

function bodyScenarios(): Scenario[] {
  return texts.flatMap((body) =>
    types.map((type) => {
      const headers = type === undefined ? {} : { "content-type": type };
      const strict = "?fieldValidation=Strict";
      return {
        family: "body",
        steps: [
          post(`${gears}${strict}`, body, { headers }),
          post(gears, body, { headers }),
          get(gears),
          saved(post(gears, gear("z"))),
          put(`${gears}/z`, body, { headers }),
          put(`${gears}/z/status`, body, { headers }),
          put(`${gears}/z/scale`, body, { headers }),
          remove(`${gears}/z`, body, { headers }),
          post(notes, body.replaceAll("Gear", "Note").replaceAll("dev/v1", "dev/v1alpha1"), { headers }),
          remove(notes, body, { headers }),
        ],
      };
    }),
  );
}

const contentTypes = [
  "application/json",
  "APPLICATION/JSON",
  "application/json;charset=utf-8",
  "application/json; a=b; c",
  "application/yaml",
  "text/plain",
  "",
  "json",
  "application/vnd.kubernetes.protobuf",
  "application/cbor",
  "*/*",
  "application/*",
  "multipart/form-data; boundary=x",
  "application/json, application/yaml",
  "application/merge-patch+json",
  "application/json-patch+json",
  "application/strategic-merge-patch+json",
  "application/merge-patch+json; charset=utf-8",
  "application/x-yaml",
  "text/yaml",
  ";",
  "application/json;",
];

function contentTypeScenarios(): Scenario[] {
  return contentTypes
    .filter((type) => type !== "application/vnd.kubernetes.protobuf")
    .map((type) => {
      const headers = { "content-type": type };
      return {
        family: "content type",
        steps: [
          post(gears, gear("a"), { headers }),
          saved(post(gears, gear("b"))),
          put(`${gears}/b`, gear("b", { color: "blue" }, {}, current), { headers }),
          { method: "PATCH", path: `${gears}/b`, body: {}, headers },
          { method: "PATCH", path: `${gears}/b/status`, body: {}, headers },
          { method: "PATCH", path: `${gears}/b/scale`, body: {}, headers },
          remove(`${gears}/b`, { kind: "DeleteOptions", apiVersion: "v1" }, { headers }),
          remove(gears, { kind: "DeleteOptions", apiVersion: "v1" }, { headers }),
        ],
      };
    });
}

/** Around the limits: three mebibytes of body, a mebibyte and a half of object, 10,000 operations. */
function sizeScenarios(): Scenario[] {
  const big = (length: number) => note("a", { text: "x".repeat(length) });
  const operations = (count: number) =>
    Array.from({ length: count }, () => ({ op: "test", path: "/kind", value: "Note" }));
  return Array.from({ length: 6 }, (_, index) => ({
    family: "size",
    steps: [
      post(notes, note("z", { index }), { save: saveAll }),
      post(`${notes}?dryRun=All`, big(1_000_000)),
      post(notes, big(3_145_728)),
      put(`${notes}/z`, { ...big(3_145_728), index }),
      patch(`${notes}/z`, "merge", { a: "x".repeat(3_145_728) }),
      patch(`${notes}/z`, "json", operations(10_000)),
      patch(`${notes}/z`, "json", operations(10_001)),
      remove(`${notes}/z`, { kind: "DeleteOptions", apiVersion: "v1", text: "x".repeat(3_145_728) }),
    ],
  }));
}

export const allBodyScenarios = (): Scenario[] => [...bodyScenarios(), ...contentTypeScenarios(), ...sizeScenarios()];
