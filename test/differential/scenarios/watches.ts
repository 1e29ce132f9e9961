/**
 * Watches: each start of reference 4.1 with each kind of change after it, selections, forms, ends.
 */
import type { Scenario, Step } from "../scenario.ts";
import {
  allGears,
  combinations,
  gear,
  gears,
  get,
  note,
  notes,
  patch,
  plate,
  plates,
  post,
  put,
  remove,
  saveAll,
  watch,
  withQuery,
} from "../scenario.ts";

type Query = Readonly<Record<string, string | undefined>>;

const before: readonly Step[] = [
  post(gears, gear("a", { color: "red", count: 1 }, {}, { labels: { side: "in", scenario: "<<id>>" } }), {
    save: saveAll,
  }),
  post(gears, gear("b", { color: "blue" }, {}, { labels: { side: "out", scenario: "<<id>>" } })),
  // Waits for the cache.
  get(gears, { save: { now: "metadata.resourceVersion" } }),
];
/** Each transition of a selection: in, within, out, beyond; and deletes, at once and in two steps. */
const changes: readonly Step[] = [
  post(gears, gear("c", { color: "red" }, {}, { labels: { side: "in", scenario: "<<id>>" } })),
  patch(`${gears}/a`, "merge", { spec: { color: "green" } }),
  patch(`${gears}/a`, "merge", { metadata: { labels: { side: "out" } } }),
  patch(`${gears}/b`, "merge", { metadata: { labels: { side: "in" } }, spec: { color: "red" } }),
  patch(`${gears}/b`, "merge", {}),
  patch(`${gears}/a`, "merge", { metadata: { annotations: { seen: "yes" } } }),
  remove(`${gears}/a`),
  patch(`${gears}/c`, "merge", { metadata: { finalizers: ["differential.annex.dev/hold"] } }),
  remove(`${gears}/c`),
  patch(`${gears}/c`, "merge", { metadata: { finalizers: null } }),
  patch(`${gears}/b/status`, "merge", { status: { phase: "Turning" } }),
  post(`${gears}?dryRun=All`, gear("d")),
  remove(`${gears}`),
];

function startScenarios(): Scenario[] {
  return combinations<string | undefined>({
    resourceVersion: [undefined, "0", "<<rv>>", "<<now>>", "abc", "99999999"],
    sendInitialEvents: [undefined, "true", "false"],
    resourceVersionMatch: [undefined, "NotOlderThan", "Exact"],
    allowWatchBookmarks: [undefined, "true"],
  }).map((query) => ({
    family: "watch",
    steps: [...before, watch(withQuery(gears, { watch: "true", ...query })), ...changes.slice(0, 7)],
  }));
}

const selections: readonly Query[] = [
  {},
  { labelSelector: "side=in" },
  { labelSelector: "side!=in" },
  { labelSelector: "side" },
  { labelSelector: "none=here" },
  { fieldSelector: "metadata.name=a" },
  { fieldSelector: "metadata.name!=a" },
  { fieldSelector: "spec.color=red" },
  { fieldSelector: "spec.color!=red" },
  { fieldSelector: "spec.color=red", labelSelector: "side=in" },
  { fieldSelector: "metadata.namespace=<<ns>>" },
];
const starts: readonly Query[] = [
  {},
  { resourceVersion: "<<now>>" },
  { resourceVersion: "<<rv>>" },
  { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" },
];
const forms = [
  undefined,
  "application/json;as=Table;v=v1;g=meta.k8s.io",
  "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
];

function selectionScenarios(): Scenario[] {
  return selections.flatMap((selection) =>
    starts.flatMap((start) =>
      forms.map((accept) => ({
        family: "watch",
        steps: [
          ...before,
          watch(
            withQuery(gears, { watch: "1", ...selection, ...start }),
            accept === undefined ? {} : { headers: { accept } },
          ),
          ...changes,
        ],
      })),
    ),
  );
}

/** Answers before a stream begins, and streams that end by themselves. */
const singles: readonly Step[] = [
  watch(`${gears}?watch=true&resourceVersion=1`),
  watch(`${gears}?watch=true&resourceVersion=1&allowWatchBookmarks=true`),
  watch(`${gears}?watch=true&resourceVersion=1`, {
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  }),
  watch(`${gears}?watch=true&resourceVersion=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`),
  watch(`${gears}?watch=true&timeoutSeconds=1`),
  watch(`${gears}?watch=true&timeoutSeconds=1&resourceVersion=<<now>>`),
  watch(`${gears}?watch=true&timeoutSeconds=-1`),
  get(`${gears}?watch=true&timeoutSeconds=abc`),
  get(`${gears}?watch=true&limit=abc`),
  get(`${gears}?watch=true&labelSelector=a%20b`),
  get(`${gears}?watch=true&fieldSelector=spec.none%3D1`),
  get(`${gears}?watch=true&resourceVersionMatch=NotOlderThan`),
  get(`${gears}?watch=true`, { headers: { accept: "application/yaml" } }),
  get(`${gears}?watch=true`, { headers: { accept: "text/html" } }),
  get(`${gears}?watch=true`, { headers: { accept: "application/vnd.kubernetes.protobuf" } }),
  watch(`${gears}?watch=true`, { headers: { accept: "application/json;stream=watch" } }),
  watch(`${gears}?watch=true`, { headers: { accept: "application/yaml, application/json" } }),
  watch(`${gears}?watch=true`, {
    headers: { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" },
  }),
  watch(`${gears}?watch=true&includeObject=Object`, {
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  }),
  watch(`${gears}?watch=true&includeObject=None`, {
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  }),
  watch(`${gears}?watch=true&continue=abc`),
  watch(`${gears}?watch=true&limit=1`),
  watch(`${gears}?watch=`),
  get(`${gears}?watch=0`),
  get(`${gears}?watch=false&allowWatchBookmarks=true`),
  watch(`${gears}?watch=yes&pretty=true`),
  watch(`/apis/differential.annex.dev/v1/watch/namespaces/<<ns>>/gears`),
  watch(`/apis/differential.annex.dev/v1/watch/namespaces/<<ns>>/gears/a`),
  watch(`/apis/differential.annex.dev/v1/watch/gears?labelSelector=scenario%3D<<id>>`),
  watch(withQuery(allGears, { watch: "true", labelSelector: "scenario=<<id>>" })),
  watch(withQuery(allGears, { watch: "true", fieldSelector: "metadata.namespace=<<ns>>" })),
  get(`${gears}/a?watch=true`),
  watch(`/apis/differential.annex.dev/v1beta1/namespaces/<<ns>>/gears?watch=true`),
];

function otherScenarios(): Scenario[] {
  const single = singles.flatMap((step): Scenario[] => [
    { family: "watch", steps: [...before, step] },
    // Within one second nobody promises anything.
    ...(step.path.includes("timeoutSeconds=1")
      ? []
      : [{ family: "watch", steps: [...before, step, ...changes.slice(0, 4)] }]),
  ]);
  const replaced: Scenario[] = [
    {
      family: "watch",
      steps: [
        watch(withQuery(notes, { watch: "true" })),
        post(notes, note("a", { anything: { goes: [1, 2.5, "x"] } }), { save: saveAll }),
        put(`${notes}/a`, note("a", { other: true }, { resourceVersion: "<<rv>>" }), { save: saveAll }),
        put(`${notes}/a`, note("a", { other: true }, { resourceVersion: "<<rv>>" })),
        remove(`${notes}/a`),
        post(notes, note("a")),
      ],
    },
    {
      family: "watch",
      steps: [
        watch(withQuery(plates, { watch: "true", labelSelector: "scenario=<<id>>" })),
        post(plates, plate("a")),
        post(plates, plate("b", {}, { finalizers: ["differential.annex.dev/hold"] })),
        remove(withQuery(plates, { labelSelector: "scenario=<<id>>" })),
        patch(`${plates}/<<id>>-b`, "json", [{ op: "remove", path: "/metadata/finalizers" }]),
      ],
    },
  ];
  return [...single, ...replaced];
}

/** From before all history. */
function expiredScenarios(): Scenario[] {
  return selections.flatMap((selection) =>
    ["1", "2"].map((resourceVersion) => ({
      family: "watch",
      steps: [...before, watch(withQuery(gears, { watch: "true", resourceVersion, ...selection }))],
    })),
  );
}

export const watchScenarios = (): Scenario[] => [
  ...expiredScenarios(),
  ...startScenarios(),
  ...selectionScenarios(),
  ...otherScenarios(),
];
