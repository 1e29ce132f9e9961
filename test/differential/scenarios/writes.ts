/**
 * Creates and updates: options, what a schema says of a value, metadata, names, conflicts.
 */
import type { Scenario, Step } from "../scenario.ts";
import {
  combinations,
  gear,
  gears,
  get,
  oldGears,
  patch,
  plate,
  plates,
  post,
  put,
  remove,
  saveAll,
  withQuery,
} from "../scenario.ts";
import { badMetadata, badSpecs, goodSpecs } from "./values.ts";

type Query = Readonly<Record<string, string | undefined>>;
const first = post(gears, gear("a", { color: "red", count: 1 }), { save: saveAll });
const current = { resourceVersion: "<<rv>>" };
const saved = (step: Step): Step => ({ ...step, save: saveAll });

const writeOptions: readonly Query[] = [
  ...["All", "", "None", "all"].map((dryRun) => ({ dryRun })),
  ...["Strict", "Warn", "Ignore", "", "strict"].map((fieldValidation) => ({ fieldValidation })),
  ...["me", "", "a".repeat(128), "a".repeat(129), "a\nb", "é"].map((fieldManager) => ({ fieldManager })),
  { force: "true" },
  { force: "false" },
  { force: "x" },
  { pretty: "true" },
  { timeout: "5s" },
  { timeout: "abc" },
  { timeout: "-1s" },
  { timeout: "0" },
  { dryRun: "All", fieldValidation: "Strict" },
];

/** Each option on each verb that takes it, each with an object that has an unknown field. */
function optionScenarios(): Scenario[] {
  return writeOptions.map((query) => ({
    family: "options",
    steps: [
      first,
      post(withQuery(gears, query), gear("b", { color: "red", strange: 1 })),
      post(withQuery(gears, { ...query, dryRun: "All" }), gear("c")),
      put(withQuery(`${gears}/a`, query), gear("a", { color: "blue", strange: 1 }, {}, current)),
      patch(withQuery(`${gears}/a`, query), "merge", { spec: { count: 5, strange: 1 } }),
      patch(withQuery(`${gears}/a`, query), "json", [{ op: "add", path: "/spec/strange", value: 1 }]),
      patch(withQuery(`${gears}/a/status`, query), "merge", { status: { phase: "Turning", strange: 1 } }),
      get(`${gears}/a`),
      get(gears),
    ],
  }));
}

const many = `${gears}?dryRun=All&dryRun=x`;
const multiScenario: Scenario = {
  family: "options",
  steps: [first, post(many, gear("b")), patch(`${gears}/a?fieldManager=a&fieldManager=b`, "merge", {})],
};

/** A schema's answer to a value: on create in each strictness, on update, in patches, in YAML. */
function valueScenarios(): Scenario[] {
  return [...badSpecs, ...goodSpecs].map((spec) => {
    const body = gear("v", { color: "red", ...spec });
    return {
      family: "schema",
      steps: [
        post(withQuery(gears, { dryRun: "All", fieldValidation: "Strict" }), body),
        post(withQuery(gears, { dryRun: "All", fieldValidation: "Ignore" }), body),
        post(gears, body, { headers: { "content-type": "application/json" } }),
        get(`${gears}/v`),
        saved(post(gears, gear("w"))),
        put(`${gears}/w`, gear("w", { color: "red", ...spec }, {}, current)),
        patch(`${gears}/w`, "merge", { spec }),
        patch(
          withQuery(`${gears}/w`, { fieldValidation: "Strict" }),
          "json",
          Object.entries(spec).map(([key, value]) => ({ op: "add", path: `/spec/${key}`, value })),
        ),
        get(gears),
        patch(`${gears}/w`, "merge", { metadata: { annotations: { again: "yes" } } }),
        put(`${oldGears}/w`, { ...gear("w", { color: "red", ...spec }), apiVersion: "differential.annex.dev/v1beta1" }),
      ],
    };
  });
}

/** Metadata that is refused, mended, or warned of. */
function metadataScenarios(): Scenario[] {
  return badMetadata.flatMap((metadata): Scenario[] => [
    {
      family: "metadata",
      steps: [
        post(gears, { ...gear("m"), metadata: { name: "m", ...metadata } }),
        get(`${gears}/m`),
        saved(post(gears, gear("n"))),
        put(`${gears}/n`, gear("n", undefined, {}, { resourceVersion: "<<rv>>", ...metadata })),
        // kube-apiserver's first attempt at a patch starts from its watch cache, and warns of what it finds
        // changed there, although it is no longer a change. A list waits until the cache is of now.
        get(gears),
        patch(`${gears}/n`, "merge", { metadata }),
        patch(`${gears}/n/status`, "merge", { metadata, status: { phase: "Waiting" } }),
        get(gears),
      ],
    },
    {
      family: "metadata",
      steps: [
        post(plates, { ...plate("m"), metadata: { ...(plate("m")["metadata"] as object), ...metadata } }),
        patch(`${plates}/<<id>>-m`, "merge", { metadata }),
        get(withQuery(plates, { labelSelector: "scenario=<<id>>" })),
      ],
    },
  ]);
}

const names = [
  "UPPER",
  "a_b",
  "a.b",
  ".a",
  "a.",
  "-a",
  "a-",
  "a b",
  "a/b",
  "a%b",
  ".",
  "..",
  "1",
  "a".repeat(253),
  "a".repeat(254),
  "é",
  "a--b",
  "a..b",
  "",
];
const generateNames = ["generated-", "UPPER-generated-", "-generated-", ""];

function nameScenarios(): Scenario[] {
  const path = (name: string) => `${gears}/${encodeURIComponent(name)}`;
  return [
    ...names.map((name) => ({
      family: "name",
      steps: [
        post(gears, { ...gear("x"), metadata: { name } }),
        post(plates, { ...plate("x"), metadata: { name: name === "" ? "" : `<<id>>${name}` } }),
        ...(name === ""
          ? []
          : [get(path(name)), put(path(name), gear(name)), patch(path(name), "merge", {}), remove(path(name))]),
      ],
    })),
    ...generateNames.map((generateName) => ({
      family: "name",
      steps: [
        post(gears, { ...gear("x"), metadata: { generateName } }),
        post(gears, { ...gear("x"), metadata: { generateName, name: "given" } }),
        post(`${gears}?dryRun=All`, { ...gear("x"), metadata: { generateName } }),
      ],
    })),
    {
      family: "name",
      steps: [
        first,
        first,
        post(gears, gear("a", { color: "blue" })),
        post(`${gears}?dryRun=All`, gear("a")),
        put(`${gears}/a`, gear("b")),
        put(`${gears}/missing`, gear("missing")),
        put(`${gears}/missing`, gear("missing", undefined, {}, { uid: "<<uid>>" })),
        put(`${gears}/missing`, gear("missing", undefined, {}, { resourceVersion: "1" })),
        put(`${gears}/missing?dryRun=All`, gear("missing")),
        patch(`${gears}/missing`, "merge", {}),
        patch(`${gears}/missing`, "json", []),
        patch(`${gears}/missing/status`, "merge", {}),
        patch(`${gears}/missing/scale`, "merge", {}),
        remove(`${gears}/missing`),
        get(`${gears}/missing`),
        get(`${gears}/missing/status`),
        get(`${gears}/missing/scale`),
        put(`${gears}/a`, { ...gear("a"), metadata: {} }),
        put(`${gears}/a`, { apiVersion: "differential.annex.dev/v1", kind: "Gear", spec: { color: "red" } }),
        put(`${gears}/a`, gear("a", undefined, {}, { namespace: "other" })),
        post(gears, gear("z", undefined, {}, { namespace: "other" })),
        post(gears, gear("z", undefined, {}, { namespace: "<<ns>>" })),
        post(plates, plate("z", {}, { namespace: "some" })),
        post("/apis/differential.annex.dev/v1/gears", gear("z")),
        put(gears, gear("a")),
        patch(gears, "merge", {}),
        post(`${gears}/a`, gear("fresh")),
        remove("/apis/differential.annex.dev/v1/gears"),
      ],
    },
  ];
}

/** Revisions and uids that are stale, wrong or missing, on each verb that heeds them. */
function conflictScenarios(): Scenario[] {
  const revisions = [undefined, "", "0", "<<old>>", "<<rv>>", "99999999", "abc", "-1"];
  const uids = [undefined, "<<uid>>", "00000000-0000-4000-8000-000000000000", "", "x"];
  const changed: readonly Step[] = [
    post(gears, gear("a"), { save: { old: "metadata.resourceVersion", uid: "metadata.uid" } }),
    saved(patch(`${gears}/a`, "merge", { spec: { count: 2 } })),
  ];
  return combinations<string | undefined>({ resourceVersion: revisions, uid: uids }).flatMap((metadata) => {
    const given = Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined));
    return [
      {
        family: "conflict",
        steps: [...changed, put(`${gears}/a`, gear("a", { color: "blue" }, {}, given)), get(`${gears}/a`)],
      },
      {
        family: "conflict",
        steps: [...changed, put(`${gears}/a`, gear("a", { color: "red", count: 2 }, {}, given)), get(`${gears}/a`)],
      },
      {
        family: "conflict",
        steps: [
          ...changed,
          put(`${gears}/a/status`, gear("a", undefined, { status: { phase: "Waiting" } }, given)),
          get(`${gears}/a`),
        ],
      },
      {
        family: "conflict",
        steps: [
          ...changed,
          patch(`${gears}/a`, "merge", { metadata: given, spec: { color: "green" } }),
          get(`${gears}/a`),
        ],
      },
      {
        family: "conflict",
        steps: [
          ...changed,
          patch(
            `${gears}/a`,
            "json",
            Object.entries(given).map(([key, value]) => ({ op: "replace", path: `/metadata/${key}`, value })),
          ),
          patch(`${gears}/a`, "json", [
            ...Object.entries(given).map(([key, value]) => ({ op: "test", path: `/metadata/${key}`, value })),
            { op: "replace", path: "/spec/color", value: "blue" },
          ]),
          get(`${gears}/a`),
        ],
      },
      {
        family: "conflict",
        steps: [
          ...changed,
          remove(`${gears}/a`, { kind: "DeleteOptions", apiVersion: "v1", preconditions: given }),
          get(`${gears}/a`),
        ],
      },
      {
        family: "conflict",
        steps: [post(gears, gear("b", undefined, {}, given.uid === "<<uid>>" ? {} : given)), get(gears)],
      },
    ];
  });
}

export const writeScenarios = (): Scenario[] => [
  ...optionScenarios(),
  multiScenario,
  ...valueScenarios(),
  ...metadataScenarios(),
  ...nameScenarios(),
  ...conflictScenarios(),
];
