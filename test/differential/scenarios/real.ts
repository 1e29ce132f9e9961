/**
 * Objects of other projects, as their users write them and with one thing wrong, each in its kind's
 * life: made, read, changed, deleted.
 */
import type { Random } from "../random.ts";
import type { Scenario, Step } from "../scenario.ts";
import { get, patch, post, put, remove, saveAll, watch, withQuery } from "../scenario.ts";
import { type Fields, pathsOf, realObjects, type Value } from "./real-objects.ts";

const strictness = ["Strict", "Warn", "Ignore"] as const;
const table = { headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } };
const partial = { headers: { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" } };
/** Spoiled copies of each object. */
const spoiledEach = 5;

/** Gives a scenario or two for each object, and one for each kind. @param realData where the projects lie. */
export function realScenarios(random: Random, realData: string): Scenario[] {
  const paths = pathsOf(realData);
  return [
    ...realObjects(realData).flatMap(({ object, name, path }) => lifeOf(object, { name, path }, random)),
    ...[...paths.values()].map(
      (path): Scenario => ({
        family: "real kinds",
        steps: [
          get(path),
          get(path, table),
          get(`${path}/missing`),
          get(withQuery(path, { fieldSelector: "metadata.name=x" })),
          post(path, {}),
          remove(`${path}/missing`),
          get(path.replace(/\/namespaces\/.*$/, "").replace(/\/[^/]*$/, path.includes("/namespaces/") ? "$&" : "")),
          get(`${path}/missing/status`),
          get(`${path}/missing/scale`),
          patch(`${path}/missing`, "merge", {}),
        ],
      }),
    ),
    ...[...new Set([...paths.values()].map((path) => path.split("/").slice(2, 4).join("/")))].flatMap(
      (groupVersion): Scenario[] => [
        {
          family: "real documents",
          steps: [get(`/apis/${groupVersion}`), get(`/apis/${groupVersion.split("/")[0]}`)],
        },
      ],
    ),
  ];
}

function lifeOf(object: Fields, { name, path }: { name: string; path: string }, random: Random): Scenario[] {
  const isNamespaced = path.includes("/namespaces/");
  const spoiled = Array.from(
    { length: spoiledEach },
    (): Step =>
      post(
        withQuery(path, { dryRun: "All", fieldValidation: random.pick(strictness) }),
        spoil(
          {
            ...object,
            metadata: { ...(object["metadata"] as Fields), name: isNamespaced ? "spoiled" : "<<id>>-spoiled" },
          },
          random,
        ),
      ),
  );
  return [
    {
      family: "real",
      steps: [
        ...spoiled,
        post(withQuery(path, { fieldValidation: "Strict" }), object, { save: saveAll }),
        get(`${path}/${name}`),
        get(`${path}/${name}`, random.pick([table, partial, { headers: { accept: "application/yaml" } }])),
        put(
          `${path}/${name}`,
          {
            ...object,
            metadata: { ...(object["metadata"] as Fields), resourceVersion: "<<rv>>", labels: { changed: "yes" } },
          },
          { save: saveAll },
        ),
        put(
          withQuery(`${path}/${name}`, { dryRun: "All" }),
          spoil({ ...object, metadata: { ...(object["metadata"] as Fields), resourceVersion: "<<rv>>" } }, random),
        ),
        patch(`${path}/${name}`, "merge", { metadata: { annotations: { note: "x" } } }),
        patch(withQuery(`${path}/${name}`, { fieldValidation: random.pick(strictness) }), "merge", {
          spec: spoil((object["spec"] ?? {}) as Fields, random),
        }),
        ...(isNamespaced
          ? [watch(withQuery(path, { watch: "true", allowWatchBookmarks: "true" }))].filter(() => random.oneIn(10))
          : []),
        remove(`${path}/${name}`),
        get(`${path}/${name}`),
      ],
    },
  ];
}

const strange: readonly Value[] = [
  "strange",
  7,
  1.5,
  true,
  null,
  [],
  {},
  ["x"],
  { x: 1 },
  -1,
  "",
  9_007_199_254_740_991,
];

/** Gives a copy with one thing changed somewhere: a field gone, another kind of value, an unknown field, an item twice. */
function spoil(whole: Fields, random: Random): Fields {
  const copy = structuredClone(whole);
  const places: { owner: Fields; key: string }[] = [];
  const collect = (value: Value | undefined) => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (!["apiVersion", "kind", "name"].includes(key)) places.push({ owner: value as Fields, key });
      collect(child);
    }
  };
  collect(copy["spec"] ?? copy);
  if (places.length === 0) return { ...copy, spec: random.pick(strange) };
  const { owner, key } = random.pick(places);
  const value = owner[key];
  const way = random.below(5);
  if (way === 0) {
    if (Array.isArray(owner)) owner.splice(Number(key), 1);
    else delete owner[key];
  } else if (way === 1 && Array.isArray(value) && value.length > 0) value.push(structuredClone(value[0] ?? null));
  else if (way === 2 && typeof value === "object" && value !== null && !Array.isArray(value))
    value["strangeField"] = random.pick(strange);
  else if (way === 3 && typeof value === "string")
    owner[key] = random.pick(["", "UPPER_case", "a".repeat(300), "a b", `${value}!`]);
  else owner[key] = random.pick(strange);
  return copy;
}
